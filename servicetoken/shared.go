// SPDX-License-Identifier: Apache-2.0

package servicetoken

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Shared gives tokens that the calls of one service share, such as reading line items and posting scores: it asks for
// the union of the scopes that were needed so far of that service at that deployment. Where the platform refuses the
// union, or grants it without what is needed, the needed scopes are asked for alone, and the union is not tried again
// for an hour. Tokens of different services stay apart. It may be used by many goroutines.
type Shared struct {
	source *Source

	mutex  sync.Mutex
	needed *lru.Cache[string, []string] // by registration, deployment and service; sorted
}

// NewShared returns a view of a Source that shares tokens.
func NewShared(source *Source) (*Shared, error) {
	needed, err := lru.New[string, []string](source.config.MaxTokens)
	if err != nil {
		return nil, fmt.Errorf("servicetoken: %w", err)
	}
	return &Shared{source: source, needed: needed}, nil
}

// Token returns a token with at least the scopes; see Source.Token.
func (s *Shared) Token(ctx context.Context, registration *platform.Registration, deploymentID string, scopes []string) (Token, error) {
	set, err := scopeSet(scopes)
	if err != nil {
		return Token{}, err
	}
	union := s.union(registration, deploymentID, set)
	if len(union) == len(set) || registration.TokenURI == "" {
		return s.source.Token(ctx, registration, deploymentID, set)
	}
	token, err := s.source.get(ctx, request{registration: registration, deploymentID: deploymentID, scopes: union, union: true})
	switch {
	case err == nil && len(missing(set, token.Scopes)) == 0:
		return token, nil
	case err != nil && lti.ReasonOf(err) != lti.ReasonTokenRequestRefused:
		return Token{}, err
	}
	return s.source.Token(ctx, registration, deploymentID, set)
}

// Drop forgets a token that a service refused.
func (s *Shared) Drop(token Token) { s.source.Drop(token) }

// union adds scopes to those that the service needed before, and returns all of them. Scopes of several services, and
// more than one token may have, are returned as they are.
func (s *Shared) union(registration *platform.Registration, deploymentID string, set []string) []string {
	service := serviceOf(set[0])
	if slices.ContainsFunc(set, func(scope string) bool { return serviceOf(scope) != service }) {
		return set
	}
	key := request{registration: registration, deploymentID: deploymentID, scopes: []string{service}}.cacheKey()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	before, _ := s.needed.Get(key)
	union := slices.Concat(before, set)
	slices.Sort(union)
	if union = slices.Compact(union); len(union) > MaxScopes {
		return set
	}
	s.needed.Add(key, union)
	return union
}

// serviceOf returns what the scopes of one service have in common: the text before "/scope/", or the whole scope.
func serviceOf(scope string) string {
	if at := strings.LastIndex(scope, "/scope/"); at >= 0 {
		return scope[:at]
	}
	return scope
}
