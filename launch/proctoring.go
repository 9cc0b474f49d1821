// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"html/template"
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Signer signs messages of the tool with its active key.
type Signer interface {
	Sign(claims []byte) (string, error)
}

// Lifetimes and limits of proctoring.
const (
	proctoringLifetime   = 8 * time.Hour   // of a proctoring token
	startLifetime        = 5 * time.Minute // of LtiStartAssessment
	maxProctoringToken   = 192 << 10       // bytes
	maxVerifiedUserText  = 1 << 10         // bytes of each text
	startAssessmentField = "JWT"
)

// proctoringContent is what a proctoring token seals: all that LtiStartAssessment repeats.
type proctoringContent struct {
	Registration  string         `json:"registration"`
	Issuer        string         `json:"issuer"`
	ClientID      string         `json:"client_id"`
	DeploymentID  string         `json:"deployment_id"`
	URI           string         `json:"uri"`
	SessionData   string         `json:"session_data"`
	AttemptNumber int64          `json:"attempt_number"`
	ResourceLink  jsontext.Value `json:"resource_link"` // as the platform wrote it
	Expires       time.Time      `json:"expires"`
}

// proctoringPurpose ties a proctoring token to the caller it was issued to.
func proctoringPurpose(caller string) string { return "proctoring token of " + caller }

// readProctoring reads what LtiStartProctoring and LtiEndAssessment carry (Proctoring Services 1.0).
func (v *Validator) readProctoring(c *claims, rule *messageRule) (*Proctoring, error) {
	var err error
	p := &Proctoring{ErrorMessage: textOr(c.ErrorMessage), ErrorLog: textOr(c.ErrorLog)}
	if p.AttemptNumber, err = integer(lti.ClaimAttemptNumber, c.AttemptNumber); err != nil {
		return nil, err
	}
	if data := object(c.ProctoringSettings)["data"]; !isNull(data) {
		if text, ok := text(data); ok {
			p.Settings = text
		} else {
			p.Settings = string(data)
		}
	}
	if control := object(c.AssessmentControl); webURI(textOr(control["assessment_control_url"])) != "" {
		p.Control = &AssessmentControl{URI: textOr(control["assessment_control_url"]), Actions: texts(control["actions"])}
	}
	if !rule.startProctoring {
		return p, nil
	}
	if p.StartAssessmentURI, err = v.endpoint(lti.ClaimStartAssessmentURL, c.StartAssessmentURL); err != nil {
		return nil, err
	}
	if isNull(c.SessionData) {
		return nil, missing(lti.ClaimSessionData)
	}
	if data, ok := text(c.SessionData); !ok || data == "" {
		return nil, invalid(lti.ClaimSessionData, "it must be a text and not empty", "")
	}
	return p, nil
}

// sealProctoring makes the proctoring token of an accepted launch.
func (c *validation) sealProctoring() error {
	if c.launch.MessageType != lti.MessageStartProctoring {
		return nil
	}
	plain, err := json.Marshal(proctoringContent{
		Registration: c.launch.Registration, Issuer: c.launch.Issuer, ClientID: c.launch.ClientID, DeploymentID: c.launch.DeploymentID,
		URI: c.launch.Proctoring.StartAssessmentURI, SessionData: textOr(c.claims.SessionData), AttemptNumber: c.launch.Proctoring.AttemptNumber,
		ResourceLink: c.claims.ResourceLink, Expires: c.launch.Time.Add(proctoringLifetime),
	})
	if err != nil {
		return &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	if c.launch.Proctoring.Token, err = c.config.Sealer.Seal(proctoringPurpose(c.caller), plain); err != nil {
		return &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	return nil
}

// VerifiedUser is what a proctoring tool found out about the user. Empty texts are not sent.
type VerifiedUser struct {
	GivenName  string `json:"given_name,omitzero"`
	MiddleName string `json:"middle_name,omitzero"`
	FamilyName string `json:"family_name,omitzero"`
	FullName   string `json:"full_name,omitzero"`
	Picture    string `json:"picture,omitzero"`
}

// StartAssessmentRequest asks for the message that lets a proctored user begin.
type StartAssessmentRequest struct {
	Token               string        // proctoring token of the launch
	EndAssessmentReturn bool          // ask for a launch with LtiEndAssessment afterwards
	VerifiedUser        *VerifiedUser // nil: not sent
	CSPNonce            string
}

// StartAssessment is LtiStartAssessment, signed, and the page that posts it.
type StartAssessment struct {
	Registration string
	URI          string
	JWT          string
	Reply        *Reply
}

// BuildStartAssessment signs the answer to LtiStartProctoring (Proctoring Services 1.0, section 4.2). All that it
// repeats comes from the sealed token, so that a caller cannot have anything else signed. Errors are *lti.Error.
func (v *Validator) BuildStartAssessment(ctx context.Context, caller string, request StartAssessmentRequest) (*StartAssessment, error) {
	if err := checkCSPNonce(request.CSPNonce); err != nil {
		return nil, err
	}
	if err := checkVerifiedUser(request.VerifiedUser); err != nil {
		return nil, err
	}
	content, err := v.openProctoring(ctx, caller, request.Token)
	if err != nil {
		return nil, err
	}
	origin, err := platform.Origin(content.URI)
	if err != nil {
		return nil, &lti.Error{Reason: lti.ReasonInternal, Cause: err} // it was checked before it was sealed
	}
	jwt, err := v.signStartAssessment(content, &request)
	if err != nil {
		return nil, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	reply, err := formReply(content.URI, origin, startAssessmentField, jwt, request.CSPNonce)
	if err != nil {
		return nil, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	return &StartAssessment{Registration: content.Registration, URI: content.URI, JWT: jwt, Reply: reply}, nil
}

func checkVerifiedUser(user *VerifiedUser) error {
	if user == nil {
		return nil
	}
	for _, text := range []struct{ name, value string }{
		{"given_name", user.GivenName}, {"middle_name", user.MiddleName}, {"family_name", user.FamilyName}, {"full_name", user.FullName}, {"picture", user.Picture},
	} {
		if len(text.value) > maxVerifiedUserText {
			return lti.FieldError("verified_user."+text.name, "it is longer than 1,024 bytes")
		}
	}
	return nil
}

// openProctoring opens a proctoring token of this caller. It is refused once the registration is gone or the deployment
// no longer accepted.
func (v *Validator) openProctoring(ctx context.Context, caller, text string) (*proctoringContent, error) {
	if text == "" {
		return nil, lti.FieldError("proctoring_token", "it is required")
	}
	if len(text) > maxProctoringToken {
		return nil, tooLong("proctoring_token", "192 KiB")
	}
	plain, err := v.config.Sealer.Open(proctoringPurpose(caller), text)
	if err != nil {
		return nil, &lti.Error{Reason: lti.ReasonLaunchTokenInvalid, Message: "The proctoring token was not issued to this caller by this sidecar, or was changed.", Cause: err}
	}
	var content proctoringContent
	if err := json.Unmarshal(plain, &content); err != nil {
		return nil, &lti.Error{Reason: lti.ReasonLaunchTokenInvalid, Cause: err}
	}
	if !v.config.Now().Before(content.Expires) {
		return nil, lti.Errorf(lti.ReasonLaunchTokenExpired, "The proctoring token expired at %s.", formatTime(content.Expires)).
			With("expired_time", formatTime(content.Expires))
	}
	registration, err := v.config.Registry.ByName(content.Registration)
	if err != nil || registration.Issuer != content.Issuer || registration.ClientID != content.ClientID {
		return nil, lti.Errorf(lti.ReasonLaunchTokenInvalid, "The registration of the proctoring token was removed or changed.")
	}
	return &content, v.config.Deployments.CheckDeployment(ctx, registration, content.DeploymentID, false)
}

// signStartAssessment signs the message: from the tool to the platform, so issuer and audience change places.
func (v *Validator) signStartAssessment(content *proctoringContent, request *StartAssessmentRequest) (string, error) {
	if v.config.Signer == nil {
		return "", errors.New("launch: the Validator has no Signer")
	}
	nonce := make([]byte, 16)
	if _, err := io.ReadFull(v.config.Rand, nonce); err != nil {
		return "", err
	}
	now := v.config.Now()
	message := map[string]any{
		"iss":                  content.ClientID,
		"aud":                  content.Issuer,
		"iat":                  now.Unix(),
		"exp":                  now.Add(startLifetime).Unix(),
		"nonce":                base64.RawURLEncoding.EncodeToString(nonce),
		lti.ClaimMessageType:   lti.MessageStartAssessment,
		lti.ClaimVersion:       lti.Version,
		lti.ClaimDeploymentID:  content.DeploymentID,
		lti.ClaimSessionData:   content.SessionData,
		lti.ClaimResourceLink:  content.ResourceLink,
		lti.ClaimAttemptNumber: content.AttemptNumber,
	}
	if request.EndAssessmentReturn {
		message[lti.ClaimEndAssessmentReturn] = true
	}
	if request.VerifiedUser != nil && *request.VerifiedUser != (VerifiedUser{}) {
		message[lti.ClaimVerifiedUser] = request.VerifiedUser
	}
	claims, err := json.Marshal(message, json.Deterministic(true))
	if err != nil {
		return "", err
	}
	return v.config.Signer.Sign(claims)
}

// submitScript sends the only form of its page. It is constant, so that its hash permits it.
const submitScript = `document.forms[0].submit()`

var submitSource = sourceHash(submitScript)

var formPage = template.Must(template.New("form").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>One moment</title><style{{with .CSPNonce}} nonce="{{.}}"{{end}}>{{.Style}}</style></head>
<body><form method="post" action="{{.Action}}"><input type="hidden" name="{{.Name}}" value="{{.Value}}"><noscript><p>Your browser has JavaScript switched off.</p><p><button>Go on</button></p></noscript></form>
<script{{with .CSPNonce}} nonce="{{.}}"{{end}}>{{.Script}}</script></body></html>
`))

// formReply returns a page that posts one field to a platform by itself. Its policy lets the form go to the platform's
// origin and, because browsers hold redirects of the answer to it too, on from there to any https page.
func formReply(action, origin, name, value, cspNonce string) (*Reply, error) {
	var body bytes.Buffer
	err := formPage.Execute(&body, map[string]any{
		"Action": action, "Name": name, "Value": value, "CSPNonce": cspNonce,
		"Style": template.CSS(pageStyle), "Script": template.JS(submitScript),
	})
	if err != nil {
		return nil, err
	}
	return pageReply(200, body.String(), cspNonce, "script-src "+submitSource, "form-action "+origin+" https:"), nil
}
