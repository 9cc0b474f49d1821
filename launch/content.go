// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// readContent reads what the message types besides the resource link's carry, held to the rule of the message type.
func (v *Validator) readContent(c *claims, rule *messageRule, registration *platform.Registration, launch *Launch) error {
	var err error
	if launch.ForUser, err = readForUser(rule.forUser, c.ForUser, registration); err != nil {
		return err
	}
	if rule.lineItem == required && (launch.Grades == nil || launch.Grades.LineItemURI == "") {
		return missing(lti.ClaimGradeEndpoint + ".lineitem")
	}
	if launch.Activity, err = readActivity(rule.activity, c.Activity); err != nil {
		return err
	}
	if launch.Submission, err = readSubmission(rule.submission, c.Submission); err != nil {
		return err
	}
	if launch.AssetID, err = readID(rule.asset, lti.ClaimAsset, c.Asset); err != nil {
		return err
	}
	if launch.ReportType, err = readReportType(rule.assetReportType, c.AssetReportType); err != nil {
		return err
	}
	launch.AssetService = readAssetService(c.AssetService)
	launch.Reports = readReportService(c.AssetReport)
	if launch.EULA, err = v.readEULAService(rule.eulaService, c.EULAService); err != nil {
		return err
	}
	launch.Notices = readNoticeService(c.NoticeService)
	if rule.deepLinking {
		if launch.DeepLinking, err = v.readDeepLinking(c.DeepLinkingSettings); err != nil {
			return err
		}
		if err := checkDeepLinkingSize(launch); err != nil {
			return err
		}
	}
	if rule.attempt {
		launch.Proctoring, err = v.readProctoring(c, rule)
	}
	return err
}

// members splits a claim that the rule may demand to be an object. Where it need not come, a wrong one is passed over
// as if it had not come.
func membersOf(p presence, claim string, value jsontext.Value) (map[string]jsontext.Value, error) {
	if isNull(value) {
		return nil, p.absent(claim)
	}
	members := object(value)
	if members == nil && p == required {
		return nil, invalid(claim, "it must be an object", string(value))
	}
	return members, nil
}

// readID reads the id of a claim that is an object with one. It returns "" for an optional claim without a good one.
func readID(p presence, claim string, value jsontext.Value) (string, error) {
	members, err := membersOf(p, claim, value)
	if members == nil || err != nil {
		return "", err
	}
	id, err := identifier(claim+".id", members["id"])
	if err != nil && p != required {
		return "", nil
	}
	return id, err
}

func readForUser(p presence, value jsontext.Value, registration *platform.Registration) (*ForUser, error) {
	members, err := membersOf(p, lti.ClaimForUser, value)
	if members == nil || err != nil {
		return nil, err
	}
	id, err := identifier(lti.ClaimForUser+".user_id", members["user_id"])
	if err != nil {
		if p != required {
			err = nil
		}
		return nil, err
	}
	user := &ForUser{
		Key:             lti.UserKey(registration.SubjectNamespace, registration.Issuer, id),
		ID:              id,
		PersonSourcedID: textOr(members["person_sourcedid"]),
		Name:            textOr(members["name"]),
		GivenName:       textOr(members["given_name"]),
		FamilyName:      textOr(members["family_name"]),
		Email:           textOr(members["email"]),
	}
	for _, role := range texts(members["roles"]) {
		user.Roles = append(user.Roles, lti.ExpandRole(role))
	}
	return user, nil
}

func readActivity(p presence, value jsontext.Value) (*Activity, error) {
	id, err := readID(p, lti.ClaimActivity, value)
	if id == "" || err != nil {
		return nil, err
	}
	return &Activity{ID: id, Title: textOr(object(value)["title"])}, nil
}

func readSubmission(p presence, value jsontext.Value) (*Submission, error) {
	id, err := readID(p, lti.ClaimSubmission, value)
	if id == "" || err != nil {
		return nil, err
	}
	return &Submission{ID: id}, nil
}

func readReportType(p presence, value jsontext.Value) (string, error) {
	if p != required {
		return textOr(value), nil
	}
	return identifier(lti.ClaimAssetReportType, value)
}

// maxAssets is how many assets of a submission are typed; the id_token's size bounds them too.
const maxAssets = 1000

func readAssetService(value jsontext.Value) *AssetService {
	members := object(value)
	if members == nil {
		return nil
	}
	service := &AssetService{Scopes: texts(members["scope"])}
	elements, _ := list(members["assets"])
	for _, element := range elements[:min(len(elements), maxAssets)] {
		asset := object(element)
		id := textOr(asset["asset_id"])
		if id == "" {
			continue
		}
		service.Assets = append(service.Assets, Asset{
			ID:          id,
			URI:         webURI(textOr(asset["url"])),
			Checksum:    textOr(asset["sha256_checksum"]),
			Time:        moment(textOr(asset["timestamp"])),
			Size:        size(asset["size"]),
			ContentType: textOr(asset["content_type"]),
			Title:       textOr(asset["title"]),
			FileName:    textOr(asset["filename"]),
		})
	}
	return service
}

// size returns a number of bytes, and 0 for anything that cannot be one.
func size(value jsontext.Value) int64 {
	if n := number(value); n > 0 && n < 1<<53 {
		return int64(n)
	}
	return 0
}

func readReportService(value jsontext.Value) *AssetReportService {
	members := object(value)
	uri := webURI(strings.TrimSpace(textOr(members["report_url"])))
	if uri == "" {
		return nil
	}
	return &AssetReportService{URI: uri, Scopes: texts(members["scope"])}
}

func (v *Validator) readEULAService(p presence, value jsontext.Value) (*EULAService, error) {
	members, err := membersOf(p, lti.ClaimEULAService, value)
	if members == nil || err != nil {
		return nil, err
	}
	uri, err := v.endpoint(lti.ClaimEULAService+".url", members["url"])
	if err != nil {
		if p != required {
			err = nil
		}
		return nil, err
	}
	return &EULAService{URI: uri, Scopes: texts(members["scope"])}, nil
}

func readNoticeService(value jsontext.Value) *NoticeService {
	members := object(value)
	uri := webURI(strings.TrimSpace(textOr(members["platform_notification_service_url"])))
	if uri == "" {
		return nil
	}
	return &NoticeService{
		URI:             uri,
		ServiceVersions: texts(members["service_versions"]),
		Scopes:          texts(members["scope"]),
		Types:           texts(members["notice_types_supported"]),
	}
}

// readDeepLinking reads the settings without which no content can be returned (Deep Linking 2.0, section 4.4.1).
func (v *Validator) readDeepLinking(value jsontext.Value) (*DeepLinkingSettings, error) {
	const claim = lti.ClaimDeepLinkingSettings
	members, err := membersOf(required, claim, value)
	if err != nil {
		return nil, err
	}
	settings := &DeepLinkingSettings{
		AcceptMedia:    strings.Join(texts(members["accept_media_types"]), ","),
		AcceptMultiple: flag(members["accept_multiple"]),
		AcceptLineItem: flag(members["accept_lineitem"]),
		Title:          textOr(members["title"]),
		Text:           textOr(members["text"]),
	}
	if data := members["data"]; !isNull(data) {
		settings.Data = data
	}
	if auto := flag(members["auto_create"]); auto != nil {
		settings.AutoCreate = *auto
	}
	if settings.ReturnURI, err = v.endpoint(claim+".deep_link_return_url", members["deep_link_return_url"]); err != nil {
		return nil, err
	}
	if settings.AcceptTypes, err = someTexts(claim+".accept_types", members["accept_types"]); err != nil {
		return nil, err
	}
	settings.AcceptTargets, err = someTexts(claim+".accept_presentation_document_targets", members["accept_presentation_document_targets"])
	return settings, err
}

// someTexts returns a claim that must be a list with at least one text.
func someTexts(claim string, value jsontext.Value) ([]string, error) {
	if isNull(value) {
		return nil, missing(claim)
	}
	if _, ok := list(value); !ok {
		return nil, invalid(claim, "it must be a list", string(value))
	}
	found := texts(value)
	if len(found) == 0 {
		return nil, invalid(claim, "it must name at least one", string(value))
	}
	return found, nil
}

// endpoint returns a claim that must be an https URI, to which a browser is sent or a request goes.
func (v *Validator) endpoint(claim string, value jsontext.Value) (string, error) {
	if isNull(value) {
		return "", missing(claim)
	}
	uri, ok := text(value)
	if !ok {
		return "", invalid(claim, "it must be a text", string(value))
	}
	origin, err := platform.Origin(uri)
	if err != nil {
		return "", invalid(claim, "it must be an https URI", uri)
	}
	if !v.config.AllowHTTP && !strings.HasPrefix(origin, "https://") {
		return "", invalid(claim, "it must be https", uri)
	}
	return uri, nil
}
