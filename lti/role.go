// SPDX-License-Identifier: Apache-2.0

package lti

import "strings"

// Role URIs by vocabulary (LTI Core 1.3, appendix A.2).
const (
	rolePrefixContext     = "http://purl.imsglobal.org/vocab/lis/v2/membership"
	rolePrefixInstitution = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
	rolePrefixSystem      = "http://purl.imsglobal.org/vocab/lis/v2/system/person#"
	rolePrefixLegacy      = "http://purl.imsglobal.org/vocab/lis/v2/person#"
	roleTestUser          = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
)

// RoleKind is the vocabulary that a role belongs to.
type RoleKind int

// The kinds of roles.
const (
	RoleUnknown     RoleKind = iota // in none of the vocabularies
	RoleContext                     // what the user is in the course
	RoleInstitution                 // what the user is at the institution
	RoleSystem                      // what the user is at the platform
	RoleTest                        // the TestUser marker
)

// Role is a parsed role URI.
type Role struct {
	Kind      RoleKind
	Principal string // such as Instructor; the whole name for institution and system roles
	Sub       string // such as TeachingAssistant; empty for a principal role
}

var contextPrincipals = map[string]bool{
	"Administrator": true, "ContentDeveloper": true, "Instructor": true, "Learner": true,
	"Mentor": true, "Manager": true, "Member": true, "Officer": true,
}

// ExpandRole returns the URI of a role that a platform wrote as a short context role name, such as "Learner", and
// any other text unchanged. Short names exist for context roles only (appendix A.2.3).
func ExpandRole(role string) string {
	if contextPrincipals[role] {
		return rolePrefixContext + "#" + role
	}
	return role
}

// ParseRole parses a role URI or short name. An unknown one is of kind RoleUnknown: it gives no privilege and is no
// error. The principal of Learner#Instructor is Learner: a name is never searched for a word.
func ParseRole(role string) Role {
	role = ExpandRole(role)
	if role == roleTestUser {
		return Role{Kind: RoleTest, Principal: "TestUser"}
	}
	if name, ok := strings.CutPrefix(role, rolePrefixInstitution); ok {
		return Role{Kind: RoleInstitution, Principal: name}
	}
	if name, ok := strings.CutPrefix(role, rolePrefixSystem); ok {
		return Role{Kind: RoleSystem, Principal: name}
	}
	if name, ok := strings.CutPrefix(role, rolePrefixLegacy); ok {
		return Role{Kind: RoleInstitution, Principal: name}
	}
	rest, ok := strings.CutPrefix(role, rolePrefixContext)
	if !ok {
		return Role{}
	}
	if name, ok := strings.CutPrefix(rest, "#"); ok && contextPrincipals[name] {
		return Role{Kind: RoleContext, Principal: name}
	}
	principal, sub, ok := strings.Cut(strings.TrimPrefix(rest, "/"), "#")
	if ok && strings.HasPrefix(rest, "/") && contextPrincipals[principal] && sub != "" {
		return Role{Kind: RoleContext, Principal: principal, Sub: sub}
	}
	return Role{}
}

// RoleSummary is what a list of roles amounts to. Only context roles count, but for the last two.
type RoleSummary struct {
	Learner                bool `json:"learner,omitzero"`
	Instructor             bool `json:"instructor,omitzero"`
	ContentDeveloper       bool `json:"content_developer,omitzero"`
	Mentor                 bool `json:"mentor,omitzero"`
	Administrator          bool `json:"administrator,omitzero"`
	TeachingAssistant      bool `json:"teaching_assistant,omitzero"`
	AdministratorElsewhere bool `json:"administrator_elsewhere,omitzero"`
	TestUser               bool `json:"test_user,omitzero"`
}

// SummarizeRoles returns the summary of a list of roles.
func SummarizeRoles(roles []string) RoleSummary {
	var s RoleSummary
	for _, text := range roles {
		role := ParseRole(text)
		switch role.Kind {
		case RoleTest:
			s.TestUser = true
		case RoleInstitution:
			s.AdministratorElsewhere = s.AdministratorElsewhere || role.Principal == "Administrator"
		case RoleSystem:
			switch role.Principal {
			case "Administrator", "SysAdmin", "AccountAdmin":
				s.AdministratorElsewhere = true
			}
		case RoleContext:
			switch role.Principal {
			case "Learner":
				s.Learner = true
			case "Instructor":
				s.Instructor = true
				s.TeachingAssistant = s.TeachingAssistant || strings.HasPrefix(role.Sub, "TeachingAssistant")
			case "ContentDeveloper":
				s.ContentDeveloper = true
			case "Mentor":
				s.Mentor = true
			case "Administrator":
				s.Administrator = true
			}
		}
	}
	return s
}
