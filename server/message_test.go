// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore/badgerstore"
	"github.com/ltisidecar/ltisidecar/platform"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
	"github.com/ltisidecar/ltisidecar/server"
)

const (
	schoolIssuer = "https://school.example"
	schoolClient = "client-7"
)

// school is a platform whose messages a test writes claim by claim.
type school struct {
	metrics *server.Metrics
	*sidecar
	key     *jose.SigningKey
	learned *platform.Learned
}

type claimSet = map[string]any

// schoolKeys gives the school's keys to the validator.
type schoolKeys struct{ set *jose.KeySet }

func (k schoolKeys) Key(_ context.Context, _ *platform.Registration, kid, algorithm string) (*jose.PublicKey, error) {
	return k.set.Find(kid, algorithm)
}

func (k schoolKeys) Replaced(context.Context, *platform.Registration, string, string, *jose.PublicKey) (*jose.PublicKey, error) {
	return nil, nil
}

func startSchool(t *testing.T) *school {
	t.Helper()
	s := &school{key: must(jose.GenerateSigningKey(2048))(t), metrics: server.NewMetrics()}
	set := must(jose.ParseKeySet(must(jose.PublicKeySet(s.key))(t)))(t)
	s.sidecar = start(t, func(c *settings) {
		c.registrations = append(c.registrations, platform.Registration{
			Name: "school", Issuer: schoolIssuer, ClientID: schoolClient, Deployments: []string{"d1"}, MessageTypes: lti.MessageTypes(),
			AuthorizationURI: schoolIssuer + "/auth", JWKSURI: schoolIssuer + "/jwks", LaunchURIs: []string{launchURI},
			LTI11: []platform.LTI11Key{{ConsumerKey: "key-1", Secret: platform.NewSecret("my-lti11-secret")}},
		})
		c.wrap = func(config *server.Config) {
			config.Metrics = s.metrics
			nonces := must(badgerstore.Open(badgerstore.Config{InMemory: true, Instance: [4]byte{1, 2, 3, 4}}))(t)
			t.Cleanup(func() { check(t, nonces.Close()) })
			registry := must(platform.NewRegistry(c.registrations))(t)
			s.learned = config.Learned
			config.Launches = must(launch.New(launch.Config{Registry: registry, Keys: schoolKeys{set}, Nonces: nonces, Deployments: config.Learned, Sealer: toolKeys, Signer: toolKeys}))(t)
		}
	})
	s.secret("LTI 1.1 secret", "my-lti11-secret")
	return s
}

func (s *school) sign(claims claimSet) string {
	s.t.Helper()
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return must(s.key.Sign(must(json.Marshal(claims))(s.t)))(s.t)
}

// message launches with a message type and what it adds to the claims that all have.
func (s *school) message(kind pb.MessageType, name string, more claimSet) *pb.Launch {
	s.t.Helper()
	login := must(s.launches.BuildAuthRequest(s.t.Context(), &pb.BuildAuthRequestRequest{Browser: &pb.BrowserRequest{Method: "GET", Parameters: []*pb.Parameter{
		{Name: "iss", Value: schoolIssuer}, {Name: "login_hint", Value: "u"}, {Name: "target_link_uri", Value: launchURI}, {Name: "client_id", Value: schoolClient},
	}}}))(s.t)
	var cookies []string
	for _, cookie := range header(login.Reply.Headers, "Set-Cookie") {
		pair, _, _ := strings.Cut(cookie, ";")
		cookies = append(cookies, pair)
	}
	now := time.Now().Unix()
	claims := claimSet{
		"iss": schoolIssuer, "aud": schoolClient, "sub": "user-1", "iat": now, "exp": now + 300,
		"nonce":          must(url.Parse(login.AuthorizationUri))(s.t).Query().Get("nonce"),
		lti.ClaimVersion: "1.3.0", lti.ClaimDeploymentID: "d1", lti.ClaimMessageType: name, lti.ClaimRoles: []any{"Instructor"},
	}
	maps.Copy(claims, more)
	answer, err := s.launches.ValidateLaunch(s.t.Context(), &pb.ValidateLaunchRequest{
		AcceptMessageTypes: []pb.MessageType{kind},
		Browser: &pb.BrowserRequest{Method: "POST", CookieHeader: strings.Join(cookies, "; "), Parameters: []*pb.Parameter{
			{Name: "id_token", Value: s.sign(claims)}, {Name: "state", Value: login.State},
		}},
	})
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	l := answer.GetLaunch()
	if l.GetMessageType() != kind || l.GetMessageTypeName() != name {
		s.t.Errorf("%s: message type %s, %q", name, l.GetMessageType(), l.GetMessageTypeName())
	}
	return l
}

func equalProto(t *testing.T, what string, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestMessages(t *testing.T) {
	s := startSchool(t)
	forUser := claimSet{"user_id": "user-2", "name": "Vera Viewed", "given_name": "Vera", "family_name": "Viewed", "email": "vera@school.example", "person_sourcedid": "sis", "roles": []any{"Learner"}}
	viewed := &pb.ForUser{
		Key: lti.UserKey("", schoolIssuer, "user-2"), Id: "user-2", Name: "Vera Viewed", GivenName: "Vera", FamilyName: "Viewed", Email: "vera@school.example",
		PersonSourcedid: "sis", Roles: []string{"http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"},
	}
	for _, secret := range []string{"Vera", "vera@school.example", "Viewed", "session-1"} {
		s.secret(secret, secret)
	}
	deep := s.message(pb.MessageType_MESSAGE_TYPE_DEEP_LINKING, "LtiDeepLinkingRequest", claimSet{lti.ClaimDeepLinkingSettings: claimSet{
		"deep_link_return_url": schoolIssuer + "/deep", "accept_types": []any{"link"}, "accept_presentation_document_targets": []any{"iframe"},
		"accept_media_types": "text/html", "accept_multiple": false, "auto_create": true, "title": "T", "text": "X", "data": "d",
	}})
	s.secret("deep linking token", deep.DeepLinking.GetDeepLinkingToken())
	equalProto(t, "deep linking", deep.DeepLinking, &pb.DeepLinkingSettings{
		ReturnUri: schoolIssuer + "/deep", AcceptTypes: []string{"link"}, AcceptPresentationDocumentTargets: []string{"iframe"},
		AcceptMediaTypes: "text/html", AcceptMultiple: proto.Bool(false), AutoCreate: true, Title: "T", Text: "X",
		DeepLinkingToken: deep.DeepLinking.GetDeepLinkingToken(),
	})
	review := s.message(pb.MessageType_MESSAGE_TYPE_SUBMISSION_REVIEW, "LtiSubmissionReviewRequest", claimSet{
		lti.ClaimForUser: forUser, lti.ClaimGradeEndpoint: claimSet{"lineitem": schoolIssuer + "/li", "scope": []any{lti.ScopeScore}},
	})
	equalProto(t, "for_user", review.ForUser, viewed)
	privacy := s.message(pb.MessageType_MESSAGE_TYPE_DATA_PRIVACY, "LtiDataPrivacyLaunchRequest", claimSet{lti.ClaimForUser: forUser})
	if privacy.Context != nil || privacy.ResourceLink != nil || privacy.TargetLinkUri != "" {
		t.Errorf("privacy: %v", privacy)
	}
	report := s.message(pb.MessageType_MESSAGE_TYPE_REPORT_REVIEW, "LtiReportReviewRequest", claimSet{
		lti.ClaimForUser: forUser, lti.ClaimActivity: claimSet{"id": "a", "title": "A"}, lti.ClaimSubmission: claimSet{"id": "s"}, lti.ClaimAsset: claimSet{"id": "f"}, lti.ClaimAssetReportType: "o",
		lti.ClaimAssetService: claimSet{"scope": []any{"read"}, "assets": []any{claimSet{
			"asset_id": "f", "url": schoolIssuer + "/f", "sha256_checksum": "c", "timestamp": "2031-05-06T07:08:09Z", "size": 9, "content_type": "text/plain", "title": "F", "filename": "f.txt",
		}}},
		lti.ClaimAssetReport: claimSet{"scope": []any{"report"}, "report_url": schoolIssuer + "/reports"},
	})
	equalProto(t, "activity", report.Activity, &pb.Activity{Id: "a", Title: "A"})
	equalProto(t, "submission", report.Submission, &pb.Submission{Id: "s"})
	if report.AssetId != "f" || report.AssetReportType != "o" {
		t.Errorf("asset %q, report type %q", report.AssetId, report.AssetReportType)
	}
	equalProto(t, "asset service", report.AssetService, &pb.AssetService{Registration: "school", DeploymentId: "d1", Scopes: []string{"read"}, Assets: []*pb.Asset{{
		Id: "f", Uri: schoolIssuer + "/f", Sha256Checksum: "c", AssetTime: &timestamppb.Timestamp{Seconds: 1935817689}, Size: 9, ContentType: "text/plain", Title: "F", FileName: "f.txt",
	}}})
	equalProto(t, "report service", report.AssetReportService, &pb.AssetReportService{Registration: "school", DeploymentId: "d1", ReportUri: schoolIssuer + "/reports", Scopes: []string{"report"}})
	s.message(pb.MessageType_MESSAGE_TYPE_ASSET_PROCESSOR_SETTINGS, "LtiAssetProcessorSettingsRequest", claimSet{lti.ClaimActivity: claimSet{"id": "a"}, lti.ClaimContext: claimSet{"id": "c"}})
	eula := s.message(pb.MessageType_MESSAGE_TYPE_EULA, "LtiEulaRequest", claimSet{lti.ClaimEULAService: claimSet{"url": schoolIssuer + "/eula", "scope": []any{"eula"}}})
	equalProto(t, "EULA", eula.EulaService, &pb.EulaService{Registration: "school", DeploymentId: "d1", EulaUri: schoolIssuer + "/eula", Scopes: []string{"eula"}})
	link := s.message(pb.MessageType_MESSAGE_TYPE_RESOURCE_LINK, "LtiResourceLinkRequest", claimSet{
		lti.ClaimTargetLinkURI: launchURI, lti.ClaimResourceLink: claimSet{"id": "l"}, lti.ClaimLTI11UserID: "legacy",
		lti.ClaimLTI11:         claimSet{"oauth_consumer_key": "key-1", "user_id": "u11", "context_id": "c11", "resource_link_id": "r11", "tool_consumer_instance_guid": "g11"},
		lti.ClaimNoticeService: claimSet{"platform_notification_service_url": schoolIssuer + "/notices", "service_versions": []any{"1.0"}, "scope": []any{"n"}, "notice_types_supported": []any{"LtiContextCopyNotice"}},
	})
	equalProto(t, "migration", link.Migration, &pb.Migration{ConsumerKey: "key-1", UserId: "u11", ContextId: "c11", ResourceLinkId: "r11", ToolConsumerInstanceGuid: "g11"})
	equalProto(t, "notice service", link.NoticeService, &pb.NoticeService{
		Registration: "school", DeploymentId: "d1", NoticeHandlersUri: schoolIssuer + "/notices", ServiceVersions: []string{"1.0"}, Scopes: []string{"n"}, NoticeTypes: []string{"LtiContextCopyNotice"},
	})
	if link.Lti11LegacyUserId != "legacy" {
		t.Errorf("LTI 1.1 user id %q", link.Lti11LegacyUserId)
	}
	wrong := s.message(pb.MessageType_MESSAGE_TYPE_RESOURCE_LINK, "LtiResourceLinkRequest", claimSet{
		lti.ClaimTargetLinkURI: launchURI, lti.ClaimResourceLink: claimSet{"id": "l"}, lti.ClaimLTI11: claimSet{"oauth_consumer_key": "key-1", "oauth_consumer_key_sign": "wrong", "user_id": "u11"},
	})
	if wrong.Migration != nil || !strings.Contains(s.log.String(), "migration claim is withheld") {
		t.Errorf("a migration claim with a wrong signature: %v; the log must say that it was withheld", wrong.Migration)
	}
}

func TestProctoring(t *testing.T) {
	s := startSchool(t)
	started := s.message(pb.MessageType_MESSAGE_TYPE_START_PROCTORING, "LtiStartProctoring", claimSet{
		lti.ClaimResourceLink: claimSet{"id": "exam-1"}, lti.ClaimStartAssessmentURL: schoolIssuer + "/start", lti.ClaimSessionData: "session-1", lti.ClaimAttemptNumber: 3,
		lti.ClaimProctoringSettings: claimSet{"data": "strict"}, lti.ClaimAssessmentControl: claimSet{"assessment_control_url": schoolIssuer + "/acs", "actions": []any{"pause"}},
	}).Proctoring
	s.secret("proctoring token", started.GetProctoringToken())
	s.secret("session data", "session-1")
	equalProto(t, "proctoring", started, &pb.Proctoring{
		ProctoringToken: started.GetProctoringToken(), AttemptNumber: 3, StartAssessmentUri: schoolIssuer + "/start", SettingsData: "strict",
		Control: &pb.AssessmentControl{Registration: "school", DeploymentId: "d1", ControlUri: schoolIssuer + "/acs", Actions: []string{"pause"}},
	})
	answer := must(s.launches.BuildStartAssessment(t.Context(), &pb.BuildStartAssessmentRequest{
		ProctoringToken: started.ProctoringToken, EndAssessmentReturn: true,
		VerifiedUser: &pb.VerifiedUser{GivenName: "Ada", MiddleName: "K", FamilyName: "Lovelace", FullName: "Ada K Lovelace", Picture: "https://x/p"},
	}))(t)
	if answer.StartAssessmentUri != schoolIssuer+"/start" || answer.Reply.Status != 200 || !strings.Contains(answer.Reply.Body, answer.Jwt) {
		t.Errorf("answer: %v", answer)
	}
	// As the platform does: with the key set that the tool publishes.
	keys := must(s.keys.GetToolKeySet(t.Context(), &pb.GetToolKeySetRequest{}))(t)
	token := must(jose.Parse(answer.Jwt, []string{jose.RS256}))(t)
	check(t, token.Verify(must(must(jose.ParseKeySet([]byte(keys.Jwks)))(t).Find(token.KeyID, token.Algorithm))(t)))
	var claims claimSet
	check(t, json.Unmarshal(token.Payload, &claims))
	user, _ := claims[lti.ClaimVerifiedUser].(claimSet)
	if claims["iss"] != schoolClient || claims["aud"] != schoolIssuer || claims[lti.ClaimSessionData] != "session-1" || claims[lti.ClaimAttemptNumber] != 3.0 ||
		claims[lti.ClaimEndAssessmentReturn] != true || len(user) != 5 || user["middle_name"] != "K" {
		t.Errorf("claims: %v", claims)
	}
	_, err := s.launches.BuildStartAssessment(t.Context(), &pb.BuildStartAssessmentRequest{ProctoringToken: "x"})
	if r := refused(t, err, lti.ReasonLaunchTokenInvalid); r.page == nil {
		t.Error("no page")
	}

	ended := s.message(pb.MessageType_MESSAGE_TYPE_END_ASSESSMENT, "LtiEndAssessment", claimSet{lti.ClaimAttemptNumber: 3, lti.ClaimErrorMessage: "m", lti.ClaimErrorLog: "l"})
	equalProto(t, "proctoring", ended.Proctoring, &pb.Proctoring{AttemptNumber: 3, ErrorMessage: "m", ErrorLog: "l"})
}

func TestNotices(t *testing.T) {
	s := startSchool(t)
	now := time.Now().Unix()
	notice := func(id string, more claimSet) string {
		claims := claimSet{
			"iss": schoolIssuer, "aud": schoolClient, "iat": now, "exp": now + 300, "nonce": "n", lti.ClaimVersion: "1.3.0", lti.ClaimDeploymentID: "d1",
			lti.ClaimNotice: claimSet{"id": id, "timestamp": "2031-05-06T07:08:09Z", "type": "LtiContextCopyNotice"},
		}
		maps.Copy(claims, more)
		return s.sign(claims)
	}
	body := func(jwts ...string) []byte {
		list := []any{}
		for _, jwt := range jwts {
			list = append(list, claimSet{"jwt": jwt})
		}
		return must(json.Marshal(claimSet{"notices": list}))(t)
	}
	copied := notice("n1", claimSet{
		"sub": "user-1", lti.ClaimContext: claimSet{"id": "c2"}, lti.ClaimOriginContexts: []any{"c1"}, lti.ClaimCustom: claimSet{"a": "1"},
		lti.ClaimForUser: claimSet{"user_id": "user-2"}, lti.ClaimActivity: claimSet{"id": "a"}, lti.ClaimSubmission: claimSet{"id": "s"},
		lti.ClaimAssetService: claimSet{"scope": []any{"read"}}, lti.ClaimAssetReport: claimSet{"report_url": schoolIssuer + "/r"},
	})
	results := must(s.launches.ValidateNotices(t.Context(), &pb.ValidateNoticesRequest{Body: body(copied, notice("n2", claimSet{lti.ClaimDeploymentID: "d9"}), copied)}))(t).Results
	if len(results) != 3 {
		t.Fatalf("results: %v", results)
	}
	got := results[0].GetNotice()
	equalProto(t, "notice", got, &pb.Notice{
		Id: "n1", Type: "LtiContextCopyNotice", NoticeTime: &timestamppb.Timestamp{Seconds: 1935817689}, Registration: "school", Issuer: schoolIssuer, ClientId: schoolClient, DeploymentId: "d1",
		User: &pb.User{Key: lti.UserKey("", schoolIssuer, "user-1"), Id: "user-1"}, Context: &pb.Context{Key: lti.Key("context", schoolIssuer, "d1", "c2"), Id: "c2"},
		OriginContextIds: []string{"c1"}, Custom: map[string]string{"a": "1"}, ForUser: &pb.ForUser{Key: lti.UserKey("", schoolIssuer, "user-2"), Id: "user-2"},
		Activity: &pb.Activity{Id: "a"}, Submission: &pb.Submission{Id: "s"}, AssetService: &pb.AssetService{Registration: "school", DeploymentId: "d1", Scopes: []string{"read"}},
		AssetReportService: &pb.AssetReportService{Registration: "school", DeploymentId: "d1", ReportUri: schoolIssuer + "/r"}, ClaimsJson: got.GetClaimsJson(),
	})
	if !json.Valid([]byte(got.GetClaimsJson())) || !results[2].GetNotice().GetDuplicate() {
		t.Errorf("results: %v", results)
	}
	refusal := results[1].GetRefusal()
	if refusal.GetReason() != "DEPLOYMENT_UNKNOWN" || refusal.GetMessage() == "" || refusal.GetMetadata()["registration"] != "school" {
		t.Errorf("refusal: %v", refusal)
	}
	if !strings.Contains(s.log.String(), `"notices":3,"refused":{"DEPLOYMENT_UNKNOWN":1}`) {
		t.Error("the log does not count the notices")
	}
	recorder := httptest.NewRecorder()
	s.metrics.Handler(nil).ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if !strings.Contains(recorder.Body.String(), "\nltisidecar_refusals_total{reason=\"DEPLOYMENT_UNKNOWN\"} 1\n") {
		t.Error("the refused notice is not counted")
	}
	_, err := s.launches.ValidateNotices(t.Context(), &pb.ValidateNoticesRequest{})
	refused(t, err, lti.ReasonRequestInvalid)
	_, err = s.launches.ValidateNotices(t.Context(), &pb.ValidateNoticesRequest{Body: []byte("{")})
	refused(t, err, lti.ReasonTokenMalformed)
	_, err = s.launches.ValidateNotices(t.Context(), &pb.ValidateNoticesRequest{Body: make([]byte, 256<<10)})
	refused(t, err, lti.ReasonTokenMalformed) // the largest body gets as far as the check
	_, err = s.launches.ValidateNotices(t.Context(), &pb.ValidateNoticesRequest{Body: make([]byte, 256<<10+1)})
	refused(t, err, lti.ReasonParameterTooLong)
}
