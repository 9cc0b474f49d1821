// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// What claims.json says, for those who must be configured to accept it.
const (
	Issuer       = "https://canvas.instructure.com"
	ClientID     = "10000000000042"
	DeploymentID = "17:7f95c0ffee7f95c0ffee7f95c0ffee7f95c0ffee"
	TargetURI    = "https://tool.example/quiz/7"
)

// claims.json is a launch of a large cloud platform with all its services, and with the members that nobody reads. Its
// token has about 5 KB.
//
//go:embed claims.json
var claimsText []byte

// claimsStart is claims.json without blanks and without its closing brace.
var claimsStart = func() []byte {
	var compact bytes.Buffer
	if err := json.Compact(&compact, claimsText); err != nil {
		panic(fmt.Sprintf("workload: claims.json: %v", err))
	}
	return bytes.TrimSuffix(compact.Bytes(), []byte("}"))
}()

// Lifetime is the time from a token's iat to its exp.
const Lifetime = time.Hour

// Token returns an id_token with a nonce, issued at a time.
func (k *Key) Token(nonce string, issued time.Time) string {
	claims := append([]byte(nil), claimsStart...)
	claims = append(claims, `,"iat":`...)
	claims = strconv.AppendInt(claims, issued.Unix(), 10)
	claims = append(claims, `,"exp":`...)
	claims = strconv.AppendInt(claims, issued.Add(Lifetime).Unix(), 10)
	claims = append(claims, `,"nonce":`...)
	claims = strconv.AppendQuote(claims, nonce)
	return k.Sign(append(claims, '}'))
}
