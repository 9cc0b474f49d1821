// SPDX-License-Identifier: Apache-2.0

package lti

// Group is one group of a context (Course Groups 1.0). All but ID may be empty.
type Group struct {
	ID     string
	Name   string
	Tag    string
	Hidden bool     // not to be shown to learners
	SetIDs []string // of the sets that it is in
}

// GroupSet is a set of groups of a context, of which a learner is usually in one.
type GroupSet struct {
	ID     string
	Name   string
	Tag    string
	Hidden bool
}

// GroupEndpoint is where the groups of a launch's context are read.
type GroupEndpoint struct {
	Registration    string   `json:"registration,omitzero"`
	DeploymentID    string   `json:"deployment_id,omitzero"`
	GroupsURI       string   `json:"groups_uri"`
	GroupSetsURI    string   `json:"group_sets_uri,omitzero"` // empty: the platform has no sets
	Scopes          []string `json:"scopes,omitzero"`
	ServiceVersions []string `json:"service_versions,omitzero"`
}

// EventEndpoint is where Caliper events of a launch go (LTI Caliper Connector 1.0).
type EventEndpoint struct {
	Registration       string   `json:"registration,omitzero"`
	DeploymentID       string   `json:"deployment_id,omitzero"`
	URI                string   `json:"uri"`
	Scopes             []string `json:"scopes,omitzero"`
	FederatedSessionID string   `json:"federated_session_id,omitzero"` // to be put into each event
}
