// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"reflect"
	"strings"
	"sync"
	"time"
)

// The content of launch tokens has a form of its own: with JSON, making a token would take as long as verifying the
// id_token's signature, and tools keep tokens in cookies, which have 4 KiB.
//
// A struct is its fields that are not zero, each as a 16-bit hash of its JSON name and its value, and two zero bytes at
// the end. A field whose name is not known is an error: a token of another version that has one is refused, and the user
// clicks again. Values: a text is its length and its bytes, and so is raw JSON; a whole number is a varint; a list and a map begin with
// their length; a time is a varint of nanoseconds since 1970, in UTC.

// tokenWords are the long words of the trade with which texts begin. A text with one is its number and the rest. The
// order is part of the form: a new one goes to the end.
var tokenWords = [...]string{
	"", // none
	"https://purl.imsglobal.org/spec/lti-ags/scope/",
	"https://purl.imsglobal.org/spec/",
	"http://purl.imsglobal.org/vocab/lis/v2/membership",
	"http://purl.imsglobal.org/vocab/lis/v2/institution/person#",
	"http://purl.imsglobal.org/vocab/lis/v2/system/person#",
	"http://purl.imsglobal.org/vocab/lis/v2/course#",
	"https://",
}

// wordBits is how many bits of a text's first number say which word it begins with.
const wordBits = 3

// tokenField is one field of a struct that can be in a token.
type tokenField struct {
	index int
	id    uint16
}

// tokenFields has the fields of each type of struct in a token: map[reflect.Type][]tokenField.
var tokenFields sync.Map

// fieldsOf returns the fields of a type. It panics where two have the same hash, which a test of all types finds out.
func fieldsOf(t reflect.Type) []tokenField {
	if known, ok := tokenFields.Load(t); ok {
		return known.([]tokenField)
	}
	fields := []tokenField{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		hash := fnv.New32a()
		hash.Write([]byte(name))
		sum := hash.Sum32()
		id := uint16(sum) ^ uint16(sum>>16)
		for _, other := range fields {
			if other.id == id || id == 0 {
				panic(fmt.Sprintf("launch: the field %s of %s cannot be told from another one in a token", name, t))
			}
		}
		fields = append(fields, tokenField{index: i, id: id})
	}
	tokenFields.Store(t, fields)
	return fields
}

var timeType = reflect.TypeFor[time.Time]()

// appendToken appends a value.
func appendToken(data []byte, v reflect.Value) ([]byte, error) {
	switch v.Kind() {
	case reflect.String:
		return appendTokenText(data, v.String()), nil
	case reflect.Bool:
		return append(data, 1), nil // a field that is false is left out
	case reflect.Int, reflect.Int64:
		return binary.AppendVarint(data, v.Int()), nil
	case reflect.Float64:
		return binary.BigEndian.AppendUint64(data, math.Float64bits(v.Float())), nil
	case reflect.Pointer:
		if v.Elem().Kind() == reflect.Bool { // unlike a field's, it can be false
			return append(data, map[bool]byte{false: 1, true: 2}[v.Elem().Bool()]), nil
		}
		return appendToken(data, v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return appendTokenText(data, alias(v.Bytes())), nil
		}
		data = binary.AppendUvarint(data, uint64(v.Len()))
		for i := range v.Len() {
			var err error
			if data, err = appendToken(data, v.Index(i)); err != nil {
				return nil, err
			}
		}
		return data, nil
	case reflect.Map:
		texts, ok := v.Interface().(map[string]string)
		if !ok {
			return nil, fmt.Errorf("launch: a token cannot hold a %s", v.Type())
		}
		data = binary.AppendUvarint(data, uint64(len(texts)))
		for name, text := range texts {
			data = appendTokenText(appendTokenText(data, name), text)
		}
		return data, nil
	case reflect.Struct:
		return appendTokenStruct(data, v)
	}
	return nil, fmt.Errorf("launch: a token cannot hold a %s", v.Type())
}

func appendTokenStruct(data []byte, v reflect.Value) ([]byte, error) {
	if v.Type() == timeType {
		return binary.AppendVarint(data, v.Interface().(time.Time).UnixNano()), nil
	}
	for _, field := range fieldsOf(v.Type()) {
		value := v.Field(field.index)
		if value.IsZero() {
			continue
		}
		data = binary.BigEndian.AppendUint16(data, field.id)
		var err error
		if data, err = appendToken(data, value); err != nil {
			return nil, err
		}
	}
	return append(data, 0, 0), nil
}

func appendTokenText(data []byte, text string) []byte {
	word := 0
	for i := 1; i < len(tokenWords); i++ {
		if strings.HasPrefix(text, tokenWords[i]) {
			word = i
			break
		}
	}
	text = text[len(tokenWords[word]):]
	return append(binary.AppendUvarint(data, uint64(len(text))<<wordBits|uint64(word)), text...)
}

// tokenReader reads what appendToken wrote. It trusts the text as far as its seal goes: nothing in it makes it read
// beyond the end or take more memory than the text is worth.
type tokenReader struct {
	rest string
	err  error
}

var errTokenForm = errors.New("launch: a token of another form")

func (r *tokenReader) take(n uint64) string {
	if n > uint64(len(r.rest)) {
		r.err, r.rest = errTokenForm, ""
		return ""
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *tokenReader) uvarint() uint64 {
	var value uint64
	for shift := 0; shift < 64; shift += 7 {
		b := r.take(1)
		if b == "" {
			return 0
		}
		value |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			return value
		}
	}
	r.err = errTokenForm
	return 0
}

func (r *tokenReader) varint() int64 {
	value := r.uvarint()
	return int64(value>>1) ^ -int64(value&1)
}

// count reads a number of elements. Each takes a byte at least.
func (r *tokenReader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.err = errTokenForm
		return 0
	}
	return int(n)
}

func (r *tokenReader) text() string {
	head := r.uvarint()
	return tokenWords[head&(1<<wordBits-1)] + r.take(head>>wordBits)
}

// read reads a value into v. After an error it reads nothing more.
func (r *tokenReader) read(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(r.text())
	case reflect.Bool:
		v.SetBool(r.take(1) == "\x01")
	case reflect.Int, reflect.Int64:
		v.SetInt(r.varint())
	case reflect.Float64:
		if bits := r.take(8); bits != "" {
			v.SetFloat(math.Float64frombits(binary.BigEndian.Uint64([]byte(bits))))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		if v.Elem().Kind() == reflect.Bool {
			v.Elem().SetBool(r.take(1) == "\x02")
			return
		}
		r.read(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(r.text()))
			return
		}
		count := r.count()
		v.Set(reflect.MakeSlice(v.Type(), 0, min(count, 64)))
		for i := 0; i < count && r.err == nil; i++ {
			element := reflect.New(v.Type().Elem()).Elem()
			r.read(element)
			v.Set(reflect.Append(v, element))
		}
	case reflect.Map:
		texts := map[string]string{}
		for range r.count() {
			name := r.text()
			texts[name] = r.text()
		}
		v.Set(reflect.ValueOf(texts))
	case reflect.Struct:
		r.readStruct(v)
	default:
		r.err = fmt.Errorf("launch: a token cannot hold a %s", v.Type())
	}
}

func (r *tokenReader) readStruct(v reflect.Value) {
	if v.Type() == timeType {
		v.Set(reflect.ValueOf(time.Unix(0, r.varint()).UTC()))
		return
	}
	fields := fieldsOf(v.Type())
	for r.err == nil {
		text := r.take(2)
		if text == "\x00\x00" || r.err != nil {
			return
		}
		id := binary.BigEndian.Uint16([]byte(text))
		known := false
		for _, field := range fields {
			if known = field.id == id; known {
				r.read(v.Field(field.index))
				break
			}
		}
		if !known {
			r.err = errTokenForm
		}
	}
}

// marshalToken returns the form of a token's content, a pointer to a struct.
func marshalToken(content any) ([]byte, error) {
	return appendToken(make([]byte, 0, 2048), reflect.ValueOf(content).Elem())
}

// unmarshalToken reads the form of a token's content into a pointer to a struct. Its texts alias plain.
func unmarshalToken(plain []byte, content any) error {
	r := &tokenReader{rest: alias(plain)}
	r.read(reflect.ValueOf(content).Elem())
	if r.err == nil && r.rest != "" {
		r.err = errTokenForm
	}
	return r.err
}
