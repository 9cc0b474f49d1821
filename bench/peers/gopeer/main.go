// SPDX-License-Identifier: Apache-2.0

// Command gopeer is golang-jwt and jwx as peers of the benchmark: see ../README.md. It is a module of its own, so that
// the sidecar's does not depend on them.
package main

import (
	"bufio"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v2/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v2/jwt"
)

type given struct {
	Issuer   string          `json:"issuer"`
	ClientID string          `json:"client_id"`
	JWKS     json.RawMessage `json:"jwks"`
	Launches []struct {
		IDToken string `json:"id_token"`
		Nonce   string `json:"nonce"`
	} `json:"launches"`
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "gopeer:", err)
		os.Exit(1)
	}
}

func run(which, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var g given
	if err := json.Unmarshal(text, &g); err != nil {
		return err
	}
	set, err := jwk.Parse(g.JWKS)
	if err != nil {
		return err
	}
	var validate func(token, nonce string) error
	switch which {
	case "golang-jwt":
		key, _ := set.Key(0)
		var public rsa.PublicKey
		if err := key.Raw(&public); err != nil {
			return err
		}
		parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(g.Issuer), jwt.WithAudience(g.ClientID), jwt.WithExpirationRequired())
		validate = func(token, nonce string) error {
			claims := jwt.MapClaims{}
			if _, err := parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return &public, nil }); err != nil {
				return err
			}
			return same(claims["nonce"], nonce)
		}
	case "jwx":
		validate = func(token, nonce string) error {
			parsed, err := jwxjwt.Parse([]byte(token), jwxjwt.WithKeySet(set), jwxjwt.WithValidate(true), jwxjwt.WithIssuer(g.Issuer), jwxjwt.WithAudience(g.ClientID))
			if err != nil {
				return err
			}
			got, _ := parsed.Get("nonce")
			return same(got, nonce)
		}
	default:
		return fmt.Errorf("%q is neither golang-jwt nor jwx", which)
	}
	warm := len(g.Launches) / 10
	for _, launch := range g.Launches[:warm] {
		if err := validate(launch.IDToken, launch.Nonce); err != nil {
			return err
		}
	}
	input := bufio.NewScanner(os.Stdin)
	fmt.Println("ready")
	input.Scan()
	for _, launch := range g.Launches[warm:] {
		if err := validate(launch.IDToken, launch.Nonce); err != nil {
			return err
		}
	}
	fmt.Println("done", len(g.Launches)-warm)
	input.Scan()
	return input.Err()
}

func same(got any, nonce string) error {
	if got != nonce {
		return errors.New("another launch")
	}
	return nil
}
