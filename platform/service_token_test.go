// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestAccessTokenHidesItself(t *testing.T) {
	token := ServiceToken{AccessToken: NewAccessToken("s3cret"), Scopes: []string{"a"}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", token, "access", token.AccessToken)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", token, "access", token.AccessToken)
	encoded, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(encoded) + fmt.Sprintf("%v %+v %#v %s %q", token, token, token, token, token) +
		fmt.Sprintf("%v %+v %#v %s %q", token.AccessToken, token.AccessToken, token.AccessToken, token.AccessToken, token.AccessToken)
	if strings.Contains(all, "s3cret") {
		t.Errorf("the token shows: %s", all)
	}
	if token.AccessToken.Reveal() != "s3cret" {
		t.Error("Reveal does not reveal")
	}
}
