// SPDX-License-Identifier: Apache-2.0

package lti

// Claim names of LTI Core 1.3, section 5.3 and 5.4, and of the services.
const (
	claimPrefix = "https://purl.imsglobal.org/spec/lti/claim/"

	ClaimMessageType        = claimPrefix + "message_type"
	ClaimVersion            = claimPrefix + "version"
	ClaimDeploymentID       = claimPrefix + "deployment_id"
	ClaimTargetLinkURI      = claimPrefix + "target_link_uri"
	ClaimResourceLink       = claimPrefix + "resource_link"
	ClaimRoles              = claimPrefix + "roles"
	ClaimContext            = claimPrefix + "context"
	ClaimToolPlatform       = claimPrefix + "tool_platform"
	ClaimRoleScopeMentor    = claimPrefix + "role_scope_mentor"
	ClaimLaunchPresentation = claimPrefix + "launch_presentation"
	ClaimLIS                = claimPrefix + "lis"
	ClaimCustom             = claimPrefix + "custom"
	ClaimGradeEndpoint      = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
	ClaimMemberships        = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
)

// Version is the only value of the version claim (section 5.3.2).
const Version = "1.3.0"

// Scopes of the services.
const (
	ScopeScore       = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
	ScopeMemberships = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
)

// Media types of the services.
const (
	MediaTypeScore       = "application/vnd.ims.lis.v1.score+json"
	MediaTypeMemberships = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
)

// MessageType is the kind of an LTI message, as it stands in the message_type claim (section 5.3.1).
type MessageType string

// Message types that a tool can accept.
const (
	MessageResourceLink MessageType = "LtiResourceLinkRequest"
)

// MessageTypes returns the message types that a registration can enable.
func MessageTypes() []MessageType { return []MessageType{MessageResourceLink} }

// MaxIDLength is the longest sub, deployment, context or resource link id, in characters (sections 5.3.3 to 5.4.1).
const MaxIDLength = 255
