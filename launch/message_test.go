// SPDX-License-Identifier: Apache-2.0

package launch_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

type object = map[string]any

// goodMessages has for each message type what it adds to the fixture's claims (nil removes), so that each is accepted.
func goodMessages() map[lti.MessageType]object {
	forUser := object{"user_id": "user-2", "name": "Vera Viewed", "given_name": "Vera", "family_name": "Viewed", "email": "vera@example.org", "person_sourcedid": "sis-2", "roles": []any{"Learner"}}
	return map[lti.MessageType]object{
		lti.MessageResourceLink: {},
		lti.MessageDeepLinking: {
			lti.ClaimResourceLink: nil, lti.ClaimTargetLinkURI: nil, lti.ClaimRoles: nil,
			lti.ClaimDeepLinkingSettings: object{
				"deep_link_return_url": "https://lms.example/deep/1", "accept_types": []any{"link", "ltiResourceLink"},
				"accept_presentation_document_targets": []any{"iframe", "window"}, "accept_media_types": "image/*,text/html",
				"accept_multiple": true, "accept_lineitem": false, "auto_create": "true", "title": "T", "text": "X", "data": "csrf-1",
			},
		},
		lti.MessageSubmissionReview: {
			lti.ClaimForUser:       forUser,
			lti.ClaimGradeEndpoint: object{"lineitem": "https://lms.example/li/1", "scope": []any{lti.ScopeScore}},
		},
		lti.MessageDataPrivacy: {lti.ClaimForUser: forUser, lti.ClaimResourceLink: nil, lti.ClaimContext: nil},
		lti.MessageStartProctoring: {
			lti.ClaimStartAssessmentURL: "https://lms.example/start?x=1&y=2", lti.ClaimSessionData: "session-1", lti.ClaimAttemptNumber: 2,
			lti.ClaimProctoringSettings: object{"data": "strict"},
			lti.ClaimAssessmentControl:  object{"actions": []any{"pause", "terminate"}, "assessment_control_url": "https://lms.example/acs"},
		},
		lti.MessageEndAssessment: {lti.ClaimAttemptNumber: 2, lti.ClaimErrorMessage: "Time is up", lti.ClaimErrorLog: "timeout"},
		lti.MessageAssetProcessorSettings: {
			lti.ClaimActivity: object{"id": "activity-1", "title": "Essay"}, lti.ClaimResourceLink: nil, lti.ClaimTargetLinkURI: nil,
		},
		lti.MessageReportReview: {
			lti.ClaimActivity: object{"id": "activity-1"}, lti.ClaimSubmission: object{"id": "submission-1"}, lti.ClaimAsset: object{"id": "asset-1"},
			lti.ClaimAssetReportType: "originality", lti.ClaimForUser: forUser, lti.ClaimResourceLink: nil,
		},
		lti.MessageEULA: {
			lti.ClaimEULAService: object{"url": "https://lms.example/eula", "scope": []any{"https://purl.imsglobal.org/spec/lti/scope/eula/user"}}, lti.ClaimResourceLink: nil,
		},
	}
}

// messageFixture accepts every message type.
func messageFixture(t *testing.T, changes ...func(*platform.Registration)) *fixture {
	return newFixture(t, append([]func(*platform.Registration){func(r *platform.Registration) { r.MessageTypes = lti.MessageTypes() }}, changes...)...)
}

// message sends a message of a type: the fixture's claims, what the type adds, and a patch.
func (f *fixture) message(l *login, kind lti.MessageType, patch object) (*launch.Launch, error) {
	f.t.Helper()
	all := object{lti.ClaimMessageType: string(kind)}
	maps.Copy(all, goodMessages()[kind])
	maps.Copy(all, patch)
	sent := request(l, sign(f.claims(l, all)))
	sent.Accept = lti.MessageTypes()
	outcome, err := f.validate(sent)
	if err != nil {
		return nil, err
	}
	return outcome.Launch, nil
}

func (f *fixture) mustMessage(kind lti.MessageType, patch object) *launch.Launch {
	f.t.Helper()
	l, err := f.message(f.begin(), kind, patch)
	if err != nil {
		f.t.Fatalf("%s: %v", kind, err)
	}
	return l
}

// REQ-117 REQ-120
func TestEveryMessageTypeIsAccepted(t *testing.T) {
	f := messageFixture(t)
	if len(goodMessages()) != len(lti.MessageTypes()) {
		t.Fatal("the fixture does not have every message type")
	}
	for _, kind := range lti.MessageTypes() {
		l := f.mustMessage(kind, nil)
		if l.MessageType != kind || l.MessageName != string(kind) || l.Token == "" || len(l.Remarks) != 0 {
			t.Errorf("%s: %+v", kind, l)
		}
		again, _, err := f.CheckToken(t.Context(), "local", l.Token)
		if err != nil {
			t.Fatal(err)
		}
		l.ClaimsJSON, l.Token, again.Token, l.TargetChanged = "", "", "", false
		if kind == lti.MessageDeepLinking {
			if again.DeepLinking.Token == "" {
				t.Error("no deep linking token in the launch of a launch token")
			}
			l.DeepLinking.Token, again.DeepLinking.Token = "", ""
		}
		if !reflect.DeepEqual(again, l) {
			t.Errorf("%s: the launch token gives\n%+v, not\n%+v", kind, again, l)
		}
	}
}

func TestMessageContent(t *testing.T) {
	f := messageFixture(t)
	yes, no := true, false
	viewed := &launch.ForUser{
		Key: lti.UserKey("", issuer, "user-2"), ID: "user-2", PersonSourcedID: "sis-2", Name: "Vera Viewed", GivenName: "Vera",
		FamilyName: "Viewed", Email: "vera@example.org", Roles: []string{"http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"},
	}
	equal := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %+v, want %+v", what, got, want)
		}
	}
	settings := *f.mustMessage(lti.MessageDeepLinking, nil).DeepLinking
	if settings.Token == "" {
		t.Error("no deep linking token")
	}
	settings.Token = ""
	equal("deep linking", &settings, &launch.DeepLinkingSettings{
		ReturnURI: "https://lms.example/deep/1", AcceptTypes: []string{"link", "ltiResourceLink"}, AcceptTargets: []string{"iframe", "window"},
		AcceptMedia: "image/*,text/html", AcceptMultiple: &yes, AcceptLineItem: &no, AutoCreate: true, Title: "T", Text: "X", Data: jsontext.Value(`"csrf-1"`),
	})
	review := f.mustMessage(lti.MessageSubmissionReview, nil)
	equal("for_user", review.ForUser, viewed)
	equal("user", review.User.ID, "user-1")
	privacy := f.mustMessage(lti.MessageDataPrivacy, nil)
	equal("for_user", privacy.ForUser, viewed)
	equal("context", privacy.Context, (*launch.Context)(nil))

	start := f.mustMessage(lti.MessageStartProctoring, nil).Proctoring
	if start.Token == "" {
		t.Error("no proctoring token")
	}
	start.Token = ""
	equal("proctoring", start, &launch.Proctoring{
		AttemptNumber: 2, StartAssessmentURI: "https://lms.example/start?x=1&y=2", Settings: "strict",
		Control: &launch.AssessmentControl{URI: "https://lms.example/acs", Actions: []string{"pause", "terminate"}},
	})
	equal("proctoring", f.mustMessage(lti.MessageEndAssessment, nil).Proctoring, &launch.Proctoring{AttemptNumber: 2, ErrorMessage: "Time is up", ErrorLog: "timeout"})
	equal("activity", f.mustMessage(lti.MessageAssetProcessorSettings, nil).Activity, &launch.Activity{ID: "activity-1", Title: "Essay"})
	report := f.mustMessage(lti.MessageReportReview, nil)
	equal("submission", report.Submission, &launch.Submission{ID: "submission-1"})
	equal("asset and report type", []string{report.AssetID, report.ReportType}, []string{"asset-1", "originality"})
	equal("EULA", f.mustMessage(lti.MessageEULA, nil).EULA, &launch.EULAService{URI: "https://lms.example/eula", Scopes: []string{"https://purl.imsglobal.org/spec/lti/scope/eula/user"}})

	link := f.mustMessage(lti.MessageResourceLink, object{
		lti.ClaimNoticeService: object{
			"platform_notification_service_url": "https://lms.example/notices", "service_versions": []any{"1.0"},
			"scope": []any{"https://purl.imsglobal.org/spec/lti/scope/noticehandlers"}, "notice_types_supported": []any{"LtiContextCopyNotice"},
		},
		lti.ClaimAssetService: object{"scope": []any{"s"}, "assets": []any{
			object{"asset_id": "a1", "url": "https://lms.example/a1", "sha256_checksum": "x", "timestamp": "2031-05-06T09:08:09+02:00", "size": 12, "content_type": "text/plain", "title": "A", "filename": "a.txt"},
			object{"asset_id": "a2", "url": "javascript:alert(1)", "size": -1, "timestamp": "yesterday"}, object{"url": "https://lms.example/no-id"}, "odd",
		}},
		lti.ClaimAssetReport: object{"scope": []any{"r"}, "report_url": "https://lms.example/reports"},
		lti.ClaimLTI11UserID: "legacy-1",
		// What belongs to another message type is not typed, and what is malformed is passed over.
		lti.ClaimDeepLinkingSettings: "odd", lti.ClaimAttemptNumber: "odd", lti.ClaimForUser: object{}, lti.ClaimActivity: 7, lti.ClaimSubmission: object{"id": 7}, lti.ClaimEULAService: object{"url": "ftp://x"},
	})
	equal("notice service", link.Notices, &launch.NoticeService{
		URI: "https://lms.example/notices", ServiceVersions: []string{"1.0"}, Scopes: []string{"https://purl.imsglobal.org/spec/lti/scope/noticehandlers"}, Types: []string{"LtiContextCopyNotice"},
	})
	equal("asset service", link.AssetService, &launch.AssetService{Scopes: []string{"s"}, Assets: []launch.Asset{
		{ID: "a1", URI: "https://lms.example/a1", Checksum: "x", Time: time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC), Size: 12, ContentType: "text/plain", Title: "A", FileName: "a.txt"},
		{ID: "a2"},
	}})
	equal("report service", link.Reports, &launch.AssetReportService{URI: "https://lms.example/reports", Scopes: []string{"r"}})
	equal("LTI 1.1 user id", link.LTI11UserID, "legacy-1")
	if link.DeepLinking != nil || link.Proctoring != nil || link.ForUser != nil || link.Activity != nil || link.Submission != nil || link.EULA != nil {
		t.Errorf("launch = %+v", link)
	}
}

// TestMessageRequirements takes one requirement of a message type away at a time.
//
// REQ-116 REQ-118 REQ-119 REQ-120
func TestMessageRequirements(t *testing.T) {
	long := strings.Repeat("x", 256)
	null := json.RawMessage("null")
	settings := func(change object) object {
		all := goodMessages()[lti.MessageDeepLinking][lti.ClaimDeepLinkingSettings].(object)
		for name, value := range change {
			if value == nil {
				delete(all, name)
			} else {
				all[name] = value
			}
		}
		return object{lti.ClaimDeepLinkingSettings: all}
	}
	f := messageFixture(t, func(r *platform.Registration) { r.AllowAnonymous = true })
	for _, test := range []struct {
		kind   lti.MessageType
		patch  object
		reason lti.Reason
		claim  string
	}{
		{lti.MessageDeepLinking, object{lti.ClaimDeepLinkingSettings: nil}, lti.ReasonClaimMissing, lti.ClaimDeepLinkingSettings},
		{lti.MessageDeepLinking, object{lti.ClaimDeepLinkingSettings: null}, lti.ReasonClaimMissing, lti.ClaimDeepLinkingSettings},
		{lti.MessageDeepLinking, object{lti.ClaimDeepLinkingSettings: []any{}}, lti.ReasonClaimInvalid, lti.ClaimDeepLinkingSettings},
		{lti.MessageDeepLinking, settings(object{"deep_link_return_url": nil}), lti.ReasonClaimMissing, lti.ClaimDeepLinkingSettings + ".deep_link_return_url"},
		{lti.MessageDeepLinking, settings(object{"deep_link_return_url": "javascript:alert(1)"}), lti.ReasonClaimInvalid, lti.ClaimDeepLinkingSettings + ".deep_link_return_url"},
		{lti.MessageDeepLinking, settings(object{"deep_link_return_url": "http://lms.example/"}), lti.ReasonClaimInvalid, lti.ClaimDeepLinkingSettings + ".deep_link_return_url"},
		{lti.MessageDeepLinking, settings(object{"deep_link_return_url": 7}), lti.ReasonClaimInvalid, lti.ClaimDeepLinkingSettings + ".deep_link_return_url"},
		{lti.MessageDeepLinking, settings(object{"accept_types": nil}), lti.ReasonClaimMissing, lti.ClaimDeepLinkingSettings + ".accept_types"},
		{lti.MessageDeepLinking, settings(object{"accept_types": []any{}}), lti.ReasonClaimInvalid, lti.ClaimDeepLinkingSettings + ".accept_types"},
		{lti.MessageDeepLinking, settings(object{"accept_types": "link"}), lti.ReasonClaimInvalid, lti.ClaimDeepLinkingSettings + ".accept_types"},
		{lti.MessageDeepLinking, settings(object{"accept_presentation_document_targets": nil}), lti.ReasonClaimMissing, lti.ClaimDeepLinkingSettings + ".accept_presentation_document_targets"},
		{lti.MessageDeepLinking, settings(object{"accept_presentation_document_targets": []any{""}}), lti.ReasonClaimInvalid, lti.ClaimDeepLinkingSettings + ".accept_presentation_document_targets"},
		{lti.MessageDeepLinking, object{lti.ClaimRoles: "Instructor"}, lti.ReasonClaimInvalid, lti.ClaimRoles},
		{lti.MessageDeepLinking, object{lti.ClaimContext: object{}}, lti.ReasonClaimMissing, lti.ClaimContext + ".id"},
		{lti.MessageDeepLinking, object{lti.ClaimTargetLinkURI: 7}, lti.ReasonClaimInvalid, lti.ClaimTargetLinkURI},
		{lti.MessageDeepLinking, object{lti.ClaimTargetLinkURI: "https://evil.example/"}, lti.ReasonTargetLinkURINotAllowed, ""},

		{lti.MessageSubmissionReview, object{lti.ClaimForUser: nil}, lti.ReasonClaimMissing, lti.ClaimForUser},
		{lti.MessageSubmissionReview, object{lti.ClaimForUser: "user-2"}, lti.ReasonClaimInvalid, lti.ClaimForUser},
		{lti.MessageSubmissionReview, object{lti.ClaimForUser: object{"name": "V"}}, lti.ReasonClaimMissing, lti.ClaimForUser + ".user_id"},
		{lti.MessageSubmissionReview, object{lti.ClaimForUser: object{"user_id": " "}}, lti.ReasonClaimInvalid, lti.ClaimForUser + ".user_id"},
		{lti.MessageSubmissionReview, object{lti.ClaimForUser: object{"user_id": long}}, lti.ReasonClaimInvalid, lti.ClaimForUser + ".user_id"},
		{lti.MessageSubmissionReview, object{lti.ClaimGradeEndpoint: nil}, lti.ReasonClaimMissing, lti.ClaimGradeEndpoint + ".lineitem"},
		{lti.MessageSubmissionReview, object{lti.ClaimGradeEndpoint: object{"lineitems": "https://lms.example/li"}}, lti.ReasonClaimMissing, lti.ClaimGradeEndpoint + ".lineitem"},
		{lti.MessageSubmissionReview, object{lti.ClaimRoles: nil}, lti.ReasonClaimMissing, lti.ClaimRoles},

		{lti.MessageDataPrivacy, object{lti.ClaimForUser: nil}, lti.ReasonClaimMissing, lti.ClaimForUser},
		{lti.MessageDataPrivacy, object{lti.ClaimForUser: object{}}, lti.ReasonClaimMissing, lti.ClaimForUser + ".user_id"},
		{lti.MessageDataPrivacy, object{lti.ClaimContext: object{"id": "course-1"}}, lti.ReasonClaimInvalid, lti.ClaimContext},
		{lti.MessageDataPrivacy, object{lti.ClaimResourceLink: object{"id": "link-1"}}, lti.ReasonClaimInvalid, lti.ClaimResourceLink},

		{lti.MessageStartProctoring, object{"sub": nil}, lti.ReasonClaimMissing, "sub"},
		{lti.MessageStartProctoring, object{lti.ClaimResourceLink: nil}, lti.ReasonClaimMissing, lti.ClaimResourceLink},
		{lti.MessageStartProctoring, object{lti.ClaimResourceLink: object{"title": "x"}}, lti.ReasonClaimMissing, lti.ClaimResourceLink + ".id"},
		{lti.MessageStartProctoring, object{lti.ClaimStartAssessmentURL: nil}, lti.ReasonClaimMissing, lti.ClaimStartAssessmentURL},
		{lti.MessageStartProctoring, object{lti.ClaimStartAssessmentURL: "http://lms.example/"}, lti.ReasonClaimInvalid, lti.ClaimStartAssessmentURL},
		{lti.MessageStartProctoring, object{lti.ClaimStartAssessmentURL: "javascript:alert(1)"}, lti.ReasonClaimInvalid, lti.ClaimStartAssessmentURL},
		{lti.MessageStartProctoring, object{lti.ClaimSessionData: nil}, lti.ReasonClaimMissing, lti.ClaimSessionData},
		{lti.MessageStartProctoring, object{lti.ClaimSessionData: ""}, lti.ReasonClaimInvalid, lti.ClaimSessionData},
		{lti.MessageStartProctoring, object{lti.ClaimSessionData: object{}}, lti.ReasonClaimInvalid, lti.ClaimSessionData},
		{lti.MessageStartProctoring, object{lti.ClaimAttemptNumber: nil}, lti.ReasonClaimMissing, lti.ClaimAttemptNumber},
		{lti.MessageStartProctoring, object{lti.ClaimAttemptNumber: "2"}, lti.ReasonClaimInvalid, lti.ClaimAttemptNumber},
		{lti.MessageStartProctoring, object{lti.ClaimAttemptNumber: 1.5}, lti.ReasonClaimInvalid, lti.ClaimAttemptNumber},
		{lti.MessageStartProctoring, object{lti.ClaimAttemptNumber: -1}, lti.ReasonClaimInvalid, lti.ClaimAttemptNumber},
		{lti.MessageEndAssessment, object{lti.ClaimAttemptNumber: nil}, lti.ReasonClaimMissing, lti.ClaimAttemptNumber},
		{lti.MessageEndAssessment, object{lti.ClaimAttemptNumber: true}, lti.ReasonClaimInvalid, lti.ClaimAttemptNumber},

		{lti.MessageAssetProcessorSettings, object{lti.ClaimActivity: nil}, lti.ReasonClaimMissing, lti.ClaimActivity},
		{lti.MessageAssetProcessorSettings, object{lti.ClaimActivity: object{"title": "x"}}, lti.ReasonClaimMissing, lti.ClaimActivity + ".id"},
		{lti.MessageAssetProcessorSettings, object{lti.ClaimContext: nil}, lti.ReasonClaimMissing, lti.ClaimContext},
		{lti.MessageReportReview, object{lti.ClaimActivity: nil}, lti.ReasonClaimMissing, lti.ClaimActivity},
		{lti.MessageReportReview, object{lti.ClaimSubmission: nil}, lti.ReasonClaimMissing, lti.ClaimSubmission},
		{lti.MessageReportReview, object{lti.ClaimSubmission: object{"id": ""}}, lti.ReasonClaimInvalid, lti.ClaimSubmission + ".id"},
		{lti.MessageReportReview, object{lti.ClaimAsset: nil}, lti.ReasonClaimMissing, lti.ClaimAsset},
		{lti.MessageReportReview, object{lti.ClaimAsset: "asset-1"}, lti.ReasonClaimInvalid, lti.ClaimAsset},
		{lti.MessageReportReview, object{lti.ClaimAssetReportType: nil}, lti.ReasonClaimMissing, lti.ClaimAssetReportType},
		{lti.MessageReportReview, object{lti.ClaimForUser: nil}, lti.ReasonClaimMissing, lti.ClaimForUser},
		{lti.MessageEULA, object{lti.ClaimEULAService: nil}, lti.ReasonClaimMissing, lti.ClaimEULAService},
		{lti.MessageEULA, object{lti.ClaimEULAService: object{}}, lti.ReasonClaimMissing, lti.ClaimEULAService + ".url"},
		{lti.MessageEULA, object{lti.ClaimEULAService: object{"url": "eula"}}, lti.ReasonClaimInvalid, lti.ClaimEULAService + ".url"},
		{lti.MessageEULA, object{lti.ClaimResourceLink: object{"id": "link-1"}}, lti.ReasonClaimInvalid, lti.ClaimResourceLink},

		{lti.MessageResourceLink, object{lti.ClaimNotice: object{"id": "n", "type": "t", "timestamp": "2031-05-06T07:08:09Z"}}, lti.ReasonClaimInvalid, lti.ClaimNotice},
	} {
		l := f.begin()
		_, err := f.message(l, test.kind, test.patch)
		name := string(test.kind) + " " + test.claim
		wantReasonNamed(t, name, err, test.reason)
		if err != nil && test.claim != "" {
			if refusal := wantReason(t, err, lti.ReasonOf(err)); refusal.Metadata["claim"] != test.claim {
				t.Errorf("%s with %v: claim %q", name, test.patch, refusal.Metadata["claim"])
			}
		}
		if _, err := f.message(l, test.kind, nil); err != nil {
			t.Errorf("%s: the refused message used the login up: %v", name, err)
		}
	}
}

func TestMessagesThatAreTolerated(t *testing.T) {
	f := messageFixture(t, func(r *platform.Registration) { r.AllowAnonymous = true })
	null := json.RawMessage("null")
	for _, test := range []struct {
		name  string
		kind  lti.MessageType
		patch object
		check func(*launch.Launch) bool
	}{
		{"deep linking with all of a resource link", lti.MessageDeepLinking, object{lti.ClaimTargetLinkURI: target, lti.ClaimResourceLink: object{"id": "l"}, lti.ClaimRoles: []any{"Instructor"}},
			func(l *launch.Launch) bool {
				return l.TargetLinkURI == target && l.ResourceLink.ID == "l" && l.RoleSummary.Instructor
			}},
		{"deep linking with nulls", lti.MessageDeepLinking, object{lti.ClaimTargetLinkURI: null, lti.ClaimResourceLink: null, lti.ClaimContext: null},
			func(l *launch.Launch) bool { return l.TargetLinkURI == "" && !l.TargetChanged }},
		{"anonymous deep linking", lti.MessageDeepLinking, object{"sub": nil}, func(l *launch.Launch) bool { return l.User == nil }},
		{"privacy with nulls", lti.MessageDataPrivacy, object{lti.ClaimContext: null, lti.ClaimResourceLink: null}, nil},
		{"privacy without target", lti.MessageDataPrivacy, object{lti.ClaimTargetLinkURI: ""}, nil},
		{"settings without custom", lti.MessageAssetProcessorSettings, object{lti.ClaimCustom: nil}, nil},
		{"end of an assessment without link", lti.MessageEndAssessment, object{lti.ClaimResourceLink: nil}, nil},
		{"proctoring settings that are an object", lti.MessageStartProctoring, object{lti.ClaimProctoringSettings: object{"data": object{"a": 1}}},
			func(l *launch.Launch) bool { return l.Proctoring.Settings == `{"a":1}` }},
		{"a control service without URL", lti.MessageStartProctoring, object{lti.ClaimAssessmentControl: object{"actions": []any{"pause"}}},
			func(l *launch.Launch) bool { return l.Proctoring.Control == nil }},
	} {
		l, err := f.message(f.begin(), test.kind, test.patch)
		if err != nil || test.check != nil && !test.check(l) {
			t.Errorf("%s: %+v, %v", test.name, l, err)
		}
	}
}

func TestMessageTypesMustBeAcceptedByBoth(t *testing.T) {
	f := messageFixture(t)
	for _, kind := range lti.MessageTypes() {
		others := slices.DeleteFunc(lti.MessageTypes(), func(other lti.MessageType) bool { return other == kind })
		for name, types := range map[string]struct{ registration, caller []lti.MessageType }{
			"registration": {others, lti.MessageTypes()}, "caller": {lti.MessageTypes(), others},
		} {
			f := f.sibling(func(r *platform.Registration) { r.MessageTypes = types.registration })
			l := f.begin()
			all := object{lti.ClaimMessageType: string(kind)}
			maps.Copy(all, goodMessages()[kind])
			sent := request(l, sign(f.claims(l, all)))
			sent.Accept = types.caller
			_, err := f.validate(sent)
			wantReasonNamed(t, string(kind)+" not accepted by the "+name, err, lti.ReasonMessageTypeNotAccepted)
		}
	}
	for _, name := range []string{"LtiDeepLinkingResponse", "LtiStartAssessment", "LtiHelloWorldNotice", "ltiEulaRequest", "LtiEulaRequest ", ""} {
		_, err := f.message(f.begin(), lti.MessageType(name), nil)
		wantReasonNamed(t, name, err, lti.ReasonMessageTypeUnknown)
	}
}

func TestDataPrivacyHasTwoNames(t *testing.T) {
	f := messageFixture(t)
	l := f.mustMessage(lti.MessageDataPrivacy, object{lti.ClaimMessageType: "LtiDataPrivacyLaunchRequest"})
	if l.MessageType != lti.MessageDataPrivacy || l.MessageName != "LtiDataPrivacyLaunchRequest" {
		t.Errorf("%q, %q", l.MessageType, l.MessageName)
	}
}

func TestRemarks(t *testing.T) {
	f := messageFixture(t)
	l := f.mustMessage(lti.MessageResourceLink, object{lti.ClaimRoleScopeMentor: []any{"u2"}, lti.ClaimCustom: object{"a": 1, "b": "x", "c": true}})
	if len(l.Remarks) != 2 || l.MentoredUsers != nil || !strings.HasPrefix(l.Remarks[1], "2 custom parameters") {
		t.Errorf("remarks %q, mentored %q", l.Remarks, l.MentoredUsers)
	}
}
