// SPDX-License-Identifier: Apache-2.0

package launch_test

import (
	"encoding/json"
	"html"
	"math"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// allTypes are settings that accept everything.
func allTypes(more object) object {
	settings := object{
		"deep_link_return_url": "https://lms.example/deep?course=1&sesskey=x\"y", "accept_multiple": true, "accept_lineitem": true,
		"accept_types":                         []any{"link", "ltiResourceLink", "file", "html", "image", "ltiAssetProcessor", "https://lms.example/types/poll"},
		"accept_presentation_document_targets": []any{"iframe", "window", "embed"},
		"accept_media_types":                   "image/*, application/pdf",
		"data":                                 "csrf-1",
	}
	for name, value := range more {
		if value == nil {
			delete(settings, name)
		} else {
			settings[name] = value
		}
	}
	return object{lti.ClaimDeepLinkingSettings: settings}
}

// deepLink launches with settings and returns the token.
func (f *fixture) deepLink(settings object) string {
	f.t.Helper()
	return f.mustMessage(lti.MessageDeepLinking, settings).DeepLinking.Token
}

// respond builds a response and returns its claims.
func (f *fixture) respond(request launch.DeepLinkingRequest) (*launch.DeepLinkingResponse, object) {
	f.t.Helper()
	response, err := f.BuildDeepLinkingResponse(f.t.Context(), "local", request)
	if err != nil {
		f.t.Fatal(err)
	}
	return response, f.openSigned(response.JWT)
}

// fullItems are items of every type with every member.
func fullItems() []launch.ContentItem {
	yes := true
	image := &launch.ContentImage{URI: "https://tool.example/i.png", Width: 16, Height: 17}
	return []launch.ContentItem{
		{
			Type: launch.ItemLink, Title: "A", Text: "B", Icon: image, Thumbnail: image, URI: "https://web.example/page#part", EmbedHTML: "<b>x</b>",
			Window: &launch.ContentWindow{TargetName: "w", Width: 1, Height: 2, Features: "popup"},
			Iframe: &launch.ContentIframe{SourceURI: "https://web.example/frame", Width: 3, Height: 4}, Extensions: `{"https://tool.example/x": {"n": 1.50}}`,
		},
		{
			Type: launch.ItemResourceLink, Title: "Quiz", URI: target, Custom: map[string]string{"quiz": "7", "empty": ""},
			Window: &launch.ContentWindow{}, Iframe: &launch.ContentIframe{Width: 3},
			LineItem: &launch.ContentLineItem{Label: "Quiz 7", ScoreMaximum: 12.5, ResourceID: "r", Tag: "t", GradesReleased: &yes,
				Review: &launch.ContentReview{Statuses: []string{"Completed"}, Label: "Look", URI: target, Custom: map[string]string{"a": "b"}}},
			Available: &launch.TimeWindow{Start: start, End: start.Add(time.Hour)}, Submission: &launch.TimeWindow{End: start},
		},
		{Type: launch.ItemFile, Title: "F", URI: "https://tool.example/f.pdf", MediaType: "application/pdf", ExpireTime: start.Add(time.Minute)},
		{Type: launch.ItemHTML, Title: "H", HTML: `<p onclick="x">é</p>`},
		{Type: launch.ItemImage, URI: "https://tool.example/p.png", Width: 640, Height: 480, Icon: image},
		{Type: launch.ItemAssetProcessor, Title: "P", URI: target, Custom: map[string]string{"c": "d"}, Report: `{"url":"https://tool.example/report"}`},
		{Type: "https://lms.example/types/poll", Title: "Poll", Members: `{"url":"ftp://any","choices":["a",{"b":null}]}`, Extensions: `{"urn:x:y":true}`},
	}
}

// REQ-204 REQ-205 REQ-206 REQ-210 REQ-214
func TestDeepLinkingResponse(t *testing.T) {
	f := messageFixture(t)
	token := f.deepLink(allTypes(nil))
	f.clock.set(start.Add(time.Second))
	request := launch.DeepLinkingRequest{Token: token, Items: fullItems(), Message: "Done", Log: "l", ErrorMessage: "em", ErrorLog: "el"}
	response, claims := f.respond(request)
	now := float64(f.clock.Now().Unix())
	var items []any
	if err := json.Unmarshal([]byte(`[
		{"type":"link","title":"A","text":"B","icon":{"url":"https://tool.example/i.png","width":16,"height":17},"thumbnail":{"url":"https://tool.example/i.png","width":16,"height":17},
		 "url":"https://web.example/page#part","embed":{"html":"<b>x</b>"},"window":{"targetName":"w","width":1,"height":2,"windowFeatures":"popup"},
		 "iframe":{"src":"https://web.example/frame","width":3,"height":4},"https://tool.example/x":{"n":1.5}},
		{"type":"ltiResourceLink","title":"Quiz","url":"`+target+`","custom":{"quiz":"7","empty":""},"window":{},"iframe":{"width":3},
		 "lineItem":{"label":"Quiz 7","scoreMaximum":12.5,"resourceId":"r","tag":"t","gradesReleased":true,
		  "submissionReview":{"reviewableStatus":["Completed"],"label":"Look","url":"`+target+`","custom":{"a":"b"}}},
		 "available":{"startDateTime":"2031-05-06T07:08:09Z","endDateTime":"2031-05-06T08:08:09Z"},"submission":{"endDateTime":"2031-05-06T07:08:09Z"}},
		{"type":"file","title":"F","url":"https://tool.example/f.pdf","mediaType":"application/pdf","expiresAt":"2031-05-06T07:09:09Z"},
		{"type":"html","title":"H","html":"<p onclick=\"x\">é</p>"},
		{"type":"image","url":"https://tool.example/p.png","width":640,"height":480,"icon":{"url":"https://tool.example/i.png","width":16,"height":17}},
		{"type":"ltiAssetProcessor","title":"P","url":"`+target+`","custom":{"c":"d"},"report":{"url":"https://tool.example/report"}},
		{"type":"https://lms.example/types/poll","title":"Poll","url":"ftp://any","choices":["a",{"b":null}],"urn:x:y":true}]`), &items); err != nil {
		t.Fatal(err)
	}
	nonce, _ := claims["nonce"].(string)
	want := object{
		"iss": clientID, "aud": issuer, "iat": now - 30, "exp": now + 300, "nonce": nonce,
		lti.ClaimVersion: "1.3.0", lti.ClaimDeploymentID: "d1", lti.ClaimMessageType: "LtiDeepLinkingResponse",
		"https://purl.imsglobal.org/spec/lti-dl/claim/data": "csrf-1", "https://purl.imsglobal.org/spec/lti-dl/claim/content_items": items,
		"https://purl.imsglobal.org/spec/lti-dl/claim/msg": "Done", "https://purl.imsglobal.org/spec/lti-dl/claim/log": "l",
		"https://purl.imsglobal.org/spec/lti-dl/claim/errormsg": "em", "https://purl.imsglobal.org/spec/lti-dl/claim/errorlog": "el",
	}
	for name := range want {
		if !reflect.DeepEqual(claims[name], want[name]) {
			t.Errorf("%s =\n%v, want\n%v", name, claims[name], want[name])
		}
	}
	if len(claims) != len(want) || len(nonce) != 22 {
		t.Errorf("claims = %v", claims)
	}
	signed := must(jose.Parse(response.JWT, []string{jose.RS256}))
	if signed.KeyID == "" || response.Registration != "lms" {
		t.Errorf("kid %q, registration %q", signed.KeyID, response.Registration)
	}
	if _, again := f.respond(request); again["nonce"] == nonce {
		t.Error("two responses have one nonce")
	}
}

// REQ-203 REQ-215
func TestDeepLinkingPagePostsToTheReturnURL(t *testing.T) {
	f := messageFixture(t)
	const uri = "https://lms.example/deep?course=1&sesskey=x\"y"
	token := f.deepLink(allTypes(nil))
	response, _ := f.respond(launch.DeepLinkingRequest{Token: token, Items: []launch.ContentItem{{Type: launch.ItemHTML, HTML: `</script><script>alert(1)</script>`}}})
	body := response.Reply.Body
	field := regexp.MustCompile(`<form method="post" action="([^"]*)"><input type="hidden" name="JWT" value="([^"]*)">`).FindStringSubmatch(body)
	if field == nil || response.URI != uri || html.UnescapeString(field[2]) != response.JWT || response.Reply.Status != 200 || strings.Contains(body, "alert(1)") {
		t.Fatalf("return URI %s, page = %s", response.URI, body)
	}
	posted, sealed := must(url.Parse(html.UnescapeString(field[1]))), must(url.Parse(uri))
	if posted.Host != sealed.Host || posted.Path != sealed.Path || !reflect.DeepEqual(posted.Query(), sealed.Query()) {
		t.Errorf("it is posted to %s", field[1])
	}
	policy := headerOf(response.Reply, "Content-Security-Policy")
	script := regexp.MustCompile(`<script>(.*)</script>`).FindStringSubmatch(body)
	if script == nil || !strings.Contains(policy, "script-src "+hashOf(script[1])) || !strings.Contains(policy, "form-action https://lms.example https:") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy = %s", policy)
	}
	if headerOf(response.Reply, "Cache-Control") != "no-store" || headerOf(response.Reply, "X-Frame-Options") != "" {
		t.Errorf("headers = %v", response.Reply.Headers)
	}
	withNonce, _ := f.respond(launch.DeepLinkingRequest{Token: token, CSPNonce: "bm9u"})
	if !strings.Contains(withNonce.Reply.Body, `<script nonce="bm9u">`) || !strings.Contains(headerOf(withNonce.Reply, "Content-Security-Policy"), "'nonce-bm9u'") {
		t.Errorf("page = %s", withNonce.Reply.Body)
	}
	if _, err := f.message(f.begin(), lti.MessageDeepLinking, allTypes(object{"deep_link_return_url": "http://lms.example/"})); lti.ReasonOf(err) != lti.ReasonClaimInvalid {
		t.Errorf("http: %v", err)
	}
}

// A request for content has no link yet: one without an id is none, and any other malformed one is refused as elsewhere.
func TestDeepLinkingRequestWithALinkThatIsNotThere(t *testing.T) {
	f := messageFixture(t)
	for _, link := range []object{{}, {"id": ""}, {"id": json.RawMessage("null"), "title": "x"}} {
		settings := allTypes(nil)
		settings[lti.ClaimResourceLink] = link
		if l := f.mustMessage(lti.MessageDeepLinking, settings); l.ResourceLink != nil {
			t.Errorf("%v: %+v", link, l.ResourceLink)
		}
		if _, err := f.message(f.begin(), lti.MessageResourceLink, object{lti.ClaimResourceLink: link}); err == nil {
			t.Errorf("%v is accepted as a resource link", link)
		}
	}
	for _, link := range []object{{"id": 7}, {"id": " "}, {"id": longText(256)}} {
		settings := allTypes(nil)
		settings[lti.ClaimResourceLink] = link
		_, err := f.message(f.begin(), lti.MessageDeepLinking, settings)
		wantReason(t, err, lti.ReasonClaimInvalid)
	}
}

// REQ-213
func TestDeepLinkingIsCancelled(t *testing.T) {
	f := messageFixture(t)
	_, claims := f.respond(launch.DeepLinkingRequest{Token: f.deepLink(allTypes(object{"accept_multiple": false}))})
	if items, ok := claims[lti.ClaimContentItems].([]any); !ok || len(items) != 0 || len(claims) != 10 {
		t.Errorf("claims = %v", claims)
	}
}

// REQ-207
func TestDeepLinkingDataComesBackAsItCame(t *testing.T) {
	f := messageFixture(t)
	for _, data := range []any{"", " ", "_4_1::_14_1::2::false::", `{"a":"b\\u00e9\"<&>é","n":[1]}`, "\u0001\u2028", strings.Repeat("d", 4000), object{"odd": []any{1.5, nil}}, 7.0, false} {
		_, claims := f.respond(launch.DeepLinkingRequest{Token: f.deepLink(allTypes(object{"data": data}))})
		if got, came := claims["https://purl.imsglobal.org/spec/lti-dl/claim/data"]; !came || !reflect.DeepEqual(got, data) {
			t.Errorf("data %v came back as %v", data, got)
		}
	}
	for name, settings := range map[string]object{"none": allTypes(object{"data": nil}), "null": allTypes(object{"data": json.RawMessage("null")})} {
		if _, claims := f.respond(launch.DeepLinkingRequest{Token: f.deepLink(settings)}); len(claims) != 9 {
			t.Errorf("%s: claims = %v", name, claims)
		}
	}
}

func TestDeepLinkingSettingsThatNoTokenHolds(t *testing.T) {
	f := messageFixture(t)
	for _, data := range []string{strings.Repeat("d", 6000), strings.Repeat("\u0001", 1000)} {
		refusal := wantReason(t, func() error {
			_, err := f.message(f.begin(), lti.MessageDeepLinking, allTypes(object{"data": data}))
			return err
		}(), lti.ReasonClaimInvalid)
		if refusal.Metadata["claim"] != lti.ClaimDeepLinkingSettings {
			t.Errorf("metadata = %v", refusal.Metadata)
		}
	}
	// The largest that is accepted fits.
	for size := 5200; size < 6000; size += 7 {
		l, err := f.message(f.begin(), lti.MessageDeepLinking, allTypes(object{"data": strings.Repeat("d", size)}))
		if err != nil {
			break
		}
		if len(l.DeepLinking.Token) > 8<<10 {
			t.Fatalf("%d bytes of data make a token of %d bytes", size, len(l.DeepLinking.Token))
		}
	}
}

// itemCase is an item that is refused, and the field that the refusal names.
type itemCase struct {
	field string
	item  launch.ContentItem
}

func longText(n int) string { return strings.Repeat("x", n) }

// REQ-208 REQ-210 REQ-211 REQ-212
func TestDeepLinkingItemsRefused(t *testing.T) {
	f := messageFixture(t)
	token := f.deepLink(allTypes(nil))
	link := func(change func(*launch.ContentItem)) launch.ContentItem {
		item := launch.ContentItem{Type: launch.ItemLink, URI: "https://web.example/"}
		change(&item)
		return item
	}
	quiz := func(change func(*launch.ContentItem)) launch.ContentItem {
		item := launch.ContentItem{Type: launch.ItemResourceLink, Title: "Quiz", LineItem: &launch.ContentLineItem{ScoreMaximum: 1, Review: &launch.ContentReview{Statuses: []string{"Completed"}}}}
		change(&item)
		return item
	}
	many := map[string]string{}
	for i := range 65 {
		many[longText(i+1)] = ""
	}
	for _, test := range []itemCase{
		{"items[3].other.type", launch.ContentItem{}},
		{"items[3]", launch.ContentItem{Type: "https://lms.example/types/other"}},
		{"items[3]", launch.ContentItem{Type: "Link"}},
		{"items[3].title", link(func(i *launch.ContentItem) { i.Title = longText(16<<10 + 1) })},
		{"items[3].text", link(func(i *launch.ContentItem) { i.Text = longText(16<<10 + 1) })},
		{"items[3].icon.uri", link(func(i *launch.ContentItem) { i.Icon = &launch.ContentImage{} })},
		{"items[3].icon.uri", link(func(i *launch.ContentItem) { i.Icon = &launch.ContentImage{URI: "javascript:x"} })},
		{"items[3].thumbnail.width", link(func(i *launch.ContentItem) {
			i.Thumbnail = &launch.ContentImage{URI: "https://x.example/", Width: -1}
		})},
		{"items[3].icon", launch.ContentItem{Type: launch.ItemHTML, HTML: "x", Icon: &launch.ContentImage{URI: "https://x.example/"}}},
		{"items[3].extensions_json", link(func(i *launch.ContentItem) { i.Extensions = `{"url":"https://x.example/"}` })},
		{"items[3].extensions_json", link(func(i *launch.ContentItem) { i.Extensions = `{"/x":1}` })},
		{"items[3].extensions_json", link(func(i *launch.ContentItem) { i.Extensions = `[]` })},
		{"items[3].extensions_json", link(func(i *launch.ContentItem) { i.Extensions = `null` })},
		{"items[3].extensions_json", link(func(i *launch.ContentItem) { i.Extensions = `{"urn:a:b":1,"urn:a:b":2}` })},
		{"items[3].extensions_json", link(func(i *launch.ContentItem) { i.Extensions = `{"urn:a:b":"` + longText(16<<10) + `"}` })},
		{"items[3].link.uri", launch.ContentItem{Type: launch.ItemLink}},
		{"items[3].link.uri", launch.ContentItem{Type: launch.ItemLink, URI: "web.example"}},
		{"items[3].link.uri", launch.ContentItem{Type: launch.ItemLink, URI: "https://u:p@web.example/"}},
		{"items[3].link.uri", launch.ContentItem{Type: launch.ItemLink, URI: "https://web.example/" + longText(4<<10)}},
		{"items[3].link.embed_html", link(func(i *launch.ContentItem) { i.EmbedHTML = longText(16<<10 + 1) })},
		{"items[3].link.window.target_name", link(func(i *launch.ContentItem) { i.Window = &launch.ContentWindow{TargetName: longText(1025)} })},
		{"items[3].link.window.height", link(func(i *launch.ContentItem) { i.Window = &launch.ContentWindow{Height: 100_001} })},
		{"items[3].link.iframe.src_uri", link(func(i *launch.ContentItem) { i.Iframe = &launch.ContentIframe{} })},
		{"items[3].resource_link.uri", quiz(func(i *launch.ContentItem) { i.URI = "https://elsewhere.example/" })},
		{"items[3].resource_link.uri", quiz(func(i *launch.ContentItem) { i.URI = "http://tool.example/" })},
		{"items[3].resource_link.iframe.src_uri", quiz(func(i *launch.ContentItem) { i.Iframe = &launch.ContentIframe{SourceURI: target} })},
		{"items[3].resource_link.custom", quiz(func(i *launch.ContentItem) { i.Custom = map[string]string{"": "x"} })},
		{"items[3].resource_link.custom", quiz(func(i *launch.ContentItem) { i.Custom = many })},
		{"items[3].resource_link.custom", quiz(func(i *launch.ContentItem) { i.Custom = map[string]string{"x": longText(16 << 10)} })},
		{"items[3].resource_link.line_item.score_maximum", quiz(func(i *launch.ContentItem) { i.LineItem.ScoreMaximum = 0 })},
		{"items[3].resource_link.line_item.score_maximum", quiz(func(i *launch.ContentItem) { i.LineItem.ScoreMaximum = -1 })},
		{"items[3].resource_link.line_item.score_maximum", quiz(func(i *launch.ContentItem) { i.LineItem.ScoreMaximum = math.NaN() })},
		{"items[3].resource_link.line_item.score_maximum", quiz(func(i *launch.ContentItem) { i.LineItem.ScoreMaximum = math.Inf(1) })},
		{"items[3].resource_link.line_item.label", quiz(func(i *launch.ContentItem) { i.Title = " " })},
		{"items[3].resource_link.line_item.tag", quiz(func(i *launch.ContentItem) { i.LineItem.Tag = longText(1025) })},
		{"items[3].resource_link.line_item.submission_review.reviewable_status", quiz(func(i *launch.ContentItem) { i.LineItem.Review.Statuses = nil })},
		{"items[3].resource_link.line_item.submission_review.reviewable_status[1]", quiz(func(i *launch.ContentItem) { i.LineItem.Review.Statuses = []string{"Started", "completed"} })},
		{"items[3].resource_link.line_item.submission_review.uri", quiz(func(i *launch.ContentItem) { i.LineItem.Review.URI = "https://elsewhere.example/" })},
		{"items[3].resource_link.available.end_time", quiz(func(i *launch.ContentItem) {
			i.Available = &launch.TimeWindow{Start: start, End: start.Add(-time.Second)}
		})},
		{"items[3].file.uri", launch.ContentItem{Type: launch.ItemFile}},
		{"items[3].file.media_type", launch.ContentItem{Type: launch.ItemFile, URI: "https://x.example/", MediaType: "text/html"}},
		{"items[3].file.media_type", launch.ContentItem{Type: launch.ItemFile, URI: "https://x.example/", MediaType: "pdf"}},
		{"items[3].file.expire_time", launch.ContentItem{Type: launch.ItemFile, URI: "https://x.example/", ExpireTime: start}},
		{"items[3].html.html", launch.ContentItem{Type: launch.ItemHTML}},
		{"items[3].html.html", launch.ContentItem{Type: launch.ItemHTML, HTML: longText(64<<10 + 1)}},
		{"items[3].image.uri", launch.ContentItem{Type: launch.ItemImage}},
		{"items[3].image.width", launch.ContentItem{Type: launch.ItemImage, URI: "https://x.example/", Width: -1}},
		{"items[3].asset_processor.uri", launch.ContentItem{Type: launch.ItemAssetProcessor, URI: "https://elsewhere.example/"}},
		{"items[3].asset_processor.report_json", launch.ContentItem{Type: launch.ItemAssetProcessor, Report: `"x"`}},
		{"items[3].other.members_json", launch.ContentItem{Type: "https://lms.example/types/poll", Members: `{"type":"link"}`}},
		{"items[3].other.members_json", launch.ContentItem{Type: "https://lms.example/types/poll", Members: `{"urn:a:b":1}`, Extensions: `{"urn:a:b":1}`}},
		{"items[3].other.members_json", launch.ContentItem{Type: "https://lms.example/types/poll", Members: `{`}},
		{"items[3]", launch.ContentItem{Type: launch.ItemHTML, HTML: "\xff"}},
	} {
		good := launch.ContentItem{Type: launch.ItemHTML, HTML: "x"}
		_, err := f.BuildDeepLinkingResponse(t.Context(), "local", launch.DeepLinkingRequest{Token: token, Items: []launch.ContentItem{good, good, good, test.item}})
		if refusal := wantReason(t, err, lti.ReasonRequestInvalid); refusal.Metadata["field"] != test.field || !strings.HasPrefix(refusal.Message, test.field+": ") {
			t.Errorf("%s: %s (%v)", test.field, refusal.Message, refusal.Metadata)
		}
	}
}

// REQ-208 REQ-209
func TestDeepLinkingHoldsToTheSettings(t *testing.T) {
	f := messageFixture(t)
	link := launch.ContentItem{Type: launch.ItemLink, URI: "https://web.example/"}
	with := func(item launch.ContentItem, change func(*launch.ContentItem)) launch.ContentItem {
		change(&item)
		return item
	}
	window := with(link, func(i *launch.ContentItem) { i.Window = &launch.ContentWindow{} })
	frame := with(link, func(i *launch.ContentItem) {
		i.Iframe = &launch.ContentIframe{SourceURI: "https://web.example/"}
	})
	embedded := with(link, func(i *launch.ContentItem) { i.EmbedHTML = "x" })
	graded := launch.ContentItem{Type: launch.ItemResourceLink, LineItem: &launch.ContentLineItem{ScoreMaximum: 1, Label: "L"}}
	file := func(mediaType string) launch.ContentItem {
		return launch.ContentItem{Type: launch.ItemFile, URI: "https://x.example/", MediaType: mediaType}
	}
	for name, test := range map[string]struct {
		settings object
		items    []launch.ContentItem
		field    string // "": accepted
	}{
		"several":                   {object{"accept_multiple": true}, []launch.ContentItem{link, link}, ""},
		"several, not said":         {object{"accept_multiple": nil}, []launch.ContentItem{link, link}, ""},
		"several, refused":          {object{"accept_multiple": false}, []launch.ContentItem{link, link}, "items"},
		"one":                       {object{"accept_multiple": false}, []launch.ContentItem{link}, ""},
		"a type not accepted":       {object{"accept_types": []any{"ltiResourceLink"}}, []launch.ContentItem{link}, "items[0]"},
		"a line item, not said":     {object{"accept_lineitem": nil}, []launch.ContentItem{graded}, ""},
		"a line item, refused":      {object{"accept_lineitem": false}, []launch.ContentItem{graded}, "items[0].resource_link.line_item"},
		"no window":                 {object{"accept_presentation_document_targets": []any{"iframe"}}, []launch.ContentItem{window}, "items[0].link.window"},
		"no frame":                  {object{"accept_presentation_document_targets": []any{"window", "embed"}}, []launch.ContentItem{frame}, "items[0].link.iframe"},
		"a frame by its old name":   {object{"accept_presentation_document_targets": []any{"frame"}}, []launch.ContentItem{frame}, ""},
		"no embedding":              {object{"accept_presentation_document_targets": []any{"window"}}, []launch.ContentItem{embedded}, "items[0].link.embed_html"},
		"a media type":              {object{}, []launch.ContentItem{file("image/png"), file("Application/PDF; x=1"), file("")}, ""},
		"any media type":            {object{"accept_media_types": "*/*"}, []launch.ContentItem{file("text/html")}, ""},
		"no list of media types":    {object{"accept_media_types": nil}, []launch.ContentItem{file("text/html")}, ""},
		"a media type not listed":   {object{}, []launch.ContentItem{file("imagery/png")}, "items[0].file.media_type"},
		"the start of a listed one": {object{"accept_media_types": "application/pdf"}, []launch.ContentItem{file("application/pdfx")}, "items[0].file.media_type"},
	} {
		_, err := f.BuildDeepLinkingResponse(t.Context(), "local", launch.DeepLinkingRequest{Token: f.deepLink(allTypes(test.settings)), Items: test.items})
		if test.field == "" {
			wantReasonNamed(t, name, err, "")
		} else if refusal := wantReason(t, err, lti.ReasonRequestInvalid); refusal.Metadata["field"] != test.field {
			t.Errorf("%s: %s (%v)", name, refusal.Message, refusal.Metadata)
		}
	}
}

func TestDeepLinkingLimits(t *testing.T) {
	f := messageFixture(t)
	token := f.deepLink(allTypes(nil))
	item := launch.ContentItem{Type: launch.ItemHTML, HTML: "x"}
	large := launch.ContentItem{Type: launch.ItemHTML, HTML: longText(44 << 10)}
	for field, request := range map[string]launch.DeepLinkingRequest{
		"items":         {Items: make([]launch.ContentItem, 101)},
		"items[2]":      {Items: []launch.ContentItem{large, large, large}},
		"message":       {Message: longText(1025)},
		"log":           {Log: longText(1025)},
		"error_message": {ErrorMessage: longText(1025)},
		"error_log":     {ErrorLog: longText(1025)},
	} {
		request.Token = token
		_, err := f.BuildDeepLinkingResponse(t.Context(), "local", request)
		if refusal := wantReason(t, err, lti.ReasonRequestInvalid); refusal.Metadata["field"] != field {
			t.Errorf("%s: %v", field, refusal)
		}
	}
	hundred := make([]launch.ContentItem, 100)
	for i := range hundred {
		hundred[i] = item
	}
	if _, claims := f.respond(launch.DeepLinkingRequest{Token: token, Items: hundred, Message: longText(1024)}); len(claims[lti.ClaimContentItems].([]any)) != 100 {
		t.Errorf("claims = %v", claims)
	}
}

func TestDeepLinkingDialects(t *testing.T) {
	bare := launch.ContentItem{Type: launch.ItemResourceLink, Title: "Quiz"}
	whole := bare
	whole.URI = target
	lines := whole
	lines.Custom = map[string]string{"text": "a\nb=c"}
	for _, dialect := range append([]string{""}, platform.DialectNames()...) {
		f := messageFixture(t, func(r *platform.Registration) { r.Dialect = dialect })
		token := f.deepLink(allTypes(nil))
		_, claims := f.respond(launch.DeepLinkingRequest{Token: token, Items: []launch.ContentItem{whole}})
		if subject, sent := claims["sub"]; sent != (dialect == "blackboard") || sent && subject != clientID {
			t.Errorf("%q: sub = %v", dialect, subject)
		}
		if audience, ok := claims["aud"].(string); !ok || audience != issuer {
			t.Errorf("%q: aud = %v", dialect, claims["aud"])
		}
		for refuses, test := range map[string]itemCase{"blackboard": {"items[0].resource_link.uri", bare}, "moodle": {"items[0].resource_link.custom", lines}} {
			_, err := f.BuildDeepLinkingResponse(t.Context(), "local", launch.DeepLinkingRequest{Token: token, Items: []launch.ContentItem{test.item}})
			if refuses != dialect {
				wantReasonNamed(t, dialect, err, "")
			} else if refusal := wantReason(t, err, lti.ReasonRequestInvalid); refusal.Metadata["field"] != test.field {
				t.Errorf("%q: %v", dialect, refusal)
			}
		}
	}
	// Where the registration names no dialect, the product of the launch decides.
	f := messageFixture(t)
	settings := allTypes(nil)
	settings[lti.ClaimToolPlatform] = object{"guid": "g", "product_family_code": "moodle"}
	_, err := f.BuildDeepLinkingResponse(t.Context(), "local", launch.DeepLinkingRequest{Token: f.deepLink(settings), Items: []launch.ContentItem{lines}})
	wantReason(t, err, lti.ReasonRequestInvalid)
}

func TestDeepLinkingTokenIsItsCallers(t *testing.T) {
	f := messageFixture(t)
	launched := f.mustMessage(lti.MessageDeepLinking, allTypes(nil))
	token := launched.DeepLinking.Token
	proctoring := f.mustMessage(lti.MessageStartProctoring, nil).Proctoring.Token
	tampered := []byte(token)
	tampered[len(tampered)/2] ^= 1
	other := messageFixture(t)
	other.config.Sealer = must(keystore.NewToolKeys(keystore.ToolKeysConfig{Directory: t.TempDir() + "/keys", Create: true}))
	other.Validator = must(launch.New(other.config))
	for name, test := range map[string]struct {
		caller string
		token  string
		want   lti.Reason
	}{
		"none":              {"local", "", lti.ReasonRequestInvalid},
		"too long":          {"local", longText(8<<10 + 1), lti.ReasonParameterTooLong},
		"tampered":          {"local", string(tampered), lti.ReasonLaunchTokenInvalid},
		"another sidecar's": {"local", other.deepLink(allTypes(nil)), lti.ReasonLaunchTokenInvalid},
		"another caller":    {"other", token, lti.ReasonLaunchTokenInvalid},
		"a launch token":    {"local", launched.Token, lti.ReasonLaunchTokenInvalid},
		"a proctoring one":  {"local", proctoring, lti.ReasonLaunchTokenInvalid},
	} {
		_, err := f.BuildDeepLinkingResponse(t.Context(), test.caller, launch.DeepLinkingRequest{Token: test.token})
		wantReasonNamed(t, name, err, test.want)
	}
	if _, err := f.BuildStartAssessment(t.Context(), "local", launch.StartAssessmentRequest{Token: token}); lti.ReasonOf(err) != lti.ReasonLaunchTokenInvalid {
		t.Errorf("as a proctoring token: %v", err)
	}
	if _, err := f.BuildDeepLinkingResponse(t.Context(), "local", launch.DeepLinkingRequest{Token: token, CSPNonce: `"><script>`}); lti.ReasonOf(err) != lti.ReasonRequestInvalid {
		t.Errorf("CSP nonce: %v", err)
	}
	if f.mustMessage(lti.MessageResourceLink, nil).DeepLinking != nil {
		t.Error("a resource link launch has deep linking settings")
	}
	for want, change := range map[lti.Reason]func(*platform.Registration){
		lti.ReasonDeploymentUnknown:  func(r *platform.Registration) { r.Deployments = []string{"d2"} },
		lti.ReasonLaunchTokenInvalid: func(r *platform.Registration) { r.ClientID = "client-2" },
	} {
		_, err := f.sibling(change).BuildDeepLinkingResponse(t.Context(), "local", launch.DeepLinkingRequest{Token: token})
		wantReasonNamed(t, string(want), err, want)
	}
	// It outlives the launch token, and one from a launch token ends when the first one does.
	f.clock.set(start.Add(50 * time.Minute))
	again, _, err := f.CheckToken(t.Context(), "local", launched.Token)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{token, again.DeepLinking.Token} {
		f.clock.set(start.Add(8*time.Hour - time.Second))
		_, err := f.BuildDeepLinkingResponse(t.Context(), "local", launch.DeepLinkingRequest{Token: token})
		wantReasonNamed(t, "just before the end", err, "")
		f.clock.set(start.Add(8 * time.Hour))
		_, err = f.BuildDeepLinkingResponse(t.Context(), "local", launch.DeepLinkingRequest{Token: token})
		wantReasonNamed(t, "at the end", err, lti.ReasonLaunchTokenExpired)
	}
}

// FuzzContentItem holds an item to its promise: it is refused with its field, or what is signed has its type and its
// texts as they were given, and a target on the tool's own origin.
func FuzzContentItem(f *testing.F) {
	f.Add("link", "https://web.example/", "T", "", "", "", 1.0)
	f.Add("ltiResourceLink", target, "T", "", `{"urn:a:b":1}`, "k", 0.0)
	f.Add("https://lms.example/types/poll", "", "", "", `{"type":1}`, "\n", -1.0)
	f.Add("file", "https://x.example/\xff", "", "image/png", "{}", "", math.Inf(1))
	f.Add("html", "", "<", "", `{"urn:a:b":{"urn:a:b":`+strings.Repeat("[", 50)+strings.Repeat("]", 50)+`}}`, "", 1e300)
	fixture := newFixture(f, func(r *platform.Registration) { r.MessageTypes = lti.MessageTypes() })
	token := fixture.deepLink(allTypes(nil))
	f.Fuzz(func(t *testing.T, kind, uri, title, mediaType, extra, custom string, maximum float64) {
		item := launch.ContentItem{Type: kind, URI: uri, Title: title, MediaType: mediaType, Extensions: extra}
		switch kind {
		case launch.ItemResourceLink:
			item.Custom, item.LineItem = map[string]string{custom: uri}, &launch.ContentLineItem{ScoreMaximum: maximum}
		case launch.ItemHTML:
			item.HTML, item.URI = uri, ""
		case "https://lms.example/types/poll":
			item.URI, item.Members, item.Extensions = "", extra, ""
		}
		response, err := fixture.BuildDeepLinkingResponse(t.Context(), "local", launch.DeepLinkingRequest{Token: token, Items: []launch.ContentItem{item}})
		if err != nil {
			if refusal, ok := err.(*lti.Error); !ok || refusal.Reason != lti.ReasonRequestInvalid || !strings.HasPrefix(refusal.Metadata["field"], "items[0]") {
				t.Fatalf("error = %v", err)
			}
			return
		}
		own := *fixture
		own.t = t
		items, _ := own.openSigned(response.JWT)[lti.ClaimContentItems].([]any)
		sent, _ := items[0].(object)
		if len(items) != 1 || sent["type"] != kind || title != "" && sent["title"] != title || item.URI != "" && sent["url"] != item.URI {
			t.Errorf("sent %v of %+v", items, item)
		}
		if kind == launch.ItemResourceLink && item.URI != "" && !strings.HasPrefix(strings.ToLower(item.URI), "https://tool.example") && !strings.HasPrefix(strings.ToLower(item.URI), "https://staging.tool.example") {
			t.Errorf("a link to %s was signed", item.URI)
		}
	})
}
