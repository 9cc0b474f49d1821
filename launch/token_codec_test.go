// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill sets everything that a token can hold to a value of its own, and returns how many there were.
func fill(t *testing.T, v reflect.Value, count int) int {
	t.Helper()
	count++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("%stext %d", tokenWords[count%len(tokenWords)], count))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(count) * map[bool]int64{true: 1, false: -1 << 40}[count%2 == 0])
	case reflect.Float64:
		v.SetFloat(float64(count) / 3)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		if v.Elem().Kind() == reflect.Bool {
			return count // one that says false: it is not nil
		}
		return fill(t, v.Elem(), count)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(`{"raw": 1}`))
			return count
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		return fill(t, v.Index(1), fill(t, v.Index(0), count))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"a": "", "": "https://purl.imsglobal.org/spec/"}))
	case reflect.Struct:
		if v.Type() == timeType {
			v.Set(reflect.ValueOf(time.Unix(int64(count), 5).UTC()))
			return count
		}
		for _, field := range fieldsOf(v.Type()) {
			count = fill(t, v.Field(field.index), count)
		}
	default:
		t.Fatalf("a token cannot hold a %s", v.Type())
	}
	return count
}

// TestTokenFormHoldsEverything fills every field that a launch has now, and every one of its parts.
func TestTokenFormHoldsEverything(t *testing.T) {
	for _, content := range []tokenContent{{}, {Launch: &Launch{}}} {
		data, err := marshalToken(&content)
		if err != nil {
			t.Fatal(err)
		}
		var got tokenContent
		if err := unmarshalToken(data, &got); err != nil || !cmp.Equal(content, got) {
			t.Errorf("%+v: %v, %v", content, got, err)
		}
	}
	var content tokenContent
	if count := fill(t, reflect.ValueOf(&content).Elem(), 0); count < 100 {
		t.Fatalf("%d values only", count)
	}
	data, err := marshalToken(&content)
	if err != nil {
		t.Fatal(err)
	}
	var got tokenContent
	if err := unmarshalToken(data, &got); err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(content, got); difference != "" {
		t.Error(difference)
	}
	for end := range data {
		if err := unmarshalToken(data[:end:end], &tokenContent{}); err == nil {
			t.Fatalf("the first %d of %d bytes are a token", end, len(data))
		}
	}
	if err := unmarshalToken(append(data, 0), &tokenContent{}); err == nil {
		t.Error("a token with a byte behind it is a token")
	}
	if _, err := marshalToken(&struct {
		C chan int `json:"c"`
	}{make(chan int)}); err == nil {
		t.Error("a token holds a channel")
	}
}

// FuzzTokenForm: whatever is read is the same when it is written and read again, and nothing panics or takes memory
// beyond what the text is worth.
func FuzzTokenForm(f *testing.F) {
	data, err := marshalToken(&tokenContent{Launch: &Launch{ID: "1", Roles: []string{"https://x"}, Custom: map[string]string{"a": "b"}, Time: time.Unix(1, 0), User: &User{ID: "u"}}, Expires: time.Unix(2, 0)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{0, 0})
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second tokenContent
		if unmarshalToken(data, &first) != nil {
			return
		}
		written, err := marshalToken(&first)
		if err != nil {
			t.Fatal(err)
		}
		if err := unmarshalToken(written, &second); err != nil {
			t.Fatal(err)
		}
		if again, err := marshalToken(&second); err != nil || len(again) != len(written) {
			t.Fatalf("%q, then %q, %v", written, again, err)
		}
	})
}
