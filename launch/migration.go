// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// readMigration reads the claim that tells who and what this was in LTI 1.1 (LTI Migration, section 6). A signature
// that does not fit the secret of its consumer key withholds all of it: the launch stands, the claim does not.
func readMigration(c *claims, registration *platform.Registration, launch *Launch) {
	members := object(c.LTI11)
	if members == nil {
		return
	}
	migration := &Migration{
		ConsumerKey:              textOr(members["oauth_consumer_key"]),
		UserID:                   textOr(members["user_id"]),
		ContextID:                textOr(members["context_id"]),
		ToolConsumerInstanceGUID: textOr(members["tool_consumer_instance_guid"]),
		ResourceLinkID:           textOr(members["resource_link_id"]),
	}
	sign := members["oauth_consumer_key_sign"]
	if isNull(sign) {
		launch.Migration = migration
		return
	}
	held := slices.IndexFunc(registration.LTI11, func(key platform.LTI11Key) bool { return key.ConsumerKey == migration.ConsumerKey })
	if held < 0 {
		launch.Migration = migration
		launch.Remarks = append(launch.Remarks, "the LTI 1.1 migration claim is unverified: lti11 of the registration has no secret for its consumer key")
		return
	}
	expires, err := numericDate("exp", c.Expires)
	nonce, ok := text(c.Nonce)
	if err == nil && ok {
		want := migrationSign(registration.LTI11[held].Secret, migration.ConsumerKey, launch.DeploymentID, registration.Issuer, registration.ClientID, strconv.FormatInt(expires.Unix(), 10), nonce)
		migration.Verified = hmac.Equal([]byte(want), []byte(textOr(sign)))
	}
	if !migration.Verified {
		launch.Remarks = append(launch.Remarks, "the LTI 1.1 migration claim is withheld: its signature does not fit the secret of its consumer key")
		return
	}
	launch.Migration = migration
}

// migrationSign returns oauth_consumer_key_sign: padded base64 of the raw HMAC-SHA-256 over the parts, joined with '&'
// and not escaped.
func migrationSign(secret platform.Secret, parts ...string) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(strings.Join(parts, "&")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// readLTI11UserID reads the user id of LTI 1.1 that some platforms send beside the migration claim.
func readLTI11UserID(c *claims) string {
	if id, err := identifier(lti.ClaimLTI11UserID, c.LTI11UserID); err == nil {
		return id
	}
	return ""
}
