// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// readMessage reads the claims of LTI Core 1.3, sections 5.3 and 5.4, that make a launch, and those that its message
// type adds, in the order of the errors that help most. The token is verified by now.
func (v *Validator) readMessage(c *claims, registration *platform.Registration, accepted []lti.MessageType) (*Launch, error) {
	launch := &Launch{Registration: registration.Name, Issuer: registration.Issuer, ClientID: registration.ClientID}
	if err := checkVersion(c.Version); err != nil {
		return nil, err
	}
	var err error
	if launch.DeploymentID, err = identifier(lti.ClaimDeploymentID, c.DeploymentID); err != nil {
		return nil, err
	}
	if !isNull(c.Notice) {
		return nil, invalid(lti.ClaimNotice, "a notice is not a launch", "")
	}
	if launch.MessageType, err = checkMessageType(c.MessageType, registration, accepted); err != nil {
		return nil, err
	}
	launch.MessageName = textOr(c.MessageType)
	rule := messageRules[launch.MessageType]
	if launch.User, err = readUser(c, rule.user, registration); err != nil {
		return nil, err
	}
	if launch.Roles, err = readRoles(rule.roles, c.Roles); err != nil {
		return nil, err
	}
	launch.RoleSummary = lti.SummarizeRoles(launch.Roles)
	if launch.Context, err = readContext(rule.context, c.Context, launch.Issuer, launch.DeploymentID); err != nil {
		return nil, err
	}
	if launch.ResourceLink, err = readResourceLink(rule.resourceLink, c.ResourceLink, launch); err != nil {
		return nil, err
	}
	if launch.TargetLinkURI, err = v.readTarget(rule.target, c.TargetLinkURI, registration); err != nil {
		return nil, err
	}
	readOptional(c, launch)
	readMigration(c, registration, launch)
	launch.LTI11UserID = readLTI11UserID(c)
	if err := v.readContent(c, &rule, registration, launch); err != nil {
		return nil, err
	}
	return launch, nil
}

func checkVersion(value jsontext.Value) error {
	version, ok := text(value)
	if ok && version == lti.Version {
		return nil
	}
	if value == nil {
		return missing(lti.ClaimVersion)
	}
	return lti.Errorf(lti.ReasonVersionUnsupported, "The message has the LTI version %q, not %q.", lti.Excerpt(string(value)), lti.Version).
		With("expected", lti.Version).With("actual", lti.Excerpt(string(value)))
}

// checkMessageType accepts a message type that is known, that the registration enables, and that the caller's route
// serves.
func checkMessageType(value jsontext.Value, registration *platform.Registration, accepted []lti.MessageType) (lti.MessageType, error) {
	if value == nil {
		return "", missing(lti.ClaimMessageType)
	}
	name, ok := text(value)
	message, known := lti.ParseMessageType(name)
	if !ok || !known {
		return "", lti.Errorf(lti.ReasonMessageTypeUnknown, "The message type %q is not supported.", lti.Excerpt(string(value))).With("actual", lti.Excerpt(string(value)))
	}
	for _, allowed := range [][]lti.MessageType{registration.MessageTypes, accepted} {
		if len(allowed) == 0 {
			allowed = []lti.MessageType{lti.MessageResourceLink}
		}
		if !slices.Contains(allowed, message) {
			var names []string
			for _, a := range allowed {
				names = append(names, string(a))
			}
			expected := strings.Join(names, " ")
			return "", lti.Errorf(lti.ReasonMessageTypeNotAccepted, "The message type %q is not accepted here; accepted: %s.", name, expected).
				With("actual", name).With("expected", expected)
		}
	}
	return message, nil
}

// readUser reads the user. A missing sub is an anonymous launch, where the message type has such; an empty one is always refused, as the certification
// suite has it (sections 5.3.6.1 and 6.1.1 of the guide).
func readUser(c *claims, p presence, registration *platform.Registration) (*User, error) {
	if c.Subject == nil {
		if p == required {
			return nil, missing("sub")
		}
		if registration.AllowAnonymous {
			return nil, nil
		}
		return nil, lti.Errorf(lti.ReasonAnonymousNotAllowed, "The launch names no user (no sub), and the registration %q does not allow anonymous launches.", registration.Name)
	}
	id, err := identifier("sub", c.Subject)
	if err != nil {
		return nil, err
	}
	return &User{
		Key:        lti.UserKey(registration.SubjectNamespace, registration.Issuer, id),
		ID:         id,
		Name:       textOr(c.Name),
		GivenName:  textOr(c.GivenName),
		FamilyName: textOr(c.FamilyName),
		Email:      textOr(c.Email),
		Picture:    textOr(c.Picture),
		Locale:     textOr(c.Locale),
	}, nil
}

func readRoles(p presence, value jsontext.Value) ([]string, error) {
	if value == nil {
		return nil, p.absent(lti.ClaimRoles)
	}
	if _, ok := list(value); !ok {
		return nil, invalid(lti.ClaimRoles, "it must be a list", string(value))
	}
	roles := texts(value)
	for i, role := range roles {
		roles[i] = lti.ExpandRole(role)
	}
	return roles, nil
}

func isNull(value jsontext.Value) bool { return value == nil || value.Kind() == 'n' }

func readContext(p presence, value jsontext.Value, issuer, deploymentID string) (*Context, error) {
	if isNull(value) {
		return nil, p.absent(lti.ClaimContext)
	}
	if err := p.present(lti.ClaimContext); err != nil {
		return nil, err
	}
	members := object(value)
	if members == nil {
		return nil, invalid(lti.ClaimContext, "it must be an object", string(value))
	}
	id, err := identifier(lti.ClaimContext+".id", members["id"])
	if err != nil {
		return nil, err
	}
	return &Context{
		Key:   lti.Key("context", issuer, deploymentID, id),
		ID:    id,
		Label: textOr(members["label"]),
		Title: textOr(members["title"]),
		Types: texts(members["type"]),
	}, nil
}

func readResourceLink(p presence, value jsontext.Value, launch *Launch) (*ResourceLink, error) {
	if isNull(value) {
		return nil, p.absent(lti.ClaimResourceLink)
	}
	if err := p.present(lti.ClaimResourceLink); err != nil {
		return nil, err
	}
	members := object(value)
	if members == nil {
		return nil, invalid(lti.ClaimResourceLink, "it must be an object", string(value))
	}
	if id := members["id"]; p == optional && (isNull(id) || string(id) == `""`) {
		return nil, nil // where content is still to be picked, some write a link that is not there yet
	}
	id, err := identifier(lti.ClaimResourceLink+".id", members["id"])
	if err != nil {
		return nil, err
	}
	return &ResourceLink{
		Key:         lti.Key("resource_link", launch.Issuer, launch.DeploymentID, id),
		ID:          id,
		Title:       textOr(members["title"]),
		Description: textOr(members["description"]),
	}, nil
}

func (v *Validator) readTarget(p presence, value jsontext.Value, registration *platform.Registration) (string, error) {
	if value == nil || p == optional && (isNull(value) || string(value) == `""`) {
		return "", p.absent(lti.ClaimTargetLinkURI)
	}
	target, ok := text(value)
	if !ok {
		return "", invalid(lti.ClaimTargetLinkURI, "it must be a text", string(value))
	}
	return target, v.checkTarget(registration, target)
}

// readOptional reads what a launch can do without. Nothing in it is a reason to refuse.
func readOptional(c *claims, launch *Launch) {
	if launch.RoleSummary.Mentor {
		launch.MentoredUsers = texts(c.RoleScopeMentor)
	} else if !isNull(c.RoleScopeMentor) {
		launch.Remarks = append(launch.Remarks, "role_scope_mentor is ignored: the user has no Mentor role in the context")
	}
	var odd int
	if launch.Custom, odd = readCustom(c.Custom); odd > 0 {
		launch.Remarks = append(launch.Remarks, fmt.Sprintf("%d custom parameters are not texts and are given as JSON", odd))
	}
	if p := object(c.Presentation); p != nil {
		launch.Presentation = &Presentation{
			DocumentTarget: textOr(p["document_target"]),
			Height:         number(p["height"]),
			Width:          number(p["width"]),
			ReturnURI:      webURI(textOr(p["return_url"])),
			Locale:         textOr(p["locale"]),
		}
	}
	if p := object(c.ToolPlatform); p != nil {
		launch.Platform = &ToolPlatform{
			GUID:          textOr(p["guid"]),
			Name:          textOr(p["name"]),
			ProductFamily: textOr(p["product_family_code"]),
			Version:       textOr(p["version"]),
			Description:   textOr(p["description"]),
			URI:           webURI(textOr(p["url"])),
			ContactEmail:  textOr(p["contact_email"]),
		}
	}
	if l := object(c.LIS); l != nil {
		launch.LIS = &LIS{
			PersonSourcedID:         textOr(l["person_sourcedid"]),
			CourseOfferingSourcedID: textOr(l["course_offering_sourcedid"]),
			CourseSectionSourcedID:  textOr(l["course_section_sourcedid"]),
		}
	}
	if e := object(c.GradeEndpoint); e != nil {
		launch.Grades = &lti.GradeEndpoint{
			Registration: launch.Registration,
			DeploymentID: launch.DeploymentID,
			LineItemURI:  strings.TrimSpace(textOr(e["lineitem"])),
			LineItemsURI: strings.TrimSpace(textOr(e["lineitems"])),
			Scopes:       texts(e["scope"]),
		}
	}
	if m := object(c.NamesRoleService); m != nil && textOr(m["context_memberships_url"]) != "" {
		launch.Memberships = &lti.MembershipEndpoint{
			Registration:          launch.Registration,
			DeploymentID:          launch.DeploymentID,
			ContextMembershipsURI: strings.TrimSpace(textOr(m["context_memberships_url"])),
			ServiceVersions:       texts(m["service_versions"]),
		}
	}
	if g := object(c.GroupsService); g != nil && textOr(g["context_groups_url"]) != "" {
		launch.Groups = &lti.GroupEndpoint{
			Registration:    launch.Registration,
			DeploymentID:    launch.DeploymentID,
			GroupsURI:       strings.TrimSpace(textOr(g["context_groups_url"])),
			GroupSetsURI:    strings.TrimSpace(textOr(g["context_group_sets_url"])),
			Scopes:          texts(g["scope"]),
			ServiceVersions: texts(g["service_versions"]),
		}
	}
	if e := object(c.CaliperService); e != nil && textOr(e["caliper_endpoint_url"]) != "" {
		launch.Events = &lti.EventEndpoint{
			Registration:       launch.Registration,
			DeploymentID:       launch.DeploymentID,
			URI:                strings.TrimSpace(textOr(e["caliper_endpoint_url"])),
			Scopes:             texts(e["scopes"]), // unlike the scope of the other services
			FederatedSessionID: textOr(e["caliper_federated_session_id"]),
		}
	}
}

// readCustom reads custom parameters. They should be texts; other values are given as JSON text, and counted.
func readCustom(value jsontext.Value) (custom map[string]string, odd int) {
	members := object(value)
	if len(members) == 0 {
		return nil, 0
	}
	custom = make(map[string]string, len(members))
	for name, value := range members {
		if s, ok := text(value); ok {
			custom[name] = s
		} else {
			custom[name] = alias(value)
			odd++
		}
	}
	return custom, odd
}

// webURI returns a URI that is safe to link to, and "" for any other: tools put it into pages.
func webURI(uri string) string {
	parsed, err := url.Parse(uri)
	if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return ""
	}
	return uri
}
