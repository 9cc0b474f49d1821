// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// RegistrationConfig is one registration.
type RegistrationConfig struct {
	Name               string   `yaml:"name"`
	Issuer             string   `yaml:"issuer"`
	LoginIssuer        string   `yaml:"login_issuer"`
	ClientID           string   `yaml:"client_id"`
	Deployments        []string `yaml:"deployments"`
	UnknownDeployments string   `yaml:"unknown_deployments"`
	AuthorizationURI   string   `yaml:"authorization_uri"`
	TokenURI           string   `yaml:"token_uri"`
	TokenAudience      string   `yaml:"token_audience"`
	JWKSURI            string   `yaml:"jwks_uri"`
	LaunchURIs         []string `yaml:"launch_uris"`
	LoginURI           string   `yaml:"login_uri"`
	TargetOrigins      []string `yaml:"target_origins"`
	ServiceOrigins     []string `yaml:"service_origins"`
	MessageTypes       []string `yaml:"message_types"`
	Algorithms         []string `yaml:"algorithms"`
	Anonymous          string   `yaml:"anonymous"`
	Dialect            string   `yaml:"dialect"`
	DeploymentClaim    *bool    `yaml:"deployment_claim"`
	SubjectNamespace   string   `yaml:"subject_namespace"`

	LTI11 []LTI11Config `yaml:"lti11"`
}

// LTI11Config is a consumer key of LTI 1.1 with the file that holds its secret.
type LTI11Config struct {
	ConsumerKey string `yaml:"consumer_key"`
	SecretFile  string `yaml:"secret_file"`
}

func (c *configCheck) checkRegistrations(base string) {
	if len(c.config.Registrations) == 0 {
		c.doubt("registrations", "there are none, so no platform can launch the tool")
	}
	registrations := make([]platform.Registration, 0, len(c.config.Registrations))
	for i, r := range c.config.Registrations {
		key := fmt.Sprintf("registrations[%d].", i)
		registration := r.registration()
		switch r.Anonymous {
		case "", "reject":
		case "accept":
			registration.AllowAnonymous = true
		default:
			c.wrong(key+"anonymous", "%q is none of reject, accept", r.Anonymous)
		}
		registration.LTI11 = c.readLTI11(key, base, r.LTI11)
		for _, problem := range registration.Check(c.config.Dev, jose.Algorithms()) {
			if problem.Warning {
				c.doubt(key+problem.Field, "%s", problem.Message)
			} else {
				c.wrong(key+problem.Field, "%s", problem.Message)
			}
		}
		registrations = append(registrations, registration)
	}
	registry, err := platform.NewRegistry(registrations)
	if err != nil {
		c.wrong("registrations", "%v", err)
	}
	c.config.Registry = registry
}

// readLTI11 reads the secrets of LTI 1.1 from their files: all of them, or none where one cannot be read.
func (c *configCheck) readLTI11(key, base string, configs []LTI11Config) []platform.LTI11Key {
	var keys []platform.LTI11Key
	for i, config := range configs {
		read := platform.LTI11Key{ConsumerKey: config.ConsumerKey}
		if path := config.SecretFile; path != "" {
			if !filepath.IsAbs(path) {
				path = filepath.Join(base, path)
			}
			secret, err := keystore.ReadSecretFile(path)
			if err != nil {
				c.wrong(fmt.Sprintf("%slti11[%d].secret_file", key, i), "%v", err)
				return nil
			}
			read.Secret = platform.NewSecret(secret)
		}
		keys = append(keys, read)
	}
	return keys
}

func (r *RegistrationConfig) registration() platform.Registration {
	registration := platform.Registration{
		Name:                r.Name,
		Issuer:              r.Issuer,
		LoginIssuer:         r.LoginIssuer,
		ClientID:            r.ClientID,
		Deployments:         r.Deployments,
		UnknownDeployments:  platform.UnknownDeployments(r.UnknownDeployments),
		AuthorizationURI:    r.AuthorizationURI,
		TokenURI:            r.TokenURI,
		TokenAudience:       r.TokenAudience,
		JWKSURI:             r.JWKSURI,
		LaunchURIs:          r.LaunchURIs,
		LoginURI:            r.LoginURI,
		TargetOrigins:       r.TargetOrigins,
		ServiceOrigins:      r.ServiceOrigins,
		Algorithms:          r.Algorithms,
		Dialect:             r.Dialect,
		OmitDeploymentClaim: r.DeploymentClaim != nil && !*r.DeploymentClaim,
		SubjectNamespace:    r.SubjectNamespace,
	}
	for _, name := range r.MessageTypes {
		message, ok := lti.ParseMessageType(name)
		if !ok {
			message = lti.MessageType(name) // which Check refuses
		}
		registration.MessageTypes = append(registration.MessageTypes, message)
	}
	return registration
}
