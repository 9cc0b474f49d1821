// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"net/url"
	"strings"
)

// Form is what a browser is told to send: the parameters in order.
type Form struct {
	Method string // GET or POST
	Action string
	Fields []Field
}

// Get returns the first value of that name, or "".
func (f *Form) Get(name string) string {
	for _, fd := range f.Fields {
		if fd.Name == name {
			return fd.Value
		}
	}
	return ""
}

// Values returns the fields as url.Values.
func (f *Form) Values() url.Values {
	v := url.Values{}
	for _, fd := range f.Fields {
		v.Add(fd.Name, fd.Value)
	}
	return v
}

// encode writes the fields in their order, as a browser does.
func (f *Form) encode() string {
	var b strings.Builder
	for i, fd := range f.Fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(fd.Name) + "=" + url.QueryEscape(fd.Value))
	}
	return b.String()
}

// getURL is the action with the fields added to its query.
func (f *Form) getURL() string {
	if strings.Contains(f.Action, "?") {
		return f.Action + "&" + f.encode()
	}
	return f.Action + "?" + f.encode()
}
