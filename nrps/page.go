// SPDX-License-Identifier: Apache-2.0

package nrps

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/pages"
)

// maxValueBytes is how long one member of a roster may be, with its message section.
const maxValueBytes = 1 << 20

// decode reads one page as it arrives and adds its members to the roster. An empty body is an empty page, as Sakai
// writes one.
func (r *reading) decode(body io.Reader) error {
	limited := &valueLimit{reader: body}
	decoder := jsontext.NewDecoder(limited, pages.Lenient)
	first, err := decoder.ReadToken()
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	if err != nil {
		return broken(err)
	}
	if first.Kind() != '{' {
		return pages.Defect("it is not a JSON object")
	}
	membersSeen := false
	for decoder.PeekKind() != '}' {
		limited.used = 0
		name, err := decoder.ReadToken()
		if err != nil {
			return broken(err)
		}
		switch name.String() {
		case "members":
			membersSeen = true
			err = r.decodeMembers(decoder, limited)
		case "context":
			err = r.decodeContext(decoder)
		default:
			err = decoder.SkipValue()
		}
		if err != nil {
			return broken(err)
		}
	}
	if _, err := decoder.ReadToken(); err != nil {
		return broken(err)
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		if err == nil {
			return pages.Defect("something follows the JSON object")
		}
		return broken(err)
	}
	if !membersSeen {
		return pages.Defect("it has no list of members")
	}
	return nil
}

func (r *reading) decodeMembers(decoder *jsontext.Decoder, limited *valueLimit) error {
	switch decoder.PeekKind() {
	case 'n':
		return decoder.SkipValue()
	case '[':
	default:
		if err := decoder.SkipValue(); err != nil {
			return err
		}
		return pages.Defect("its members are not a list")
	}
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	for decoder.PeekKind() != ']' {
		limited.used = 0
		value, err := decoder.ReadValue()
		if err != nil {
			return err
		}
		if r.received == r.maxMembers {
			return r.container.TooLarge(r.maxMembers, "members")
		}
		r.received++
		member, defect := parseMember(value)
		if defect != "" {
			return pages.Defect(fmt.Sprintf("member %d %s", r.received, defect))
		}
		if err := r.roster.add(member); err != nil {
			return &yieldError{err}
		}
	}
	_, err := decoder.ReadToken()
	return err
}

func (r *reading) decodeContext(decoder *jsontext.Decoder) error {
	value, err := decoder.ReadValue()
	if err != nil {
		return err
	}
	var members struct {
		ID    pages.Text `json:"id"`
		Label pages.Text `json:"label"`
		Title pages.Text `json:"title"`
	}
	if r.roster.contextKnown || value.Kind() != '{' {
		return nil
	}
	if err := json.Unmarshal(value, &members, pages.Lenient); err != nil {
		return pages.Defect("its context is malformed")
	}
	r.roster.context = lti.RosterContext{ID: string(members.ID), Label: string(members.Label), Title: string(members.Title)}
	r.roster.contextKnown = true
	return nil
}

// broken explains an error of reading a page.
func broken(err error) error {
	var yielded *yieldError
	var explained *lti.Error
	var defect pages.Defect
	var transport *outbound.Error
	switch {
	case errors.As(err, &yielded):
		return yielded.error
	case errors.As(err, &explained), errors.As(err, &defect), errors.As(err, &transport):
		return err
	case errors.Is(err, errValueTooLong):
		return pages.Defect(fmt.Sprintf("one of its values is longer than %d bytes", maxValueBytes))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return pages.Defect("it ends too early")
	}
	return pages.Defect("it is not JSON")
}

// yieldError carries what yield returned past the decoder.
type yieldError struct{ error }

var errValueTooLong = errors.New("value too long")

// valueLimit bounds what the decoder reads for one value, as it keeps the whole of it. used is set to 0 at each value.
type valueLimit struct {
	reader io.Reader
	used   int
}

func (l *valueLimit) Read(p []byte) (int, error) {
	if l.used > maxValueBytes {
		return 0, errValueTooLong
	}
	// Small steps, so that what is read ahead of a value counts little.
	n, err := l.reader.Read(p[:min(len(p), 64<<10)])
	l.used += n
	return n, err
}

// parseMember reads one member. Optional ones that are null or of another type are as if they were missing; defect says
// why it is none.
func parseMember(value jsontext.Value) (member lti.Member, defect string) {
	if value.Kind() != '{' {
		return lti.Member{}, "is not an object"
	}
	var members struct {
		UserID            jsontext.Value `json:"user_id"`
		Status            pages.Text     `json:"status"`
		Roles             roles          `json:"roles"`
		Name              pages.Text     `json:"name"`
		GivenName         pages.Text     `json:"given_name"`
		FamilyName        pages.Text     `json:"family_name"`
		MiddleName        pages.Text     `json:"middle_name"`
		Email             pages.Text     `json:"email"`
		Picture           pages.Text     `json:"picture"`
		PersonSourcedID   pages.Text     `json:"lis_person_sourcedid"`
		LTI11LegacyUserID pages.Text     `json:"lti11_legacy_user_id"`
		Message           jsontext.Value `json:"message"`
		Groups            enrollments    `json:"group_enrollments"`
	}
	if err := json.Unmarshal(value, &members, pages.Lenient); err != nil {
		return lti.Member{}, "is malformed"
	}
	id := pages.ID(members.UserID)
	if id == "" {
		return lti.Member{}, "has no user_id"
	}
	member = lti.Member{
		UserID: id, Status: statusOf(string(members.Status)), Roles: members.Roles,
		Name: string(members.Name), GivenName: string(members.GivenName), FamilyName: string(members.FamilyName),
		MiddleName: string(members.MiddleName), Email: string(members.Email), Picture: string(members.Picture),
		PersonSourcedID: string(members.PersonSourcedID), LTI11LegacyUserID: string(members.LTI11LegacyUserID),
		GroupIDs: members.Groups,
	}
	if kind := members.Message.Kind(); len(members.Message) > 0 && kind != 'n' {
		member.MessageJSON = strings.ToValidUTF8(string(members.Message), "\ufffd")
	}
	return member, ""
}

// statusOf returns one of the three statuses: Active where none came, Inactive for what is not known.
func statusOf(text string) string {
	text = text[strings.LastIndexByte(text, '#')+1:] // some write the URI
	switch {
	case text == "" || strings.EqualFold(text, lti.StatusActive):
		return lti.StatusActive
	case strings.EqualFold(text, lti.StatusDeleted):
		return lti.StatusDeleted
	}
	return lti.StatusInactive
}

// roles is a list of role names, or one text with commas between them; anything else is no role.
type roles []string

// UnmarshalJSONFrom reads any JSON value.
func (r *roles) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	value, err := decoder.ReadValue()
	if err != nil {
		return err
	}
	var list []pages.Text
	switch value.Kind() {
	case '[':
		if err := json.Unmarshal(value, &list, pages.Lenient); err != nil {
			return err
		}
	case '"':
		var one pages.Text
		if err := json.Unmarshal(value, &one, pages.Lenient); err != nil {
			return err
		}
		for _, name := range strings.Split(string(one), ",") {
			list = append(list, pages.Text(name))
		}
	}
	for _, name := range list {
		if role := strings.TrimSpace(string(name)); role != "" {
			*r = append(*r, lti.ExpandRole(role))
		}
	}
	return nil
}

// enrollments is a list of the groups that a member is in, each an object with a group_id; anything else is none.
type enrollments []string

// UnmarshalJSONFrom reads any JSON value.
func (e *enrollments) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	value, err := decoder.ReadValue()
	if err != nil || value.Kind() != '[' {
		return err
	}
	var list []jsontext.Value
	if err := json.Unmarshal(value, &list, pages.Lenient); err != nil {
		return err
	}
	for _, element := range list {
		var enrollment struct {
			GroupID jsontext.Value `json:"group_id"`
		}
		if element.Kind() != '{' {
			continue
		}
		if err := json.Unmarshal(element, &enrollment, pages.Lenient); err != nil {
			return err
		}
		if id := pages.ID(enrollment.GroupID); id != "" && !slices.Contains(*e, id) {
			*e = append(*e, id)
		}
	}
	return nil
}
