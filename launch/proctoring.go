// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"context"
	"html/template"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Signer signs messages of the tool with its active key.
type Signer interface {
	Sign(claims []byte) (string, error)
}

// Limits of proctoring, and the form field of its answer.
const (
	maxVerifiedUserText  = 1 << 10 // bytes of each text
	startAssessmentField = "JWT"
)

var proctoringToken = answerToken{name: "proctoring token", field: "proctoring_token", limit: 192 << 10, limitText: "192 KiB"}

// proctoringContent is what a proctoring token seals: all that LtiStartAssessment repeats.
type proctoringContent struct {
	answerParty   `json:",inline"`
	URI           string         `json:"uri"`
	SessionData   string         `json:"session_data"`
	AttemptNumber int64          `json:"attempt_number"`
	ResourceLink  jsontext.Value `json:"resource_link"` // as the platform wrote it
}

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
	var err error
	c.launch.Proctoring.Token, err = c.sealAnswer(proctoringToken, c.caller, proctoringContent{
		answerParty: partyOf(c.launch), URI: c.launch.Proctoring.StartAssessmentURI, SessionData: textOr(c.claims.SessionData),
		AttemptNumber: c.launch.Proctoring.AttemptNumber, ResourceLink: c.claims.ResourceLink,
	})
	return err
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
	content := new(proctoringContent)
	if err := v.openAnswer(ctx, proctoringToken, caller, request.Token, content, &content.answerParty); err != nil {
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

// signStartAssessment signs the message.
func (v *Validator) signStartAssessment(content *proctoringContent, request *StartAssessmentRequest) (string, error) {
	message := map[string]any{
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
	return v.signAnswer(&content.answerParty, lti.MessageStartAssessment, message)
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
