// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
)

// claims is the payload of an id_token, split into members but not yet judged: names are exact, values are raw.
type claims struct {
	Issuer          jsontext.Value `json:"iss"`
	Audience        jsontext.Value `json:"aud"`
	AuthorizedParty jsontext.Value `json:"azp"`
	Expires         jsontext.Value `json:"exp"`
	IssuedAt        jsontext.Value `json:"iat"`
	NotBefore       jsontext.Value `json:"nbf"`
	Nonce           jsontext.Value `json:"nonce"`
	Subject         jsontext.Value `json:"sub"`

	Name       jsontext.Value `json:"name"`
	GivenName  jsontext.Value `json:"given_name"`
	FamilyName jsontext.Value `json:"family_name"`
	Email      jsontext.Value `json:"email"`
	Picture    jsontext.Value `json:"picture"`
	Locale     jsontext.Value `json:"locale"`

	Version          jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/version"`
	MessageType      jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/message_type"`
	DeploymentID     jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/deployment_id"`
	TargetLinkURI    jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/target_link_uri"`
	ResourceLink     jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/resource_link"`
	Roles            jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/roles"`
	Context          jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/context"`
	ToolPlatform     jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/tool_platform"`
	RoleScopeMentor  jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/role_scope_mentor"`
	Presentation     jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/launch_presentation"`
	LIS              jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/lis"`
	Custom           jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/custom"`
	GradeEndpoint    jsontext.Value `json:"https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"`
	NamesRoleService jsontext.Value `json:"https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"`
	GroupsService    jsontext.Value `json:"https://purl.imsglobal.org/spec/lti-gs/claim/groupsservice"`
	CaliperService   jsontext.Value `json:"https://purl.imsglobal.org/spec/lti-ces/claim/caliper-endpoint-service"`

	DeepLinkingSettings jsontext.Value `json:"https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"`
	ForUser             jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/for_user"`
	Activity            jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/activity"`
	Submission          jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/submission"`
	Asset               jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/asset"`
	AssetReportType     jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/assetreport_type"`
	AssetService        jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/assetservice"`
	AssetReport         jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/assetreport"`
	EULAService         jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/eulaservice"`
	NoticeService       jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/platformnotificationservice"`
	Notice              jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/notice"`
	OriginContexts      jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/origin_contexts"`
	LTI11               jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/lti1p1"`
	LTI11UserID         jsontext.Value `json:"https://purl.imsglobal.org/spec/lti/claim/lti11_legacy_user_id"`

	StartAssessmentURL jsontext.Value `json:"https://purl.imsglobal.org/spec/lti-ap/claim/start_assessment_url"`
	SessionData        jsontext.Value `json:"https://purl.imsglobal.org/spec/lti-ap/claim/session_data"`
	AttemptNumber      jsontext.Value `json:"https://purl.imsglobal.org/spec/lti-ap/claim/attempt_number"`
	ProctoringSettings jsontext.Value `json:"https://purl.imsglobal.org/spec/lti-ap/claim/proctoring_settings"`
	AssessmentControl  jsontext.Value `json:"https://purl.imsglobal.org/spec/lti-ap/claim/acs"`
	ErrorMessage       jsontext.Value `json:"https://purl.imsglobal.org/spec/lti-ap/claim/errormsg"`
	ErrorLog           jsontext.Value `json:"https://purl.imsglobal.org/spec/lti-ap/claim/errorlog"`
}

// claimFields has the index of each field of claims by the name of its claim.
var claimFields = func() map[string]int {
	fields := map[string]int{}
	for field := range reflect.TypeFor[claims]().NumField() {
		fields[reflect.TypeFor[claims]().Field(field).Tag.Get("json")] = field
	}
	return fields
}()

// readClaims splits a payload that has passed the gate.
func readClaims(payload []byte) (*claims, error) {
	var c claims
	fields := reflect.ValueOf(&c).Elem()
	err := eachMember(payload, func(name []byte, value jsontext.Value) {
		if field, known := claimFields[string(name)]; known {
			*fields.Field(field).Addr().Interface().(*jsontext.Value) = value
		}
	})
	if err != nil {
		// The gate has checked the text, so only a defect of ours can bring us here.
		return nil, fmt.Errorf("launch: split claims: %w", err)
	}
	return &c, nil
}

// texts returns the non-empty strings of a raw array, and of a single string; anything else in it is passed over.
func texts(value jsontext.Value) []string {
	if s, ok := text(value); ok && s != "" {
		return []string{s}
	}
	elements, _ := list(value)
	if len(elements) == 0 {
		return nil
	}
	found := make([]string, 0, len(elements))
	for _, element := range elements {
		if s, ok := text(element); ok && s != "" {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found
}

// number returns a raw value that is a finite JSON number, and 0 for anything else.
func number(value jsontext.Value) float64 {
	if value.Kind() != '0' {
		return 0
	}
	f, err := strconv.ParseFloat(alias(value), 64)
	if err != nil || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// integer returns a claim that must be a JSON number without fraction or exponent, 0 or above.
func integer(claim string, value jsontext.Value) (int64, error) {
	if isNull(value) {
		return 0, missing(claim)
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if value.Kind() != '0' || err != nil || n < 0 {
		return 0, invalid(claim, "it must be a whole number, 0 or above", string(value))
	}
	return n, nil
}

// flag returns a raw value that is a JSON boolean or the text of one, and nil for anything else.
func flag(value jsontext.Value) *bool {
	var b bool
	switch text := textOr(value); {
	case value.Kind() == 't' || text == "true":
		b = true
	case value.Kind() == 'f' || text == "false":
	default:
		return nil
	}
	return &b
}

// moments are the forms of ISO 8601 in which platforms write times. One without a zone is taken as UTC.
var moments = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999"}

// moment returns a text that is a time, in UTC, and the zero time for anything else.
func moment(text string) time.Time {
	for _, form := range moments {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

const maxNumericDate = 1 << 40 // seconds; some 34,000 years

// numericDate returns a NumericDate (RFC 7519, section 2): a JSON number, finite, above 0, fractions allowed.
func numericDate(claim string, value jsontext.Value) (time.Time, error) {
	if value == nil {
		return time.Time{}, missing(claim)
	}
	if value.Kind() != '0' {
		return time.Time{}, invalid(claim, "it must be a number, not a text or anything else", string(value))
	}
	f, err := strconv.ParseFloat(alias(value), 64)
	if err != nil || !(f > 0 && f <= maxNumericDate) {
		return time.Time{}, invalid(claim, "it must be above 0 and under 2^40 seconds", string(value))
	}
	seconds, fraction := math.Modf(f)
	return time.Unix(int64(seconds), int64(fraction*1e9)), nil
}

// identifier returns a claim that must be a text of 1 to 255 characters and not blank. Its errors do not repeat the
// value, which may name a person.
func identifier(claim string, value jsontext.Value) (string, error) {
	if value == nil {
		return "", missing(claim)
	}
	s, ok := text(value)
	switch {
	case !ok:
		return "", invalid(claim, "it must be a text", "")
	case strings.TrimSpace(s) == "":
		return "", invalid(claim, "it must not be empty", "")
	case utf8.RuneCountInString(s) > lti.MaxIDLength:
		return "", invalid(claim, "it has more than 255 characters", "")
	}
	return s, nil
}

func missing(claim string) *lti.Error {
	return lti.Errorf(lti.ReasonClaimMissing, "The id_token has no claim %q.", claim).With("claim", claim)
}

func invalid(claim, defect, actual string) *lti.Error {
	return lti.Errorf(lti.ReasonClaimInvalid, "The claim %q is not allowed: %s.", claim, defect).
		With("claim", claim).With("expected", defect).With("actual", lti.Excerpt(actual))
}
