// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"net/http"
	"slices"
	"time"
)

// Dialect is how the services of one product differ from the specification, as data. A dialect decides how services are
// spoken to, never which algorithm, clock tolerance, audience or key is accepted. It is not changed.
type Dialect struct {
	Name string // as in the registration; empty for the specification's own behaviour

	ProductFamilies []string // product_family_code values that mean this dialect
	ServiceHosts    []string // hosts of the maker: service tokens may go to any host below them
	SharedClientID  bool     // one client id serves many customers, so foreign service origins wait for the operator

	TokenAudience string // aud of client assertions where the registration names the dialect and no audience; empty: the token URI

	LoginHintOnce bool // a login's hint is good once, so a login cannot be begun anew with it

	ScoreGrain          time.Duration // the smallest step between two score timestamps of one user and line item
	ExpiredTokenStatus  []int         // statuses besides 401 that an expired service token gets
	EmptyListIsRefusal  bool          // a score answered with 200 and the body [] was refused
	OutdatedScoreStatus []int         // statuses that mean: a score that is not older is already there
	OutdatedScoreWords  string        // words in the body of a 400 that mean the same; empty: none are known
	EqualScoreTaken     bool          // a score of an equal time is taken, so "outdated" proves nothing of an earlier try
	CanvasSubmission    bool          // the submission extension of Canvas is understood
	HTMLNotFoundIsFault bool          // 404 with an HTML page is the platform's own fault, not a missing thing
	CommentRequired     bool          // a score without a comment is refused, an empty one is taken
	ResourceLinkFilter  string        // parameter that filters line items by resource link; empty: resource_link_id
	LineItemIDRefused   bool          // a changed line item must not repeat its id
	ResultLimitBroken   bool          // results cannot be asked for with a limit
	GroupPagesBroken    bool          // the next links of groups lead nowhere, so no pages are asked for
	ThrottledStatus     []int         // statuses besides 429 that mean throttling where the body says so

	AnswerSubject   bool // messages of the tool need sub, which is the client id
	LinkURIRequired bool // a resource link without a URI of its own becomes an invalid one
	CustomByLine    bool // custom parameters are kept as lines of name=value, so they must not hold line breaks

	LineItemSetting string // one sentence: what to switch on where line items and results cannot be read or managed; empty: not known
	GradesSetting   string // one sentence: what to switch on where scores cannot be posted; empty: not known
	RosterSetting   string // one sentence: what to switch on where the roster cannot be read; empty: not known
}

// dialects is the table. The first row is the specification's own behaviour and the default; it takes 403 for an
// expired service token as well, as Sakai and Open edX mean it: one more request with a fresh token costs little, a lost
// score much.
var dialects = []Dialect{
	{
		ScoreGrain:          time.Millisecond,
		ExpiredTokenStatus:  []int{403},
		OutdatedScoreStatus: []int{409},
	},
	{
		Name:                "canvas",
		ProductFamilies:     []string{"canvas"},
		ServiceHosts:        []string{"instructure.com"},
		LoginHintOnce:       true,
		ScoreGrain:          time.Millisecond,
		OutdatedScoreStatus: []int{409},
		OutdatedScoreWords:  "before last updated",
		EqualScoreTaken:     true,
		CanvasSubmission:    true,
		ThrottledStatus:     []int{403},
		LineItemSetting:     "In Canvas, switch on the scopes of the developer key for line items and results, and open the tool from a course.",
		GradesSetting:       "In Canvas, switch on the score scope of the developer key, and open the tool from an assignment that has it as its submission type.",
		RosterSetting:       "In Canvas, switch on the developer key's scope to retrieve user data of the context.",
	},
	{
		Name:                "moodle",
		ProductFamilies:     []string{"moodle"},
		LoginHintOnce:       true,
		ScoreGrain:          time.Second,
		OutdatedScoreStatus: []int{409},
		EmptyListIsRefusal:  true,
		HTMLNotFoundIsFault: true,
		ResultLimitBroken:   true,
		CustomByLine:        true,
		LineItemSetting:     "In Moodle, set the tool's service \"IMS LTI Assignment and Grade Services\" to use it for grade sync and column management.",
		GradesSetting:       "In Moodle, set the tool's service \"IMS LTI Assignment and Grade Services\" to use grade sync, and let the activity accept grades from the tool.",
		RosterSetting:       "In Moodle, set the tool's service \"IMS LTI Names and Role Provisioning\" to retrieve members' information.",
	},
	// Brightspace, Blackboard and Schoology do not publish what their services refuse: there the default's values stand.
	{
		Name:                "brightspace",
		TokenAudience:       "https://api.brightspace.com/auth/token",
		ScoreGrain:          time.Millisecond,
		ExpiredTokenStatus:  []int{403},
		OutdatedScoreStatus: []int{409},
		LineItemSetting:     "In Brightspace, switch on the extension \"Assignment and Grade Services\" of the tool's registration and of its deployment.",
		GradesSetting:       "In Brightspace, switch on the extension \"Assignment and Grade Services\" of the registration and of the deployment; a link has no line item of its own until one is made for it.",
		RosterSetting:       "In Brightspace, switch on the extension \"Names and Role Provisioning Services\" of the registration and of the deployment.",
	},
	{
		Name:                "blackboard",
		LineItemIDRefused:   true,
		SharedClientID:      true,
		AnswerSubject:       true,
		LinkURIRequired:     true,
		ScoreGrain:          time.Millisecond,
		ExpiredTokenStatus:  []int{403},
		OutdatedScoreStatus: []int{409},
		LineItemSetting:     "In Blackboard, set \"Allow grade service access\" to Yes for the tool under LTI Tool Providers, and open it from a course.",
		GradesSetting:       "In Blackboard, set \"Allow grade service access\" to Yes for the tool under LTI Tool Providers, and let the link be graded.",
		RosterSetting:       "In Blackboard, set \"Allow Membership Service Access\" to Yes for the tool under LTI Tool Providers.",
	},
	{
		Name:                "sakai",
		ProductFamilies:     []string{"sakailms.org"},
		ResourceLinkFilter:  "lti_link_id",
		GroupPagesBroken:    true,
		ScoreGrain:          time.Millisecond,
		ExpiredTokenStatus:  []int{403},
		OutdatedScoreStatus: []int{409},
		LineItemSetting:     "In Sakai, check \"Allow External Tool to return grades\" for the tool, and place it in the site.",
		GradesSetting:       "In Sakai, check \"Allow External Tool to return grades\" for the tool, and give the link a column of the grade book.",
		RosterSetting:       "In Sakai, check \"Provide Roster to External Tool\" for the tool, and place it in the site.",
	},
	{
		Name:                "openedx",
		ScoreGrain:          time.Millisecond,
		ExpiredTokenStatus:  []int{403},
		OutdatedScoreStatus: []int{409},
		OutdatedScoreWords:  "already exists for the provided timestamp",
		LineItemSetting:     "In Studio of Open edX, set \"LTI Assignment and Grades Service\" of the component to let tools manage and submit grades (programmatic).",
		GradesSetting:       "In Studio of Open edX, set \"LTI Assignment and Grades Service\" of the component to anything but Disabled, and make the component graded.",
		RosterSetting:       "In Studio of Open edX, set \"Enable LTI NRPS\" of the component to True.",
	},
	{
		Name:                "schoology",
		SharedClientID:      true,
		ScoreGrain:          time.Millisecond,
		ExpiredTokenStatus:  []int{403},
		OutdatedScoreStatus: []int{409},
		CommentRequired:     true,
		LineItemSetting:     "In Schoology, open the tool from a course, not from the app menu.",
		GradesSetting:       "In Schoology, open the tool from a graded item of a course, not from the app menu.",
		RosterSetting:       "In Schoology, open the tool from a course, not from the app menu.",
	},
}

// DialectNamed returns the dialect of a name, or of a product_family_code. An unknown one gives the default.
func DialectNamed(name string) Dialect {
	for _, dialect := range dialects {
		if name != "" && (dialect.Name == name || slices.Contains(dialect.ProductFamilies, name)) {
			return dialect
		}
	}
	return dialects[0]
}

// DialectOf returns the dialect of a registration: its own, or else that of a product_family_code, which may be empty.
func DialectOf(r *Registration, productFamily string) Dialect {
	if r.Dialect != "" {
		return DialectNamed(r.Dialect)
	}
	return DialectNamed(productFamily)
}

// DialectNames returns the names that a registration can give.
func DialectNames() []string {
	var names []string
	for _, dialect := range dialects {
		if dialect.Name != "" {
			names = append(names, dialect.Name)
		}
	}
	return names
}

// TokenExpired reports whether a status can mean that the service token is no longer good.
func (d Dialect) TokenExpired(status int) bool {
	return status == http.StatusUnauthorized || slices.Contains(d.ExpiredTokenStatus, status)
}

// OutdatedScore reports whether an answer to a score means that the platform has one that is not older.
func (d Dialect) OutdatedScore(status int, body []byte) bool {
	return slices.Contains(d.OutdatedScoreStatus, status) ||
		status == http.StatusBadRequest && d.OutdatedScoreWords != "" && bytes.Contains(body, []byte(d.OutdatedScoreWords))
}

// Throttled reports whether an answer asks for fewer requests.
func (d Dialect) Throttled(status int, body []byte) bool {
	return status == http.StatusTooManyRequests ||
		slices.Contains(d.ThrottledStatus, status) && bytes.Contains(bytes.ToLower(body), []byte("rate limit exceeded"))
}
