// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Profile is one kind of platform: its paths, its shapes and its rules, as data and small functions. To add a platform,
// write one file that returns a Profile and add it to profiles.
type Profile struct {
	Name  string // path prefix and name in the configuration
	Title string // as people call it

	Issuer func(base string) string // iss of login initiations, from the platform's base URL
	// TokenIssuer is the iss of id_tokens where it differs from the login's. Nil means Issuer.
	TokenIssuer func(p *Platform) string
	// TokenAudience is the aud of client assertions. Nil means the URL of the token endpoint.
	TokenAudience func(base string) string

	CourseID string // the course as service URLs name it; empty: courseID

	// Paths are relative to the platform's base URL. All but those of the authorization are ServeMux patterns and may
	// have {tool} (a number), {client} (the client id), {deployment} and {config} (a UUID), which name the tool; service
	// paths may also have {course} and {item}.
	AuthorizationPath string
	AuthorizationHop  string // the endpoint answers 302 to this second one, which decides; empty: no hop
	TokenPath         string
	JWKSPath          string
	LineItemsPath     string
	LineItemPath      string
	ScoresPath        string
	ResultsPath       string
	ResultPath        string // one result, {result}; empty: there is none
	SignedItemPath    string // another name of line items that belong to a link, {signed}; empty: there is none
	EventsPath        string // where Caliper events go, with PlatformConfig.Caliper; empty: not offered
	MembershipsPath   string
	RosterQuery       string // the query that the membership URL carries; empty: none

	ServiceQuery func(t *tool) string // the query that line item URLs carry; nil: none
	ResultID     func(lineItem, person string) string

	// Identifiers. n counts from 0; seed is a stable text to derive hexadecimal from.
	ClientID       func(n int, seed string) string
	DeploymentID   func(n int, seed string) string
	ResourceLinkID func(n int, seed string) string
	LineItemID     func(n int) string
	PersonID       func(base string, n int, seed string) string
	LoginHint      func(pr *Person) string

	// Login initiation.
	LoginMethod   string                                       // GET or POST
	StorageFrame  string                                       // frame that serves postMessage storage, or _parent; empty: none offered
	LaunchID      func(p *Platform, l *launch) (string, error) // name of a started launch inside the hint; nil: 32 hex
	MessageHint   func(p *Platform, l *launch) (string, error) // nil: there is none
	LoginFields   func(p *Platform, l *launch) []Field
	LoginQuery    string        // what joins login URI and fields of a GET; empty: "?", or "&" behind a query
	StorageFirst  bool          // lti_storage_target comes before state in the launch form
	StorageSilent bool          // the storage is named at the login, but not at the launch
	OneLaunch     bool          // LaunchID names tool and person: a click takes the place of the one before
	LaunchExpires time.Duration // how long a started launch waits for its authentication request

	// CheckAuthRequest is the authorization endpoint: it finds the launch, and consumes it, or says how to refuse. It is
	// called with p.mu held.
	CheckAuthRequest func(p *Platform, q url.Values, user *Person) authOutcome
	CleanEcho        func(s string) string // what happens to state and nonce; nil: nothing

	// id_token.
	Lifetime time.Duration
	Claims   func(p *Platform, l *launch) map[string]any // all but iss, aud, iat, exp, nonce
	Azp      bool
	AudArray bool // aud is an array of one
	Nbf      bool // nbf = iat
	NoTyp    bool // no typ in the header

	Keys  KeyRules
	Token TokenRules
	AGS   AGSRules
	NRPS  NRPSRules

	DeepLinking *DeepLinkingRules
	Groups      *GroupRules // nil: no groups service

	// NotOffered says why the platform lacks a service: "groups" or "caliper" to one sentence with the source.
	NotOffered map[string]string

	Concludes bool // PlatformConfig.Concluded takes the course's services away
	// Throttle answers when there are too many requests. Nil means 429 with Retry-After.
	Throttle func(w http.ResponseWriter)

	// Fail writes the answer of a service that refuses. body is the request's body where there was one.
	Fail   func(w http.ResponseWriter, r *http.Request, f *failure, body []byte)
	Encode func(v any) ([]byte, error) // JSON as the platform writes it
}

// KeyRules describe the platform's key set.
type KeyRules struct {
	Count     int // keys published
	Signing   int // index of the one that signs
	Kid       func(at time.Time, n int, random io.Reader) (string, error)
	Headers   map[string]string // of the key set's answer
	Without   []string          // members that published keys lack
	PerTool   bool              // each tool's own key set; JWKSPath names the tool
	SortByKid bool              // published in the order of the kid, not of age
	KeepOld   bool              // a rotated key stays published until the next rotation
}

// TokenRules describe the token endpoint.
type TokenRules struct {
	UserAgent     string                      // sent when the tool's key set is fetched
	MaxAge        time.Duration               // iat not older; zero: not checked
	MaxAhead      time.Duration               // iat and nbf not further ahead
	MaxLate       time.Duration               // exp not longer ago
	ByPath        bool                        // TokenPath names the tool; the sub is looked at in strict mode only
	AnyKey        bool                        // lax: a missing kid is fine, all keys of the tool are tried
	Widen         func(scope string) []string // scopes that are granted along; nil: none
	Checks        AssertionChecks
	PartialScopes bool   // grant those that are allowed, instead of refusing all
	EmptyScopes   bool   // with PartialScopes: answer 200 even if none is allowed
	TokenType     string // empty: Bearer
	AccessToken   func(p *Platform, t *tool, scopes []string) (string, error)
	Answer        func(w http.ResponseWriter, body []byte)
	Fail          func(w http.ResponseWriter, f *tokenFailure)
}

// AssertionChecks name the checks of a client assertion that the real platform makes; in strict mode all are made.
type AssertionChecks struct {
	Audience, Issuer, JTI, Replay, Times, Deployment bool
}

// AGSRules describe the Assignment and Grade Services.
type AGSRules struct {
	PlatformScopes  []string // further scopes named in the claim
	CreateStatus    int      // when a line item was made; zero: 201
	CheckAccept     func(r *http.Request, media string) bool
	CheckScore      func(p *Platform, li *LineItem, s *scorePost, prev *Grade) *failure
	ApplyScore      func(p *Platform, li *LineItem, s *scorePost, prev *Grade) *Grade // nil: the grade goes
	ScoreAnswer     func(w http.ResponseWriter, p *Platform, li *LineItem, s *scorePost)
	ScoreMediaExact bool // refuse other content types even in lax mode
	LineItemJSON    func(p *Platform, t *tool, li *LineItem) map[string]any
	CheckDelete     func(li *LineItem) *failure
	Page            func(u *url.URL, total int) pageWindow
	ResultsPage     func(u *url.URL, total int) (pageWindow, *failure)
	OneItemOnly     bool                                      // the claim names a line item only while the link has exactly one
	NoLinkItem      bool                                      // a link has no line item until somebody makes one
	ScoreMedia      []string                                  // further content types of scores
	LinkFilter      string                                    // name of the filter for a link; empty: resource_link_id
	EchoCreate      bool                                      // a new line item is answered as it came, with its id
	ForgetsMore     bool                                      // dates and the like are not kept
	OneResultListed bool                                      // ResultPath answers with a list
	CheckItem       func(in *itemBody, li *LineItem) *failure // a new line item (li is nil) or a change; nil: no more rules
}

// NRPSRules describe the Names and Role Provisioning Services.
type NRPSRules struct {
	Versions     []string
	ContentType  string
	CheckAccept  func(r *http.Request) bool
	Role         func(pr *Person, role string) bool                            // does the person match the role filter?
	Link         func(p *Platform, t *tool, rlid string) (l *Link, f *failure) // nil: rlid is ignored
	LinkBeats    bool                                                          // rlid switches the role filter off
	Page         func(u *url.URL, total int) pageWindow
	Member       func(p *Platform, pr *Person) map[string]any
	Message      func(p *Platform, t *tool, l *Link, pr *Person) []map[string]any
	ContextID    func(p *Platform) string
	ContextKeys  []string // members of the context; nil: id, label and title
	EmptyBody    bool     // an empty roster is an empty body
	OnlyVisitors bool     // who never launched the tool is not listed
	AlwaysActive bool     // whoever is not active is not listed
	UnknownPages bool     // PlatformConfig.RosterPage makes pages
	UnknownDiffs bool     // PlatformConfig.Differences offers differences

	Enrollments func(q url.Values) bool                 // members come with their groups; nil: never
	Refuse      func(p *Platform, members int) *failure // a roster that is not given; nil: each is
	OwnID       func(p *Platform, r *http.Request) string
}

// pageWindow is a slice of a list and the Link header that goes with it.
type pageWindow struct {
	from, to int
	link     string
}

// Field is one parameter of a form, in the order it is sent.
type Field struct{ Name, Value string }

// profiles lists the platforms that can be simulated.
func profiles() []*Profile {
	return []*Profile{
		canvasProfile(), moodleProfile(), brightspaceProfile(), blackboardProfile(), sakaiProfile(), openEdXProfile(), schoologyProfile(),
	}
}

// ProfileNames returns the names of all platforms that can be simulated, in a fixed order.
func ProfileNames() []string {
	var names []string
	for _, p := range profiles() {
		names = append(names, p.Name)
	}
	return names
}

// failureKind says what a service found wrong; each platform has its own status and body for it.
type failureKind int

const (
	failUnauthorized failureKind = iota // no token, a bad or an expired one
	failScope                           // token lacks the scope
	failNoHandler                       // path, method or Accept not served
	failMediaType
	failMalformed
	failNumber        // a score is no number
	failMissing       // a required member is missing
	failStale         // an equal or newer score is stored
	failMaximum       // scoreGiven without a usable scoreMaximum
	failNotGradable   // user unknown or not a student
	failNotFound      // no such course, line item or person
	failForbidden     // not the tool's to change
	failMismatch      // resource link and line item do not fit
	failLocked        // the grade cannot be changed
	failTooMany       // more than the platform gives
	failPlatformError // an internal error of the platform
)

type failure struct {
	kind failureKind
	text string
}

func refuse(kind failureKind, text string) *failure { return &failure{kind, text} }

func plainJSON(v any) ([]byte, error) { return json.Marshal(v) }
