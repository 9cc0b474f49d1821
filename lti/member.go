// SPDX-License-Identifier: Apache-2.0

package lti

// Member statuses (Names and Role Provisioning Services 2.0, "Membership status").
const (
	StatusActive   = "Active"
	StatusInactive = "Inactive"
	StatusDeleted  = "Deleted"
)

// Member is one person of a roster. All but UserID may be empty.
type Member struct {
	UserID            string
	Status            string   // one of the three
	Roles             []string // URIs; short names expanded
	Name              string
	GivenName         string
	FamilyName        string
	MiddleName        string
	Email             string
	Picture           string
	PersonSourcedID   string
	LTI11LegacyUserID string
	MessageJSON       string   // verbatim; empty where none came
	GroupIDs          []string // of the groups that the member is in; nil where none came
}

// RosterContext is the course or group of a roster.
type RosterContext struct {
	ID, Label, Title string
}

// MembershipEndpoint is where the roster of a launch's context is read.
type MembershipEndpoint struct {
	Registration          string   `json:"registration,omitzero"`
	DeploymentID          string   `json:"deployment_id,omitzero"`
	ContextMembershipsURI string   `json:"context_memberships_uri"`
	ServiceVersions       []string `json:"service_versions,omitzero"`
}
