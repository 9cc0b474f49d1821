// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Binding says how a launch was tied to the browser that began the login.
type Binding string

// The bindings.
const (
	BindingCookie            Binding = "cookie"
	BindingPartitionedCookie Binding = "partitioned_cookie"
	BindingPlatformStorage   Binding = "platform_storage"
)

// Launch is a validated launch. Launch tokens seal it under the names of its JSON form; what has none stays out.
type Launch struct {
	ID            string                  `json:"id"`
	Registration  string                  `json:"registration"`
	Issuer        string                  `json:"issuer"`
	ClientID      string                  `json:"client_id"`
	DeploymentID  string                  `json:"deployment_id"`
	TargetLinkURI string                  `json:"target_link_uri"`
	MessageType   lti.MessageType         `json:"message_type"`
	User          *User                   `json:"user,omitzero"` // nil: anonymous
	Roles         []string                `json:"roles,omitzero"`
	RoleSummary   lti.RoleSummary         `json:"role_summary,omitzero"`
	Context       *Context                `json:"context,omitzero"`
	ResourceLink  *ResourceLink           `json:"resource_link,omitzero"`
	Custom        map[string]string       `json:"custom,omitzero"`
	Presentation  *Presentation           `json:"presentation,omitzero"`
	Platform      *ToolPlatform           `json:"platform,omitzero"`
	LIS           *LIS                    `json:"lis,omitzero"`
	Grades        *lti.GradeEndpoint      `json:"grades,omitzero"`
	Memberships   *lti.MembershipEndpoint `json:"memberships,omitzero"`
	Groups        *lti.GroupEndpoint      `json:"groups,omitzero"`
	Events        *lti.EventEndpoint      `json:"events,omitzero"`
	MentoredUsers []string                `json:"mentored_users,omitzero"`
	MessageName   string                  `json:"message_name,omitzero"` // the message type as the platform wrote it
	DeepLinking   *DeepLinkingSettings    `json:"deep_linking,omitzero"`
	ForUser       *ForUser                `json:"for_user,omitzero"`
	Proctoring    *Proctoring             `json:"proctoring,omitzero"`
	Activity      *Activity               `json:"activity,omitzero"`
	Submission    *Submission             `json:"submission,omitzero"`
	AssetID       string                  `json:"asset_id,omitzero"`
	ReportType    string                  `json:"report_type,omitzero"`
	AssetService  *AssetService           `json:"asset_service,omitzero"`
	Reports       *AssetReportService     `json:"reports,omitzero"`
	EULA          *EULAService            `json:"eula,omitzero"`
	Notices       *NoticeService          `json:"notices,omitzero"`
	Migration     *Migration              `json:"migration,omitzero"` // nil too where its signature is wrong
	LTI11UserID   string                  `json:"lti11_user_id,omitzero"`
	Binding       Binding                 `json:"binding"`
	Time          time.Time               `json:"time"`
	ClaimsJSON    string                  `json:"-"`
	Token         string                  `json:"-"` // launch token; empty where the launch does not fit
	TargetChanged bool                    `json:"-"` // the login named another target link URI; the claim counts
	Remarks       []string                `json:"-"` // what was passed over in the message, for the log
}

// User is the person who launched.
type User struct {
	Key        string `json:"key"`
	ID         string `json:"id"`
	Name       string `json:"name,omitzero"`
	GivenName  string `json:"given_name,omitzero"`
	FamilyName string `json:"family_name,omitzero"`
	Email      string `json:"email,omitzero"`
	Picture    string `json:"picture,omitzero"`
	Locale     string `json:"locale,omitzero"`
}

// Context is the course or group of a launch.
type Context struct {
	Key   string   `json:"key"`
	ID    string   `json:"id"`
	Label string   `json:"label,omitzero"`
	Title string   `json:"title,omitzero"`
	Types []string `json:"types,omitzero"`
}

// ResourceLink is the placed link that was opened.
type ResourceLink struct {
	Key         string `json:"key"`
	ID          string `json:"id"`
	Title       string `json:"title,omitzero"`
	Description string `json:"description,omitzero"`
}

// Presentation says how the platform shows the tool.
type Presentation struct {
	DocumentTarget string  `json:"document_target,omitzero"`
	Height         float64 `json:"height,omitzero"`
	Width          float64 `json:"width,omitzero"`
	ReturnURI      string  `json:"return_uri,omitzero"`
	Locale         string  `json:"locale,omitzero"`
}

// ToolPlatform is the product and the installation behind an issuer.
type ToolPlatform struct {
	GUID          string `json:"guid,omitzero"`
	Name          string `json:"name,omitzero"`
	ProductFamily string `json:"product_family,omitzero"`
	Version       string `json:"version,omitzero"`
	Description   string `json:"description,omitzero"`
	URI           string `json:"uri,omitzero"`
	ContactEmail  string `json:"contact_email,omitzero"`
}

// LIS carries identifiers of the institution's information system.
type LIS struct {
	PersonSourcedID         string `json:"person_sourcedid,omitzero"`
	CourseOfferingSourcedID string `json:"course_offering_sourcedid,omitzero"`
	CourseSectionSourcedID  string `json:"course_section_sourcedid,omitzero"`
}
