// SPDX-License-Identifier: Apache-2.0

package events

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Limits of an envelope.
const (
	MaxEnvelope = 192 << 10 // bytes
	MaxEvents   = 1000
)

// Check holds an envelope to the form that Caliper 1.2 asks for: an object with sensor, sendTime, dataVersion and data,
// a list of objects. What the events say is between the tool and the platform. The error is a *lti.Error
// REQUEST_INVALID.
func Check(envelope string) error {
	const field = "envelope_json"
	if len(envelope) > MaxEnvelope {
		return lti.FieldError(field, "it has %d bytes, more than %d; send the events in several envelopes", len(envelope), MaxEnvelope)
	}
	var members struct {
		Sensor      jsontext.Value `json:"sensor"`
		SendTime    jsontext.Value `json:"sendTime"`
		DataVersion jsontext.Value `json:"dataVersion"`
		Data        jsontext.Value `json:"data"`
	}
	if err := json.Unmarshal([]byte(envelope), &members); err != nil || jsontext.Value(envelope).Kind() != '{' {
		return lti.FieldError(field, "it is no JSON object, or names a member twice")
	}
	for _, text := range []struct {
		name  string
		value jsontext.Value
	}{{"sensor", members.Sensor}, {"sendTime", members.SendTime}, {"dataVersion", members.DataVersion}} {
		if textOf(text.value) == "" {
			return lti.FieldError(field, "its %s is missing, or no text", text.name)
		}
	}
	if _, err := time.Parse(time.RFC3339, textOf(members.SendTime)); err != nil {
		return lti.FieldError(field, "its sendTime is no time in ISO 8601, such as 2031-05-06T07:08:09.000Z")
	}
	var data []jsontext.Value
	if members.Data.Kind() != '[' || json.Unmarshal(members.Data, &data) != nil {
		return lti.FieldError(field, "its data is missing, or no list")
	}
	if len(data) == 0 || len(data) > MaxEvents {
		return lti.FieldError(field, "its data has %d events, not 1 to %d", len(data), MaxEvents)
	}
	for i, event := range data {
		if event.Kind() != '{' {
			return lti.FieldError(field, "%s", fmt.Sprintf("its data[%d] is no object", i))
		}
	}
	return nil
}

func textOf(value jsontext.Value) string {
	var text string
	if value.Kind() != '"' || json.Unmarshal(value, &text) != nil {
		return ""
	}
	return text
}
