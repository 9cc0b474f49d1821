// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"

	"github.com/ltisidecar/ltisidecar/lti"
)

// isNotice reports whether a token says that it is a notice. One that has a message type as well is judged as a launch,
// which is refused for it.
func (i *inspection) isNotice() bool { return !isNull(i.claims.Notice) && i.claims.MessageType == nil }

// inspectNotice judges what makes a notice, and then the notice as a whole, by the code of ValidateNotices.
func (i *inspection) inspectNotice() {
	if i.registration == nil {
		i.skip("notice", "no registration comes close enough to judge it by")
		return
	}
	i.judge(shortClaim(lti.ClaimVersion), checkVersion(i.claims.Version), textOr(i.claims.Version))
	id, err := identifier(lti.ClaimDeploymentID, i.claims.DeploymentID)
	if i.judge(shortClaim(lti.ClaimDeploymentID), err, lti.Excerpt(id)) {
		i.inspectDeployment()
	}
	notice, err := i.readNotice()
	if refusal, ok := err.(*lti.Error); ok && i.saidBefore(refusal.Reason) {
		err = &lti.Error{Reason: refusal.Reason, Message: "See above."}
	}
	note := ""
	if err == nil {
		note = fmt.Sprintf("%s of %s, as ValidateNotices reads it", lti.Excerpt(notice.Type), formatTime(notice.Time))
	}
	i.judge("notice as a whole", err, note)
}
