// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"time"
)

// Config says what to simulate. The yaml names are those of the file that cmd/platformsim reads.
type Config struct {
	// Listen is host:port of the HTTPS server. Empty means 127.0.0.1:0; port 0 means any free port. The host must be a
	// loopback address or localhost.
	Listen string `yaml:"listen"`

	// Dir is a directory where the certificate authority is kept (ca.pem, ca-key.pem) from run to run. Empty means a new
	// authority that lives only in memory.
	Dir string `yaml:"-"`

	// ExtraRoots holds further PEM certificates to trust when a tool's key set is fetched. Empty means only our own
	// authority.
	ExtraRoots []byte `yaml:"-"`

	// RosterSize is the number of people in the course of each platform: one teacher, one teaching assistant, and
	// students. Zero means 62; at least 3, at most 200,000. They are made up as they are asked for.
	RosterSize int `yaml:"roster_size"`

	// RecordLimit is how many of the last entries each record (tokens, scores, launches, ...) shows. Zero means 1,000; at
	// most 1,000,000.
	RecordLimit int `yaml:"record_limit"`

	// HTTP1 keeps the server from offering HTTP/2, which has no status line to get wrong. False means both.
	HTTP1 bool `yaml:"http1"`

	// Platforms maps a profile's name ("canvas", "moodle", ...; see ProfileNames) to what is installed there. Empty means every profile, with
	// no tools.
	Platforms map[string]PlatformConfig `yaml:"platforms"`

	// Now is the clock. Nil means time.Now.
	Now func() time.Time `yaml:"-"`

	// Rand is the source of identifiers and tokens (RSA keys always use the system's). Nil means crypto/rand.
	Rand io.Reader `yaml:"-"`

	// Logf receives one line for each answer that refuses something. It gets no token and no personal data. Nil means
	// silence.
	Logf func(format string, args ...any) `yaml:"-"`

	profiles []*Profile                      // nil: those of profiles
	newRSA   func() (*rsa.PrivateKey, error) // nil: a fresh key of 2048 bits
}

// PlatformConfig is one platform of the simulator.
type PlatformConfig struct {
	// Tools lists the tools installed in the course.
	Tools []ToolConfig `yaml:"tools"`

	// Lax switches off the checks of client assertions that the real platform does not make. False means strict: aud,
	// exp, iat, jti (once), kid and iss = sub = client_id are checked everywhere.
	Lax bool `yaml:"lax"`

	// LoginMethod forces GET or POST for login initiations. Empty means what the platform does.
	LoginMethod string `yaml:"login_method"`

	// NoStorage stops the platform from offering postMessage storage (lti_storage_target). False means what the
	// platform does.
	NoStorage bool `yaml:"no_storage"`

	// NoLoginClient leaves client_id and lti_deployment_id out of login initiations, as older Schoology does. False means
	// what the platform does.
	NoLoginClient bool `yaml:"no_login_client"`

	// OneShot makes a login good for one authentication request on platforms that take several, or of which it is not
	// known. False means what the platform is known to do.
	OneShot bool `yaml:"one_shot"`

	// AudienceArray makes aud of id_tokens an array of one, as Blackboard's documentation allows. False means what the
	// platform does.
	AudienceArray bool `yaml:"audience_array"`

	// SiteIssuer puts the iss of a tool that belongs to a site into Sakai's id_tokens; login initiations keep the
	// server's. False means one iss. Other platforms ignore it.
	SiteIssuer bool `yaml:"site_issuer"`

	// ExtraKeys is the number of further keys in the key set that never sign. Zero means none; at most 500. 150 make a key
	// set of more than 64 KiB.
	ExtraKeys int `yaml:"extra_keys"`

	// HTMLTokenFailure answers refused token requests with an HTML page and 502, as was seen at Schoology. False means
	// the platform's own errors.
	HTMLTokenFailure bool `yaml:"html_token_failure"`

	// GradedLinks gives Brightspace's links a line item, as when a teacher has tied them to a grade item. False means
	// what the platform does; all others have one always.
	GradedLinks bool `yaml:"graded_links"`

	// NewerScoresOnly refuses a score that is not newer than the stored one with 409, on Brightspace, Blackboard and
	// Schoology, of which it is not known. False means that the last one counts there. Other platforms ignore it.
	NewerScoresOnly bool `yaml:"newer_scores_only"`

	// ScoreStatus is the status of an accepted score on Brightspace, Blackboard and Schoology, of which it is not known:
	// 200 to 204. Zero means 200. Other platforms ignore it.
	ScoreStatus int `yaml:"score_status"`

	// WholeRoster lists everybody, as Brightspace does after a deployment setting. False means those who have launched
	// the tool; all other platforms list everybody always.
	WholeRoster bool `yaml:"whole_roster"`

	// RosterPage is the page size of Brightspace's and Blackboard's rosters, whose paging is not known. Zero means one
	// page. Other platforms ignore it.
	RosterPage int `yaml:"roster_page"`

	// Differences offers the differences of Brightspace's, Blackboard's and Schoology's rosters, of which it is not known.
	// False means none, as on all other platforms.
	Differences bool `yaml:"differences"`

	// ResponseLimit is the number of members above which Open edX refuses to list them. Zero means no limit. Other
	// platforms ignore it.
	ResponseLimit int `yaml:"response_limit"`

	// Caliper offers Brightspace's event store, whose claim is then that of the specification: guides speak of it, nothing
	// that is published shows it. False means none. Other platforms have none.
	Caliper bool `yaml:"caliper"`

	// SignedLineItems makes Sakai name line items of links in the older, signed form, with ":::" inside. False means by
	// number. Other platforms ignore it.
	SignedLineItems bool `yaml:"signed_line_items"`

	// Concluded makes Canvas's course a concluded one: its services answer 404. False means a course under way. Other
	// platforms ignore it.
	Concluded bool `yaml:"concluded"`

	// EmptyRoster takes everybody out of the roster; launches go on. False means a course with people.
	EmptyRoster bool `yaml:"empty_roster"`

	// AppMenu makes Schoology's launches come from the app menu: without context, grades and roster. False means from a
	// course. Other platforms ignore it.
	AppMenu bool `yaml:"app_menu"`
}

// ToolConfig is one tool as an administrator typed it into the platform.
type ToolConfig struct {
	Name         string   `yaml:"name"`          // 1 to 64 of a-z, 0-9, '-' and '_'; unique within the platform
	ClientID     string   `yaml:"client_id"`     // empty: made up in the platform's style, the same at every start
	DeploymentID string   `yaml:"deployment_id"` // empty: made up in the platform's style, the same at every start
	LoginURI     string   `yaml:"login_uri"`     // where login initiations go
	LaunchURIs   []string `yaml:"launch_uris"`   // the registered redirect URIs; at least one
	// TargetLinkURI is the target_link_uri of the course's link. Empty means the first of LaunchURIs.
	TargetLinkURI string `yaml:"target_link_uri"`
	// JWKSURI is where the tool publishes its keys: https, or http on loopback. Empty means JWKS.
	JWKSURI string `yaml:"jwks_uri"`
	// JWKS is the tool's key set as JSON, used when JWKSURI is empty. With neither, no service token is given.
	JWKS string `yaml:"jwks"`
	// Scopes are those the tool may have. Empty means AGS and NRPS, all of it.
	Scopes []string `yaml:"scopes"`
	// Custom are custom parameters sent with each launch.
	Custom map[string]string `yaml:"custom"`
}

const (
	defaultRoster = 62
	maxRoster     = 200000
	defaultRecord = 1000
	maxRecord     = 1000000
	maxTools      = 64
	maxExtraKeys  = 500
)

var toolName = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

func (t ToolConfig) validate() error {
	if !toolName.MatchString(t.Name) {
		return fmt.Errorf("tool name %q: 1 to 64 of a-z, 0-9, '-' and '_' are allowed", t.Name)
	}
	if len(t.LaunchURIs) == 0 {
		return fmt.Errorf("tool %s: launch_uris is empty", t.Name)
	}
	for _, u := range append([]string{t.LoginURI}, t.LaunchURIs...) {
		if err := absolute(u); err != nil {
			return fmt.Errorf("tool %s: %w", t.Name, err)
		}
	}
	if t.TargetLinkURI != "" {
		if err := absolute(t.TargetLinkURI); err != nil {
			return fmt.Errorf("tool %s: %w", t.Name, err)
		}
	}
	if t.JWKSURI != "" {
		if err := fetchable(t.JWKSURI); err != nil {
			return fmt.Errorf("tool %s: jwks_uri: %w", t.Name, err)
		}
	}
	if t.JWKS != "" && !json.Valid([]byte(t.JWKS)) {
		return fmt.Errorf("tool %s: jwks is not JSON", t.Name)
	}
	return nil
}

func absolute(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return err
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return fmt.Errorf("%q is not an absolute http or https URL", s)
	}
	return nil
}

func (c PlatformConfig) validate() error {
	switch c.LoginMethod {
	case "", "GET", "POST":
	default:
		return fmt.Errorf("login_method %q: GET or POST", c.LoginMethod)
	}
	if c.ExtraKeys < 0 || c.ExtraKeys > maxExtraKeys {
		return fmt.Errorf("extra_keys %d: 0 to %d", c.ExtraKeys, maxExtraKeys)
	}
	if c.ScoreStatus != 0 && (c.ScoreStatus < 200 || c.ScoreStatus > 204) {
		return fmt.Errorf("score_status %d: 200 to 204", c.ScoreStatus)
	}
	if c.RosterPage < 0 || c.RosterPage > maxRoster {
		return fmt.Errorf("roster_page %d: 0 to %d", c.RosterPage, maxRoster)
	}
	if c.ResponseLimit < 0 {
		return fmt.Errorf("response_limit %d: 0 or more", c.ResponseLimit)
	}
	if len(c.Tools) > maxTools {
		return errors.New("too many tools")
	}
	return nil
}
