// SPDX-License-Identifier: Apache-2.0

package lti

// Reason names one cause of a refusal or a failure. It is stable: tools compare it. It is UPPER_SNAKE and at most
// 63 characters (AIP-193). The list is closed and equal in proto/ltisidecar/v1/error_reason.proto and docs/errors.md.
type Reason string

// The reasons. Each is described in its row of the table that Reasons returns.
const (
	ReasonRequestInvalid          Reason = "REQUEST_INVALID"
	ReasonRegistrationUnknown     Reason = "REGISTRATION_UNKNOWN"
	ReasonLaunchURINotListed      Reason = "LAUNCH_URI_NOT_LISTED"
	ReasonParameterMissing        Reason = "PARAMETER_MISSING"
	ReasonParameterRepeated       Reason = "PARAMETER_REPEATED"
	ReasonParameterTooLong        Reason = "PARAMETER_TOO_LONG"
	ReasonMethodNotAllowed        Reason = "METHOD_NOT_ALLOWED"
	ReasonIssuerUnknown           Reason = "ISSUER_UNKNOWN"
	ReasonClientIDUnknown         Reason = "CLIENT_ID_UNKNOWN"
	ReasonRegistrationAmbiguous   Reason = "REGISTRATION_AMBIGUOUS"
	ReasonTargetLinkURINotAllowed Reason = "TARGET_LINK_URI_NOT_ALLOWED"
	ReasonPlatformDenied          Reason = "PLATFORM_DENIED"
	ReasonStateForged             Reason = "STATE_FORGED"
	ReasonStateExpired            Reason = "STATE_EXPIRED"
	ReasonStateStale              Reason = "STATE_STALE"
	ReasonStateOtherInstance      Reason = "STATE_OTHER_INSTANCE"
	ReasonStateMismatch           Reason = "STATE_MISMATCH"
	ReasonBindingMissing          Reason = "BINDING_MISSING"
	ReasonBindingMismatch         Reason = "BINDING_MISMATCH"
	ReasonTokenTooLarge           Reason = "TOKEN_TOO_LARGE"
	ReasonTokenMalformed          Reason = "TOKEN_MALFORMED"
	ReasonAlgorithmNotAllowed     Reason = "ALGORITHM_NOT_ALLOWED"
	ReasonHeaderUnsupported       Reason = "HEADER_UNSUPPORTED"
	ReasonKIDMissing              Reason = "KID_MISSING"
	ReasonKIDUnknown              Reason = "KID_UNKNOWN"
	ReasonKeyUnsuitable           Reason = "KEY_UNSUITABLE"
	ReasonKeyAmbiguous            Reason = "KEY_AMBIGUOUS"
	ReasonSignatureInvalid        Reason = "SIGNATURE_INVALID"
	ReasonIssuerMismatch          Reason = "ISSUER_MISMATCH"
	ReasonAudienceMismatch        Reason = "AUDIENCE_MISMATCH"
	ReasonAuthorizedPartyMismatch Reason = "AUTHORIZED_PARTY_MISMATCH"
	ReasonTokenExpired            Reason = "TOKEN_EXPIRED"
	ReasonTokenNotYetValid        Reason = "TOKEN_NOT_YET_VALID"
	ReasonNonceMismatch           Reason = "NONCE_MISMATCH"
	ReasonNonceReplayed           Reason = "NONCE_REPLAYED"
	ReasonClaimMissing            Reason = "CLAIM_MISSING"
	ReasonClaimInvalid            Reason = "CLAIM_INVALID"
	ReasonVersionUnsupported      Reason = "VERSION_UNSUPPORTED"
	ReasonMessageTypeUnknown      Reason = "MESSAGE_TYPE_UNKNOWN"
	ReasonMessageTypeNotAccepted  Reason = "MESSAGE_TYPE_NOT_ACCEPTED"
	ReasonAnonymousNotAllowed     Reason = "ANONYMOUS_NOT_ALLOWED"
	ReasonDeploymentUnknown       Reason = "DEPLOYMENT_UNKNOWN"
	ReasonDeploymentPending       Reason = "DEPLOYMENT_PENDING"
	ReasonDeploymentMismatch      Reason = "DEPLOYMENT_MISMATCH"
	ReasonLaunchTokenInvalid      Reason = "LAUNCH_TOKEN_INVALID"
	ReasonLaunchTokenExpired      Reason = "LAUNCH_TOKEN_EXPIRED"
	ReasonServiceNotOffered       Reason = "SERVICE_NOT_OFFERED"
	ReasonServiceOriginPending    Reason = "SERVICE_ORIGIN_PENDING"
	ReasonScopeNotGranted         Reason = "SCOPE_NOT_GRANTED"
	ReasonTokenRequestRefused     Reason = "TOKEN_REQUEST_REFUSED"
	ReasonServiceRefused          Reason = "SERVICE_REFUSED"
	ReasonScoreRefused            Reason = "SCORE_REFUSED"
	ReasonScoreOutdated           Reason = "SCORE_OUTDATED"
	ReasonLineItemNotFound        Reason = "LINE_ITEM_NOT_FOUND"
	ReasonPlatformAnswerInvalid   Reason = "PLATFORM_ANSWER_INVALID"
	ReasonJWKSInvalid             Reason = "JWKS_INVALID"
	ReasonAddressNotAllowed       Reason = "ADDRESS_NOT_ALLOWED"
	ReasonJWKSUnreachable         Reason = "JWKS_UNREACHABLE"
	ReasonPlatformUnreachable     Reason = "PLATFORM_UNREACHABLE"
	ReasonPlatformUnavailable     Reason = "PLATFORM_UNAVAILABLE"
	ReasonStoreUnavailable        Reason = "STORE_UNAVAILABLE"
	ReasonDeadlineExceeded        Reason = "DEADLINE_EXCEEDED"
	ReasonCanceled                Reason = "CANCELED"
	ReasonPlatformThrottled       Reason = "PLATFORM_THROTTLED"
	ReasonRosterTooLarge          Reason = "ROSTER_TOO_LARGE"
	ReasonInternal                Reason = "INTERNAL"
	ReasonLineItemAmbiguous       Reason = "LINE_ITEM_AMBIGUOUS"
	ReasonListTooLarge            Reason = "LIST_TOO_LARGE"
	ReasonDeliveryUnknown         Reason = "DELIVERY_UNKNOWN"
	ReasonRequestIDReused         Reason = "REQUEST_ID_REUSED"
	ReasonOutboxFull              Reason = "OUTBOX_FULL"
	ReasonOutboxHeld              Reason = "OUTBOX_HELD"
	ReasonStoreFull               Reason = "STORE_FULL"
	ReasonStoreClockSkew          Reason = "STORE_CLOCK_SKEW"
	ReasonOverloaded              Reason = "OVERLOADED"
)

// Code is the class of a reason. Its values are those of the gRPC status codes.
type Code uint32

// The codes in use.
const (
	CodeCanceled           Code = 1  // the caller went away
	CodeInvalidArgument    Code = 3  // something that only the tool itself sets is wrong
	CodeDeadlineExceeded   Code = 4  // the caller's deadline passed
	CodePermissionDenied   Code = 7  // a launch is refused; everything a browser can cause
	CodeResourceExhausted  Code = 8  // throttled or full
	CodeFailedPrecondition Code = 9  // the operator or the platform must change something
	CodeInternal           Code = 13 // a defect of the sidecar
	CodeUnavailable        Code = 14 // platform or store out of reach; trying again can help
)

// ReasonInfo describes a reason: its class, what happened, what to do, and which metadata may come along.
type ReasonInfo struct {
	Reason   Reason
	Code     Code
	Summary  string
	Fix      string
	Metadata []string
}

var reasonInfos = []ReasonInfo{
	{ReasonRequestInvalid, CodeInvalidArgument, "A field that the tool itself sets is missing or wrong.", "Correct the field named in the metadata; the message says what it takes.", []string{"field"}},
	{ReasonRegistrationUnknown, CodeInvalidArgument, "The tool named a registration that the sidecar does not have.", "Use a name from the configuration, or the endpoint exactly as a launch returned it.", []string{"registration", "expected"}},
	{ReasonLaunchURINotListed, CodeInvalidArgument, "The tool named a launch URI that its registration does not list.", "Add the URI to launch_uris of the registration, character for character, and register the same one with the platform.", []string{"registration", "expected", "actual"}},
	{ReasonParameterMissing, CodePermissionDenied, "A parameter that the message needs did not come.", "Check that the tool relays query and form parameters whole, and that the platform calls the right URL.", []string{"parameter"}},
	{ReasonParameterRepeated, CodePermissionDenied, "A known parameter came twice, so it is not clear which one counts.", "Start the launch again from the course; if it happens again, look for a proxy that merges query and form.", []string{"parameter"}},
	{ReasonParameterTooLong, CodePermissionDenied, "A parameter, a header, or the request as a whole is larger than the limit.", "Start the launch again from the course; a platform that needs more is worth a report.", []string{"parameter", "limit"}},
	{ReasonMethodNotAllowed, CodePermissionDenied, "The message came by an HTTP method that must not carry it.", "A login initiation is GET or POST; a launch is always a POST.", []string{"expected", "actual"}},
	{ReasonIssuerUnknown, CodePermissionDenied, "No registration has the issuer that began the login.", "Add a registration with exactly this issuer, or correct the issuer; mind trailing slash, http and https.", []string{"issuer", "expected"}},
	{ReasonClientIDUnknown, CodePermissionDenied, "The issuer is registered, but not with the client id that began the login.", "Add a registration with this issuer and client id, or correct the client id.", []string{"issuer", "client_id", "expected"}},
	{ReasonRegistrationAmbiguous, CodePermissionDenied, "The login named no client id, and the issuer has several registrations.", "Give each registration a login URL of its own and name the registration in BuildAuthRequest.", []string{"issuer"}},
	{ReasonTargetLinkURINotAllowed, CodePermissionDenied, "The target link URI lies outside the tool.", "Correct the link at the platform, or list its origin under target_origins of the registration.", []string{"registration", "expected", "actual"}},
	{ReasonPlatformDenied, CodePermissionDenied, "The platform answered the authentication request with an error instead of a launch.", "Read platform_error: login_required asks the user to sign in to the platform, launch_no_longer_valid to open the link again.", []string{"registration", "platform_error", "platform_description"}},
	{ReasonStateForged, CodePermissionDenied, "The state was not made by this sidecar, or was changed on the way.", "Start the launch again from the course; if it happens again, look for what alters the state parameter.", nil},
	{ReasonStateExpired, CodePermissionDenied, "The login took longer than the state lives.", "Start the launch again from the course; if it happens at once, compare the clocks of the replicas.", []string{"expired_time"}},
	{ReasonStateStale, CodePermissionDenied, "The login began before the memory of used launches was lost or replaced, so it can no longer be proved unused.", "Start the launch again from the course. It happens after an unclean restart and needs no repair.", nil},
	{ReasonStateOtherInstance, CodePermissionDenied, "The login began at another sidecar.", "Two sidecars answer for one tool without sharing a store: run one, or route each user to the same one.", []string{"expected", "actual"}},
	{ReasonStateMismatch, CodePermissionDenied, "The launch came back to another caller or launch URI than the login was for.", "Give BuildAuthRequest and ValidateLaunch the same launch_uri.", []string{"expected", "actual"}},
	{ReasonBindingMissing, CodePermissionDenied, "The browser returned neither login cookie nor proof from the platform's storage.", "The browser blocks cookies in frames, or the tool does not relay Set-Cookie or Cookie: open the tool in a new window, and check the relay.", []string{"registration", "cookies", "sec_fetch_dest", "sec_fetch_storage_access"}},
	{ReasonBindingMismatch, CodePermissionDenied, "The launch came from another browser than the one that began the login.", "Start the launch again from the course, in one browser.", []string{"registration", "cookies", "sec_fetch_dest", "sec_fetch_storage_access"}},
	{ReasonTokenTooLarge, CodePermissionDenied, "The id_token is larger than the limit.", "Reduce custom parameters at the platform.", []string{"limit"}},
	{ReasonTokenMalformed, CodePermissionDenied, "The id_token is not a well-formed compact JWS with strict JSON inside.", "Check that nothing on the way alters the form; report the platform otherwise.", []string{"detail"}},
	{ReasonAlgorithmNotAllowed, CodePermissionDenied, "The id_token names a signature algorithm that its registration does not allow.", "LTI platforms sign with RS256; another one must be listed under algorithms of the registration.", []string{"registration", "expected", "actual"}},
	{ReasonHeaderUnsupported, CodePermissionDenied, "The id_token's header asks for processing that LTI does not use (crit, b64, zip, or encryption).", "Report it to the platform.", []string{"detail"}},
	{ReasonKIDMissing, CodePermissionDenied, "The id_token's header names no key.", "Report it to the platform: LTI requires kid.", []string{"registration"}},
	{ReasonKIDUnknown, CodePermissionDenied, "The platform's key set has no key of this name.", "Check jwks_uri of the registration; after a key rotation, try again in half a minute.", []string{"registration", "kid", "held_kids", "fetched_time"}},
	{ReasonKeyUnsuitable, CodePermissionDenied, "The platform's key of this name cannot be used for this signature.", "Report it to the platform: RSA of 2048 to 8192 bits for signatures.", []string{"registration", "kid", "detail"}},
	{ReasonKeyAmbiguous, CodePermissionDenied, "The platform's key set has several fitting keys of this name.", "Report it to the platform.", []string{"registration", "kid"}},
	{ReasonSignatureInvalid, CodePermissionDenied, "The id_token's signature does not fit the platform's key.", "Check that jwks_uri belongs to the platform that launched; otherwise the token was altered.", []string{"registration", "kid"}},
	{ReasonIssuerMismatch, CodePermissionDenied, "The id_token's issuer is not the one of the registration that began the login.", "Correct issuer in the registration; mind trailing slash, http and https.", []string{"registration", "expected", "actual"}},
	{ReasonAudienceMismatch, CodePermissionDenied, "The id_token is not meant for this tool.", "Correct client_id in the registration.", []string{"registration", "expected", "actual"}},
	{ReasonAuthorizedPartyMismatch, CodePermissionDenied, "The id_token's authorized party (azp) is not this tool.", "Correct client_id in the registration.", []string{"registration", "expected", "actual"}},
	{ReasonTokenExpired, CodePermissionDenied, "The id_token has expired.", "Compare the clocks of sidecar and platform: clock_skew is how far the token lies in the past, in seconds, as a negative number; measured_skew is how far the platform's clock was ahead of ours.", []string{"registration", "expired_time", "clock_skew", "measured_skew"}},
	{ReasonTokenNotYetValid, CodePermissionDenied, "The id_token is from the future.", "Compare the clocks of sidecar and platform: clock_skew is how far the token lies ahead, in seconds; measured_skew is how far the platform's clock was ahead of ours.", []string{"registration", "claim", "clock_skew", "measured_skew"}},
	{ReasonNonceMismatch, CodePermissionDenied, "The id_token answers another authentication request than the one its state belongs to.", "Start the launch again from the course.", []string{"registration"}},
	{ReasonNonceReplayed, CodePermissionDenied, "This launch was accepted before.", "Open the link again from the course. After a browser reload, redirect to the session of launch_id; answer launches with 303 to prevent it.", []string{"registration", "launch_id", "first_used_time"}},
	{ReasonClaimMissing, CodePermissionDenied, "The id_token lacks a claim that the message needs.", "Check the platform's tool settings; metadata names the claim.", []string{"registration", "claim"}},
	{ReasonClaimInvalid, CodePermissionDenied, "A claim of the id_token has a value that is not allowed.", "Check the platform's tool settings; metadata names the claim and the value's defect.", []string{"registration", "claim", "expected", "actual"}},
	{ReasonVersionUnsupported, CodePermissionDenied, "The message is not LTI 1.3.0.", "Register the tool as LTI 1.3 at the platform.", []string{"registration", "expected", "actual"}},
	{ReasonMessageTypeUnknown, CodePermissionDenied, "The message type is not one that a platform sends to a tool, or is not supported.", "Check the placement at the platform.", []string{"registration", "actual"}},
	{ReasonMessageTypeNotAccepted, CodePermissionDenied, "The message type is known, but this route of the tool or its registration does not accept it.", "List it under message_types of the registration and in accept_message_types of the call.", []string{"registration", "expected", "actual"}},
	{ReasonAnonymousNotAllowed, CodePermissionDenied, "The launch names no user, and the registration does not allow anonymous launches.", "Open the link as a signed-in user, or set anonymous: accept in the registration.", []string{"registration"}},
	{ReasonDeploymentUnknown, CodePermissionDenied, "The deployment is not one that the registration lists.", "Add the deployment id to deployments of the registration.", []string{"registration", "deployment_id", "expected"}},
	{ReasonDeploymentPending, CodePermissionDenied, "The deployment is new and waits for the operator.", "Approve it by adding the deployment id to deployments of the registration.", []string{"registration", "deployment_id"}},
	{ReasonDeploymentMismatch, CodePermissionDenied, "The launch names another deployment than the login did.", "Start the launch again from the course.", []string{"registration", "expected", "actual"}},
	{ReasonLaunchTokenInvalid, CodePermissionDenied, "The launch token was not issued to this caller by this sidecar, or was changed.", "Start the launch again from the course.", nil},
	{ReasonLaunchTokenExpired, CodePermissionDenied, "The launch token has expired.", "Start the launch again from the course; renew tokens with CheckLaunchToken while the user works.", []string{"expired_time"}},
	{ReasonServiceNotOffered, CodeFailedPrecondition, "The platform did not offer this service with the launch.", "Switch the service on for this tool at the platform, then launch again; metadata says what was missing.", []string{"registration", "missing"}},
	{ReasonServiceOriginPending, CodeFailedPrecondition, "The service's address lies on a host that this registration has not been bound to.", "Check the address, and list its origin under service_origins of the registration.", []string{"registration", "actual", "expected"}},
	{ReasonScopeNotGranted, CodeFailedPrecondition, "The platform granted fewer scopes than the call needs.", "Allow the scope for this tool at the platform.", []string{"registration", "expected", "actual", "pages", "members"}},
	{ReasonTokenRequestRefused, CodeFailedPrecondition, "The platform's token endpoint refused the request.", "Read platform_error: check client_id, token_uri, token_audience, and that the platform can fetch the tool's JWKS.", []string{"registration", "platform_status", "platform_error", "pages", "members"}},
	{ReasonServiceRefused, CodeFailedPrecondition, "The platform's service refused the request.", "Read platform_status: check that the tool is still deployed in the course and allowed the service.", []string{"registration", "platform_status", "platform_error", "pages", "members"}},
	{ReasonScoreRefused, CodeFailedPrecondition, "The platform refused the score, and would refuse it again.", "Read platform_status and platform_error: often the user is no student of the course, or the line item is locked.", []string{"registration", "platform_status", "platform_error"}},
	{ReasonScoreOutdated, CodeFailedPrecondition, "The platform already has a score that is not older than this one.", "Nothing is lost: the newer score stands. Set score_time to when the student earned it.", []string{"registration", "platform_status"}},
	{ReasonLineItemNotFound, CodeFailedPrecondition, "The platform no longer has the line item.", "Launch again from the course to get its present line item.", []string{"registration", "platform_status"}},
	{ReasonPlatformAnswerInvalid, CodeFailedPrecondition, "The platform answered with something that is not what the specification promises.", "Report it to the platform; metadata names the defect.", []string{"registration", "detail", "platform_status", "pages", "members"}},
	{ReasonJWKSInvalid, CodeFailedPrecondition, "The answer of the platform's JWKS URI is not a key set.", "Check jwks_uri of the registration: it must answer {\"keys\": [...]}.", []string{"registration", "detail"}},
	{ReasonAddressNotAllowed, CodeFailedPrecondition, "The platform's host has an address that the sidecar does not connect to.", "List the network under outbound.allow_cidrs where the platform is on a private one.", []string{"registration", "actual", "pages", "members"}},
	{ReasonJWKSUnreachable, CodeUnavailable, "The platform's keys could not be fetched.", "Try again; check DNS, proxy and certificates towards jwks_uri.", []string{"registration", "detail"}},
	{ReasonPlatformUnreachable, CodeUnavailable, "The platform could not be reached, or did not answer in time.", "Try again; a score that the sidecar has taken is tried again by itself.", []string{"registration", "detail", "pages", "members"}},
	{ReasonPlatformUnavailable, CodeUnavailable, "The platform answered that it cannot serve the request now.", "Try again later.", []string{"registration", "platform_status", "pages", "members"}},
	{ReasonStoreUnavailable, CodeUnavailable, "The sidecar's own store cannot be written or read.", "Check disk space and the data directory; launches are refused while it lasts.", nil},
	{ReasonDeadlineExceeded, CodeDeadlineExceeded, "The caller's deadline passed first.", "Give the call more time: 10 s for ValidateLaunch.", []string{"pages", "members"}},
	{ReasonCanceled, CodeCanceled, "The caller went away.", "Nothing to do.", nil},
	{ReasonPlatformThrottled, CodeResourceExhausted, "The platform limits the rate of requests.", "Wait as long as the RetryInfo says.", []string{"registration", "platform_status", "pages", "members"}},
	{ReasonRosterTooLarge, CodeResourceExhausted, "The roster has more pages or members than the limit.", "Ask with a role or a page_size_hint, or report it.", []string{"registration", "limit", "pages", "members"}},
	{ReasonInternal, CodeInternal, "A defect of the sidecar.", "Report it with the request id.", nil},
	{ReasonLineItemAmbiguous, CodeFailedPrecondition, "Several line items fit what the tool wants, so it is not clear which one is meant.", "Give resource_id or tag too, or delete the surplus columns at the platform; matches lists some of them.", []string{"registration", "matches"}},
	{ReasonListTooLarge, CodeResourceExhausted, "The platform's list has more pages or entries than the limit.", "Ask with a filter, or report it.", []string{"registration", "limit"}},
	{ReasonDeliveryUnknown, CodeInvalidArgument, "The tool named a delivery that the sidecar does not have.", "Use a delivery id of this registration as PostScore or a list returned it; deliveries are kept 90 days.", []string{"registration", "delivery_id"}},
	{ReasonRequestIDReused, CodeInvalidArgument, "The request id was used before, with another score.", "Give each score a request id of its own; repeat one only with the same score.", []string{"registration", "request_id", "delivery_id"}},
	{ReasonOutboxFull, CodeResourceExhausted, "The sidecar holds as many undelivered scores and events as its limit allows.", "Find out why the platform does not take them (list the deliveries), then try again; nothing was taken by this call.", []string{"limit"}},
	{ReasonOutboxHeld, CodeFailedPrecondition, "The outbox was restored or copied, so it is not certain which of its scores were sent since; it waits for the operator.", "Compare with the platform, then start once with --release-outbox to send what is queued, or --discard-outbox to drop it.", nil},
	{ReasonStoreFull, CodeResourceExhausted, "The disk of the sidecar's own store is nearly full.", "Free space under data_dir; the sidecar goes on by itself within seconds. Nothing that was acknowledged is lost.", nil},
	{ReasonStoreClockSkew, CodeUnavailable, "The clock of the shared store and the clock of this host differ by more than a minute.", "Set both clocks right (chronyc tracking, timedatectl); launches are refused while it lasts.", []string{"clock_skew"}},
	{ReasonOverloaded, CodeResourceExhausted, "More calls came at once than the sidecar can serve, so this one was turned away before any work.", "Try again after the RetryInfo; give the sidecar more CPU, or run more replicas, if it lasts.", nil},
}

var reasonIndex = func() map[Reason]*ReasonInfo {
	index := make(map[Reason]*ReasonInfo, len(reasonInfos))
	for i := range reasonInfos {
		index[reasonInfos[i].Reason] = &reasonInfos[i]
	}
	return index
}()

// Reasons returns the whole table, in its order. The caller must not change it.
func Reasons() []ReasonInfo { return reasonInfos }

// Info returns the row of a reason. An unknown reason is an internal defect and answers the row of INTERNAL.
func (r Reason) Info() ReasonInfo {
	if info, ok := reasonIndex[r]; ok {
		return *info
	}
	return *reasonIndex[ReasonInternal]
}
