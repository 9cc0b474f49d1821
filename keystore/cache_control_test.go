// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"net/http"
	"testing"
	"time"
)

// REQ-059
func TestLifetimeOf(t *testing.T) {
	for _, test := range []struct {
		headers []string
		want    time.Duration
	}{
		{nil, time.Hour},
		{[]string{""}, time.Hour},
		{[]string{"public, must-revalidate"}, time.Hour},
		{[]string{"max-age=600"}, 10 * time.Minute},
		{[]string{"public, Max-Age=600 , immutable"}, 10 * time.Minute},
		{[]string{`max-age="600"`}, 10 * time.Minute},
		{[]string{"max-age=864000"}, 24 * time.Hour},
		{[]string{"max-age=99999999999999999999999999"}, 24 * time.Hour},
		{[]string{"max-age=0"}, time.Minute},
		{[]string{"max-age=-600"}, time.Minute},
		{[]string{"max-age=1e9"}, time.Minute},
		{[]string{"max-age"}, time.Minute},
		{[]string{"no-store"}, time.Minute},
		{[]string{"no-cache, max-age=600"}, time.Minute},
		{[]string{"max-age=7200", "max-age=600"}, 10 * time.Minute},
		{[]string{`private="max-age=60, no-store", max-age=600`}, 10 * time.Minute},
		{[]string{`ext="a\", no-store", max-age=600`}, 10 * time.Minute},
		{[]string{",,max-age=600,,"}, 10 * time.Minute},
		{[]string{"s-maxage=5, xmax-age=5"}, time.Hour},
	} {
		if got := lifetimeOf(http.Header{"Cache-Control": test.headers}); got != test.want {
			t.Errorf("lifetimeOf(%q) = %v, want %v", test.headers, got, test.want)
		}
	}
}

func FuzzLifetimeOf(f *testing.F) {
	for _, seed := range []string{"max-age=600", `private="a,b", max-age="7"`, "no-store", `"`, `"\`, "max-age=18446744073709551617", ",=,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := lifetimeOf(http.Header{"Cache-Control": {text}}); got < minLifetime || got > maxLifetime {
			t.Errorf("lifetimeOf(%q) = %v", text, got)
		}
	})
}
