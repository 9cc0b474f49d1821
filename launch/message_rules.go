// SPDX-License-Identifier: Apache-2.0

package launch

import "github.com/ltisidecar/ltisidecar/lti"

// presence says whether a claim may, must or must not come.
type presence int

const (
	optional presence = iota
	required
	forbidden
)

// messageRule says what a message type demands beyond version, deployment and times. A descriptive claim that is
// optional and malformed is passed over; context, resource link, target and roles are refused wherever they are
// malformed, because a tool decides by them.
type messageRule struct {
	user            presence // required: even where the registration allows anonymous launches
	roles           presence
	target          presence
	resourceLink    presence
	context         presence
	forUser         presence
	lineItem        presence // of the grade endpoint
	activity        presence
	submission      presence
	asset           presence
	assetReportType presence
	eulaService     presence

	deepLinking     bool // has deep linking settings
	startProctoring bool // has what LtiStartAssessment will repeat
	attempt         bool // has an attempt number
}

// messageRules has a row for each message type that can be accepted.
var messageRules = map[lti.MessageType]messageRule{
	// LTI Core 1.3, section 5.
	lti.MessageResourceLink: {roles: required, target: required, resourceLink: required},
	// Deep Linking 2.0, section 4.4, which lists neither target_link_uri nor resource_link and makes roles optional.
	lti.MessageDeepLinking: {deepLinking: true},
	// Submission Review 1.0.
	lti.MessageSubmissionReview: {roles: required, forUser: required, lineItem: required},
	// A data privacy launch belongs to a user and to no course.
	lti.MessageDataPrivacy: {roles: required, forUser: required, resourceLink: forbidden, context: forbidden},
	// Proctoring Services 1.0, section 4: it is about one user's attempt.
	lti.MessageStartProctoring: {user: required, roles: required, resourceLink: required, startProctoring: true, attempt: true},
	lti.MessageEndAssessment:   {roles: required, attempt: true},
	// Asset Processor 1.0.
	lti.MessageAssetProcessorSettings: {roles: required, context: required, activity: required},
	lti.MessageReportReview: {
		roles: required, activity: required, submission: required, asset: required, assetReportType: required, forUser: required,
	},
	lti.MessageEULA: {roles: required, resourceLink: forbidden, eulaService: required},
}

// absent judges a claim that did not come: nil unless it is required.
func (p presence) absent(claim string) error {
	if p == required {
		return missing(claim)
	}
	return nil
}

// present judges a claim that came: nil unless it is forbidden.
func (p presence) present(claim string) error {
	if p == forbidden {
		return invalid(claim, "it must not come with this message type", "")
	}
	return nil
}
