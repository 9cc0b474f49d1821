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
	ClaimGroups             = "https://purl.imsglobal.org/spec/lti-gs/claim/groupsservice"
	ClaimCaliper            = "https://purl.imsglobal.org/spec/lti-ces/claim/caliper-endpoint-service"
)

// Claim names of the further messages: Deep Linking 2.0, Submission Review 1.0, Asset Processor 1.0, Platform
// Notification Service 1.0, and migration from LTI 1.1.
const (
	deepLinkingPrefix = "https://purl.imsglobal.org/spec/lti-dl/claim/"

	ClaimDeepLinkingSettings     = deepLinkingPrefix + "deep_linking_settings"
	ClaimContentItems            = deepLinkingPrefix + "content_items"
	ClaimDeepLinkingData         = deepLinkingPrefix + "data"
	ClaimDeepLinkingMessage      = deepLinkingPrefix + "msg"
	ClaimDeepLinkingLog          = deepLinkingPrefix + "log"
	ClaimDeepLinkingErrorMessage = deepLinkingPrefix + "errormsg"
	ClaimDeepLinkingErrorLog     = deepLinkingPrefix + "errorlog"

	ClaimForUser         = claimPrefix + "for_user"
	ClaimActivity        = claimPrefix + "activity"
	ClaimSubmission      = claimPrefix + "submission"
	ClaimAsset           = claimPrefix + "asset"
	ClaimAssetReportType = claimPrefix + "assetreport_type"
	ClaimAssetService    = claimPrefix + "assetservice"
	ClaimAssetReport     = claimPrefix + "assetreport"
	ClaimEULAService     = claimPrefix + "eulaservice"
	ClaimNoticeService   = claimPrefix + "platformnotificationservice"
	ClaimNotice          = claimPrefix + "notice"
	ClaimOriginContexts  = claimPrefix + "origin_contexts"
	ClaimLTI11           = claimPrefix + "lti1p1"
	ClaimLTI11UserID     = claimPrefix + "lti11_legacy_user_id"
)

// Claim names of Proctoring Services 1.0.
const (
	proctoringPrefix = "https://purl.imsglobal.org/spec/lti-ap/claim/"

	ClaimStartAssessmentURL  = proctoringPrefix + "start_assessment_url"
	ClaimSessionData         = proctoringPrefix + "session_data"
	ClaimAttemptNumber       = proctoringPrefix + "attempt_number"
	ClaimProctoringSettings  = proctoringPrefix + "proctoring_settings"
	ClaimAssessmentControl   = proctoringPrefix + "acs"
	ClaimVerifiedUser        = proctoringPrefix + "verified_user"
	ClaimEndAssessmentReturn = proctoringPrefix + "end_assessment_return"
	ClaimErrorMessage        = proctoringPrefix + "errormsg"
	ClaimErrorLog            = proctoringPrefix + "errorlog"
)

// Version is the only value of the version claim (section 5.3.2).
const Version = "1.3.0"

// Scopes of the services.
const (
	ScopeLineItem         = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
	ScopeLineItemReadOnly = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem.readonly"
	ScopeResultReadOnly   = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"

	ScopeScore       = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
	ScopeMemberships = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
	ScopeGroups      = "https://purl.imsglobal.org/spec/lti-gs/scope/contextgroup.readonly"
	ScopeSendEvents  = "https://purl.imsglobal.org/spec/lti-ces/v1p0/scope/send"
)

// Media types of the services.
const (
	MediaTypeLineItem  = "application/vnd.ims.lis.v2.lineitem+json"
	MediaTypeLineItems = "application/vnd.ims.lis.v2.lineitemcontainer+json"
	MediaTypeResults   = "application/vnd.ims.lis.v2.resultcontainer+json"

	MediaTypeScore       = "application/vnd.ims.lis.v1.score+json"
	MediaTypeMemberships = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
	MediaTypeGroups      = "application/vnd.ims.lti-gs.v1.contextgroupcontainer+json"
	MediaTypeGroupSets   = "application/vnd.ims.lti-gs.v1.contextgroupsetcontainer+json"
)

// MessageType is the kind of an LTI message, as it stands in the message_type claim (section 5.3.1).
type MessageType string

// Message types that a platform sends and a tool can accept.
const (
	MessageResourceLink           MessageType = "LtiResourceLinkRequest"
	MessageDeepLinking            MessageType = "LtiDeepLinkingRequest"
	MessageSubmissionReview       MessageType = "LtiSubmissionReviewRequest"
	MessageDataPrivacy            MessageType = "DataPrivacyLaunchRequest"
	MessageStartProctoring        MessageType = "LtiStartProctoring"
	MessageEndAssessment          MessageType = "LtiEndAssessment"
	MessageAssetProcessorSettings MessageType = "LtiAssetProcessorSettingsRequest"
	MessageReportReview           MessageType = "LtiReportReviewRequest"
	MessageEULA                   MessageType = "LtiEulaRequest"
)

// Message types that a tool sends. They are never accepted as launches.
const (
	MessageDeepLinkingResponse MessageType = "LtiDeepLinkingResponse"
	MessageStartAssessment     MessageType = "LtiStartAssessment"
)

// messageDataPrivacyToo is how some platforms write MessageDataPrivacy.
const messageDataPrivacyToo = "LtiDataPrivacyLaunchRequest"

// MessageTypes returns the message types that a registration can enable.
func MessageTypes() []MessageType {
	return []MessageType{
		MessageResourceLink, MessageDeepLinking, MessageSubmissionReview, MessageDataPrivacy, MessageStartProctoring,
		MessageEndAssessment, MessageAssetProcessorSettings, MessageReportReview, MessageEULA,
	}
}

// ParseMessageType returns the message type of a name, and false for a name that no platform sends. Names are compared
// exactly; the data privacy launch has two.
func ParseMessageType(name string) (MessageType, bool) {
	if name == messageDataPrivacyToo {
		return MessageDataPrivacy, true
	}
	for _, known := range MessageTypes() {
		if string(known) == name {
			return known, true
		}
	}
	return "", false
}

// MaxIDLength is the longest sub, deployment, context or resource link id, in characters (sections 5.3.3 to 5.4.1).
const MaxIDLength = 255
