// SPDX-License-Identifier: Apache-2.0

package lti_test

import (
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/lti"
)

const (
	contextRoles     = "http://purl.imsglobal.org/vocab/lis/v2/membership"
	institutionRoles = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
	systemRoles      = "http://purl.imsglobal.org/vocab/lis/v2/system/person#"
	legacyRoles      = "http://purl.imsglobal.org/vocab/lis/v2/person#"
	testUser         = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
)

// The vocabulary of LTI Core 1.3, appendix A.2.
var (
	systemNames      = "Administrator None AccountAdmin Creator SysAdmin SysSupport User"
	institutionNames = "Administrator Faculty Guest None Other Staff Student Alumni Instructor Learner Member Mentor Observer ProspectiveStudent"
	subRoles         = map[string]string{
		"Administrator":    "Administrator Developer ExternalDeveloper ExternalSupport ExternalSystemAdministrator Support SystemAdministrator",
		"ContentDeveloper": "ContentDeveloper ContentExpert ExternalContentExpert Librarian",
		"Instructor":       "ExternalInstructor Grader GuestInstructor Lecturer PrimaryInstructor SecondaryInstructor TeachingAssistant TeachingAssistantGroup TeachingAssistantOffering TeachingAssistantSection TeachingAssistantSectionAssociation TeachingAssistantTemplate",
		"Learner":          "ExternalLearner GuestLearner Instructor Learner NonCreditLearner",
		"Manager":          "AreaManager CourseCoordinator ExternalObserver Manager Observer",
		"Member":           "Member",
		"Mentor":           "Advisor Auditor ExternalAdvisor ExternalAuditor ExternalLearningFacilitator ExternalMentor ExternalReviewer ExternalTutor LearningFacilitator Mentor Reviewer Tutor",
		"Officer":          "Chair Communications Secretary Treasurer Vice-Chair",
	}
)

// principalSummary is what a context role of a principal amounts to.
func principalSummary(principal, sub string) lti.RoleSummary {
	switch principal {
	case "Administrator":
		return lti.RoleSummary{Administrator: true}
	case "ContentDeveloper":
		return lti.RoleSummary{ContentDeveloper: true}
	case "Instructor":
		return lti.RoleSummary{Instructor: true, TeachingAssistant: strings.HasPrefix(sub, "TeachingAssistant")}
	case "Learner":
		return lti.RoleSummary{Learner: true}
	case "Mentor":
		return lti.RoleSummary{Mentor: true}
	}
	return lti.RoleSummary{}
}

// REQ-105 REQ-108
func TestEveryRoleOfTheVocabulary(t *testing.T) {
	t.Parallel()
	count := 0
	check := func(uri string, want lti.Role, summary lti.RoleSummary) {
		t.Helper()
		count++
		if got := lti.ParseRole(uri); got != want {
			t.Errorf("ParseRole(%q) = %+v, want %+v", uri, got, want)
		}
		if got := lti.SummarizeRoles([]string{uri}); got != summary {
			t.Errorf("SummarizeRoles(%q) = %+v, want %+v", uri, got, summary)
		}
	}
	for principal, subs := range subRoles {
		check(contextRoles+"#"+principal, lti.Role{Kind: lti.RoleContext, Principal: principal}, principalSummary(principal, ""))
		check(principal, lti.Role{Kind: lti.RoleContext, Principal: principal}, principalSummary(principal, ""))
		for sub := range strings.FieldsSeq(subs) {
			check(contextRoles+"/"+principal+"#"+sub, lti.Role{Kind: lti.RoleContext, Principal: principal, Sub: sub}, principalSummary(principal, sub))
		}
	}
	for name := range strings.FieldsSeq(systemNames) {
		elsewhere := name == "Administrator" || name == "SysAdmin" || name == "AccountAdmin"
		check(systemRoles+name, lti.Role{Kind: lti.RoleSystem, Principal: name}, lti.RoleSummary{AdministratorElsewhere: elsewhere})
	}
	for name := range strings.FieldsSeq(institutionNames) {
		for _, prefix := range []string{institutionRoles, legacyRoles} {
			check(prefix+name, lti.Role{Kind: lti.RoleInstitution, Principal: name}, lti.RoleSummary{AdministratorElsewhere: name == "Administrator"})
		}
	}
	check(testUser, lti.Role{Kind: lti.RoleTest, Principal: "TestUser"}, lti.RoleSummary{TestUser: true})
	if count != 8*2+51+7+14*2+1 {
		t.Errorf("%d roles were tried", count)
	}
}

// A role outside the vocabulary gives nothing, however much it looks like one inside.
//
// REQ-103 REQ-106
func TestUnknownRolesGiveNothing(t *testing.T) {
	t.Parallel()
	for _, role := range []string{
		"", "#", "instructor", "INSTRUCTOR", " Instructor", "Instructor ", "TeachingAssistant", "Student", "urn:lti:role:ims/lis/Instructor",
		contextRoles, contextRoles + "#", contextRoles + "#instructor", contextRoles + "#Instructor#Instructor", contextRoles + "#Helper",
		contextRoles + "Instructor", contextRoles + "/Instructor", contextRoles + "/Instructor#", contextRoles + "/#Instructor",
		contextRoles + "//Instructor#Grader", contextRoles + "/Helper#Instructor", contextRoles + "Instructor#Grader", contextRoles + "/#",
		"https" + strings.TrimPrefix(contextRoles, "http") + "#Instructor",
		"http://purl.imsglobal.org.evil.example/vocab/lis/v2/membership#Instructor",
		"x" + contextRoles + "#Instructor", testUser + "x", strings.ToUpper(contextRoles) + "#Instructor",
		"http://purl.imsglobal.org/vocab/lis/v2/unknown/unknown#Helper",
	} {
		if got := lti.ParseRole(role); got.Kind != lti.RoleUnknown || got.Principal != "" || got.Sub != "" {
			t.Errorf("ParseRole(%q) = %+v", role, got)
		}
		if got := lti.SummarizeRoles([]string{role}); got != (lti.RoleSummary{}) {
			t.Errorf("SummarizeRoles(%q) = %+v", role, got)
		}
	}
}

func TestSummaryOfSeveralRoles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		roles []string
		want  lti.RoleSummary
	}{
		{"none", nil, lti.RoleSummary{}},
		{"a learner's sub-role named Instructor", []string{contextRoles + "/Learner#Instructor"}, lti.RoleSummary{Learner: true}},
		{"a teacher elsewhere learns here", []string{institutionRoles + "Instructor", contextRoles + "#Learner"}, lti.RoleSummary{Learner: true}},
		{"the platform's administrator is nothing here", []string{systemRoles + "Administrator", institutionRoles + "Administrator"}, lti.RoleSummary{AdministratorElsewhere: true}},
		{"an assistant", []string{contextRoles + "/Instructor#TeachingAssistant", contextRoles + "#Instructor"}, lti.RoleSummary{Instructor: true, TeachingAssistant: true}},
		{"an assistant beside other roles", []string{contextRoles + "/Instructor#TeachingAssistantSection", contextRoles + "/Instructor#Grader"}, lti.RoleSummary{Instructor: true, TeachingAssistant: true}},
		{"a test student", []string{contextRoles + "#Learner", testUser}, lti.RoleSummary{Learner: true, TestUser: true}},
		{"all of it", []string{"Learner", "Instructor", "ContentDeveloper", "Mentor", "Administrator", "Manager", "Member", "Officer", "nonsense"},
			lti.RoleSummary{Learner: true, Instructor: true, ContentDeveloper: true, Mentor: true, Administrator: true}},
	} {
		if got := lti.SummarizeRoles(test.roles); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestExpandRole(t *testing.T) {
	t.Parallel()
	for principal := range subRoles {
		if got, want := lti.ExpandRole(principal), contextRoles+"#"+principal; got != want {
			t.Errorf("ExpandRole(%q) = %q, want %q", principal, got, want)
		}
	}
	for _, other := range []string{"", "learner", "Student", "TestUser", contextRoles + "#Learner", testUser} {
		if got := lti.ExpandRole(other); got != other {
			t.Errorf("ExpandRole(%q) = %q", other, got)
		}
	}
}
