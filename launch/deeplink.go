// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Limits of deep linking, and the form field of its answer.
const (
	maxDeepLinkingContent = 6000 // bytes of JSON that become a token of at most 8 KiB
	maxItems              = 100
	maxItemsBytes         = 128 << 10 // of the items as they are sent
	maxAnswerText         = 1 << 10   // bytes of each of the four texts
	deepLinkingField      = "JWT"
)

var deepLinkingToken = answerToken{name: "deep linking token", field: "deep_linking_token", limit: 8 << 10, limitText: "8 KiB"}

// deepLinkingContent is what a deep linking token seals: where the answer goes, and what the platform accepts.
type deepLinkingContent struct {
	answerParty   `json:",inline"`
	ProductFamily string               `json:"product_family,omitzero"`
	Settings      *DeepLinkingSettings `json:"settings"`
}

func deepLinkingContentOf(l *Launch) deepLinkingContent {
	content := deepLinkingContent{answerParty: partyOf(l), Settings: l.DeepLinking}
	if l.Platform != nil {
		content.ProductFamily = l.Platform.ProductFamily
	}
	return content
}

// checkDeepLinkingSize refuses settings that no token can hold, before the nonce is used up.
func checkDeepLinkingSize(l *Launch) error {
	plain, err := json.Marshal(deepLinkingContentOf(l))
	if err != nil {
		return &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	if len(plain) > maxDeepLinkingContent {
		return invalid(lti.ClaimDeepLinkingSettings, fmt.Sprintf("with the registration it must not take more than %d bytes", maxDeepLinkingContent), "")
	}
	return nil
}

// sealDeepLinking makes the deep linking token of a launch with such settings. It does not enter launch tokens, which
// hold all that it is made of.
func (v *Validator) sealDeepLinking(caller string, l *Launch) error {
	if l.DeepLinking == nil {
		return nil
	}
	var err error
	l.DeepLinking.Token, err = v.sealAnswer(deepLinkingToken, caller, deepLinkingContentOf(l))
	return err
}

// DeepLinkingRequest asks for the message that takes chosen content to the platform.
type DeepLinkingRequest struct {
	Token        string        // deep linking token of the launch
	Items        []ContentItem // none: the author cancelled
	Message      string        // for the author; empty: not sent, as the three others
	Log          string
	ErrorMessage string
	ErrorLog     string
	CSPNonce     string
}

// DeepLinkingResponse is LtiDeepLinkingResponse, signed, and the page that posts it.
type DeepLinkingResponse struct {
	Registration string
	URI          string
	JWT          string
	Reply        *Reply
}

// BuildDeepLinkingResponse signs the answer to LtiDeepLinkingRequest (Deep Linking 2.0, section 4.5). Where it goes and
// the platform's data come from the sealed token. Items that the platform does not accept are refused first, with
// REQUEST_INVALID. Errors are *lti.Error.
func (v *Validator) BuildDeepLinkingResponse(ctx context.Context, caller string, request DeepLinkingRequest) (*DeepLinkingResponse, error) {
	if err := checkCSPNonce(request.CSPNonce); err != nil {
		return nil, err
	}
	content := new(deepLinkingContent)
	if err := v.openAnswer(ctx, deepLinkingToken, caller, request.Token, content, &content.answerParty); err != nil {
		return nil, err
	}
	registration, err := v.config.Registry.ByName(content.Registration)
	if err != nil {
		return nil, err
	}
	dialect := platform.DialectOf(registration, content.ProductFamily)
	items, err := v.contentItems(registration, dialect, content.Settings, request.Items)
	if err != nil {
		return nil, err
	}
	message := map[string]any{lti.ClaimContentItems: items}
	if content.Settings.Data != nil {
		message[lti.ClaimDeepLinkingData] = content.Settings.Data
	}
	for _, text := range []struct{ field, claim, value string }{
		{"message", lti.ClaimDeepLinkingMessage, request.Message}, {"log", lti.ClaimDeepLinkingLog, request.Log},
		{"error_message", lti.ClaimDeepLinkingErrorMessage, request.ErrorMessage}, {"error_log", lti.ClaimDeepLinkingErrorLog, request.ErrorLog},
	} {
		if err := checkText(text.field, text.value, maxAnswerText); err != nil {
			return nil, err
		}
		if text.value != "" {
			message[text.claim] = text.value
		}
	}
	if dialect.AnswerSubject {
		message["sub"] = content.ClientID
	}
	jwt, err := v.signAnswer(&content.answerParty, lti.MessageDeepLinkingResponse, message)
	if err != nil {
		return nil, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	origin, err := platform.Origin(content.Settings.ReturnURI)
	if err != nil {
		return nil, &lti.Error{Reason: lti.ReasonInternal, Cause: err} // it was checked before it was sealed
	}
	reply, err := formReply(content.Settings.ReturnURI, origin, deepLinkingField, jwt, request.CSPNonce)
	if err != nil {
		return nil, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	return &DeepLinkingResponse{Registration: content.Registration, URI: content.Settings.ReturnURI, JWT: jwt, Reply: reply}, nil
}

// contentItems checks the items and returns them as they are sent: a list, also where there are none.
func (v *Validator) contentItems(registration *platform.Registration, dialect platform.Dialect, settings *DeepLinkingSettings, items []ContentItem) ([]map[string]any, error) {
	switch {
	case len(items) > maxItems:
		return nil, lti.FieldError("items", "there are %d, more than %d", len(items), maxItems)
	case len(items) > 1 && settings.AcceptMultiple != nil && !*settings.AcceptMultiple:
		return nil, lti.FieldError("items", "the platform accepts one item only (accept_multiple is false), and there are %d", len(items))
	}
	check := itemCheck{Validator: v, registration: registration, dialect: dialect, settings: settings}
	all, size := []map[string]any{}, 0
	for i := range items {
		path := fmt.Sprintf("items[%d]", i)
		if err := check.check(path, &items[i]); err != nil {
			return nil, err
		}
		members, err := items[i].members()
		if err != nil {
			return nil, &lti.Error{Reason: lti.ReasonInternal, Cause: err} // they were checked
		}
		text, err := json.Marshal(members)
		if err != nil {
			return nil, lti.FieldError(path, "it cannot be written as JSON: a text is not valid UTF-8")
		}
		if size += len(text); size > maxItemsBytes {
			return nil, lti.FieldError(path, "with the items before it, it has more than %d bytes", maxItemsBytes)
		}
		all = append(all, members)
	}
	return all, nil
}
