// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// picking is a teacher who was sent to the tool to pick content.
type picking struct {
	*bench
	browser  *Browser
	request  *jwt
	settings map[string]any
}

func (b *bench) pick(user string) *picking {
	b.t.Helper()
	br := b.browser()
	click := b.click(user)
	click.Message = MessageDeepLinking
	form, err := br.LoginInitiation(context.Background(), click)
	if err != nil {
		b.t.Fatal(err)
	}
	posted, err := br.Authorize(context.Background(), b.authURI(form.Values(), nil))
	if err != nil {
		b.t.Fatal(err)
	}
	tok := b.idToken(posted)
	settings, _ := tok.claims[claimDL+"deep_linking_settings"].(map[string]any)
	if tok.claims[claimLTI+"message_type"] != MessageDeepLinking || settings["deep_link_return_url"] == nil {
		b.t.Fatalf("claims %v", tok.claims)
	}
	return &picking{bench: b, browser: br, request: tok, settings: settings}
}

// response holds the claims of a good response, before signing.
func (p *picking) response(items ...any) map[string]any {
	now := p.clock.now().Unix()
	nonce, err := p.sim.randomHex(32)
	if err != nil {
		p.t.Fatal(err)
	}
	c := map[string]any{
		"iss": p.reg.ClientID, "aud": p.reg.Issuer, "iat": now - 30, "exp": now + 270, "nonce": nonce,
		claimLTI + "message_type": messageDeepResponse, claimLTI + "version": "1.3.0", claimLTI + "deployment_id": p.reg.DeploymentID,
	}
	if items != nil {
		c[claimDL+"content_items"] = items
	}
	if data, present := p.settings["data"]; present {
		c[claimDL+"data"] = data
	}
	if p.platform().profile.DeepLinking.NeedSub {
		c["sub"] = p.reg.ClientID
	}
	return c
}

func (p *picking) post(uri, token string) *Page {
	p.t.Helper()
	page, err := p.browser.Return(context.Background(), &Form{Method: http.MethodPost, Action: uri, Fields: []Field{{"JWT", token}}})
	if err != nil {
		p.t.Fatal(err)
	}
	return page
}

func (p *picking) returnURL() string { return p.settings["deep_link_return_url"].(string) }

func quizItem() map[string]any {
	return map[string]any{
		"type": "ltiResourceLink", "title": "Chapter 1", "url": "https://tool.example/chapters/1", "custom": map[string]string{"chapter": "1"},
		"lineItem": map[string]any{"label": "Chapter 1", "scoreMaximum": 20, "resourceId": "c1", "tag": "quiz"},
	}
}

func TestDeepLinking(t *testing.T) {
	for _, name := range ProfileNames() {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, name, with(func(p *PlatformConfig) { p.GradedLinks = true }))
			p := b.pick("teacher")
			if _, present := p.request.claims[claimLTI+"resource_link"]; present != (name == "blackboard") {
				t.Errorf("resource_link is there: %t", present)
			}
			if _, present := p.settings["data"]; present != map[string]bool{"brightspace": true, "blackboard": true, "sakai": true, "schoology": true}[name] {
				t.Errorf("data is there: %t", present)
			}
			if endpoint, ok := p.request.claims[claimAGS].(map[string]any); ok && endpoint["lineitem"] != nil {
				t.Error("a request for content names a line item")
			}
			page := p.post(p.returnURL(), b.sign(p.response(quizItem())))
			if page.Status != 200 || !strings.Contains(string(page.Body), "1 links were made") {
				t.Fatalf("%d %s", page.Status, page.Body)
			}
			made := b.platform().DeepLinkingResponses()
			if len(made) != 1 || made[0].Error != "" || len(made[0].Links) != 1 || made[0].User != "teacher" {
				t.Fatalf("recorded %+v", made)
			}
			links := b.platform().Links()
			link := links[len(links)-1]
			if link.ID != made[0].Links[0] || !link.DeepLinked || link.Title != "Chapter 1" {
				t.Errorf("link %+v", link)
			}
			items := b.platform().Gradebook()
			item := items[len(items)-1]
			if item.Label != "Chapter 1" || item.ScoreMaximum != 20 || item.ResourceID != "c1" || item.Tag != "quiz" || item.ResourceLinkID != link.ID {
				t.Errorf("line item %+v", item)
			}
			// The new link can be opened, and has its own line item, target and parameters.
			br := b.browser()
			click := b.click("student")
			click.Link = link.ID
			form, err := br.LoginInitiation(context.Background(), click)
			if err != nil {
				t.Fatal(err)
			}
			login := form.Values()
			posted, err := br.Authorize(context.Background(), b.authURI(login, map[string]string{"redirect_uri": b.tool.URL + "/launch"}))
			if err != nil {
				t.Fatal(err)
			}
			claims := b.idToken(posted).claims
			opened, _ := claims[claimLTI+"resource_link"].(map[string]any)
			custom, _ := claims[claimLTI+"custom"].(map[string]any)
			endpoint, _ := claims[claimAGS].(map[string]any)
			lineItem, _ := endpoint["lineitem"].(string)
			if opened["id"] != link.ID || claims[claimLTI+"target_link_uri"] != "https://tool.example/chapters/1" || custom["chapter"] != "1" ||
				!strings.Contains(lineItem, item.ID) {
				t.Errorf("link %v, target %v, custom %v, endpoint %v", opened, claims[claimLTI+"target_link_uri"], custom, endpoint)
			}
			// A second answer to the same request, and one with nothing in it.
			if page := p.post(p.returnURL(), b.sign(p.response())); page.Status != 200 || !strings.Contains(string(page.Body), "0 items came") {
				t.Errorf("nothing: %d %s", page.Status, page.Body)
			}
		})
	}
}

func TestDeepLinkingRefusals(t *testing.T) {
	set := func(name string, v any) func(*picking, map[string]any) {
		return func(_ *picking, c map[string]any) { c[name] = v }
	}
	drop := func(name string) func(*picking, map[string]any) {
		return func(_ *picking, c map[string]any) { delete(c, name) }
	}
	item := func(change func(m map[string]any)) func(*picking, map[string]any) {
		return func(_ *picking, c map[string]any) {
			m := quizItem()
			change(m)
			c[claimDL+"content_items"] = []any{m}
		}
	}
	all := func(status int) map[string]int {
		m := map[string]int{}
		for _, name := range ProfileNames() {
			m[name] = status
		}
		return m
	}
	except := func(m map[string]int, status int, names ...string) map[string]int {
		for _, name := range names {
			m[name] = status
		}
		return m
	}
	refused := func() map[string]int { return except(all(400), 404, "moodle") }
	const ok = 200
	benches := map[string]*bench{}
	for _, name := range ProfileNames() {
		for _, lax := range []bool{false, true} {
			benches[fmt.Sprint(name, lax)] = newBench(t, name, with(func(p *PlatformConfig) { p.Lax = lax }))
		}
	}
	for _, c := range []struct {
		name   string
		claims func(*picking, map[string]any)
		strict map[string]int
		lax    map[string]int // where it differs
	}{
		{"good", nil, all(ok), nil},
		{"aud of somebody else", set("aud", "https://elsewhere.example"), refused(), map[string]int{"moodle": ok, "sakai": ok, "openedx": ok}},
		{"aud is the return URL", func(p *picking, c map[string]any) { c["aud"] = p.returnURL() }, refused(), map[string]int{"moodle": ok, "sakai": ok, "openedx": ok}},
		{"aud as array", func(p *picking, c map[string]any) { c["aud"] = []string{p.reg.Issuer} }, except(all(ok), 400, "blackboard"), nil},
		{"iss is the issuer", func(p *picking, c map[string]any) { c["iss"] = p.reg.Issuer }, refused(), nil},
		{"no nonce", drop("nonce"), refused(), map[string]int{"moodle": ok, "sakai": ok, "openedx": ok, "blackboard": ok}},
		{"expired", func(p *picking, c map[string]any) { c["exp"] = p.clock.now().Unix() - 61 }, except(refused(), 500, "openedx"), nil},
		{"iat ahead", func(p *picking, c map[string]any) { c["iat"] = p.clock.now().Unix() + 61 }, refused(), nil},
		{"iat long ago", func(p *picking, c map[string]any) { c["iat"] = p.clock.now().Unix() - 301 }, refused(),
			except(all(ok), 400, "canvas")},
		{"no deployment", drop(claimLTI + "deployment_id"), refused(), map[string]int{"moodle": ok, "sakai": ok, "openedx": ok, "canvas": ok}},
		{"message type", set(claimLTI+"message_type", MessageDeepLinking), refused(), map[string]int{"moodle": ok, "sakai": ok, "canvas": ok}},
		{"version", set(claimLTI+"version", "1.3"), refused(), map[string]int{"moodle": ok, "sakai": ok, "openedx": ok, "canvas": ok}},
		{"other data", set(claimDL+"data", "other"), refused(), map[string]int{"moodle": ok, "sakai": ok, "openedx": ok, "canvas": ok}},
		{"empty data", set(claimDL+"data", ""), refused(), map[string]int{"moodle": ok, "sakai": ok, "openedx": ok, "canvas": ok}},
		{"no sub", drop("sub"), except(all(ok), 400, "blackboard"), nil},
		{"type not offered", item(func(m map[string]any) { m["type"] = "https://tool.example/types/game" }), refused(), map[string]int{"moodle": ok}},
		{"file without URL", item(func(m map[string]any) { m["type"] = "file"; delete(m, "url") }), refused(), nil},
		{"custom is a number", item(func(m map[string]any) { m["custom"] = map[string]any{"n": 1} }), refused(), nil},
		{"maximum of 0", item(func(m map[string]any) { m["lineItem"] = map[string]any{"scoreMaximum": 0} }), refused(), nil},
		{"relative URL", item(func(m map[string]any) { m["url"] = "/chapters/1" }), refused(), nil},
		{"items are no array", set(claimDL+"content_items", quizItem()), refused(), nil},
		{"message is no text", set(claimDL+"msg", 7), refused(), nil},
		{"two items", func(_ *picking, c map[string]any) { c[claimDL+"content_items"] = []any{quizItem(), quizItem()} },
			except(all(ok), 400, "canvas", "sakai"), map[string]int{"canvas": ok, "sakai": ok}},
	} {
		for _, lax := range []bool{false, true} {
			for _, name := range ProfileNames() {
				want := c.strict[name]
				if other, differs := c.lax[name]; lax && differs {
					want = other
				}
				t.Run(c.name+"/"+name+map[bool]string{true: " lax"}[lax], func(t *testing.T) {
					b := benches[fmt.Sprint(name, lax)]
					p := b.pick("teacher")
					claims := p.response(quizItem())
					if c.claims != nil {
						c.claims(p, claims)
					}
					before := len(b.platform().Links())
					page := p.post(p.returnURL(), b.sign(claims))
					if page.Status != want {
						t.Errorf("%d, want %d: %s", page.Status, want, page.Body)
					}
					if want != ok && len(b.platform().Links()) != before {
						t.Error("a refused response made links")
					}
					if name == "canvas" && want != ok && !strings.HasPrefix(string(page.Body), `{"errors":{"jwt":[{"attribute":"jwt"`) {
						t.Errorf("%s", page.Body)
					}
				})
			}
		}
	}
}

func TestDeepLinkingTransport(t *testing.T) {
	for _, name := range ProfileNames() {
		b := newBench(t, name)
		p := b.pick("teacher")
		token := b.sign(p.response(quizItem()))
		send := func(method, uri string, fields ...Field) int {
			page, err := p.browser.submit(context.Background(), &Form{Method: method, Action: uri, Fields: fields}, "cross-site", false)
			if err != nil {
				t.Fatal(err)
			}
			return page.Status
		}
		for what, status := range map[string]int{
			"GET":              send(http.MethodGet, p.returnURL(), Field{"JWT", token}),
			"field in lower":   send(http.MethodPost, p.returnURL(), Field{"jwt", token}),
			"field twice":      send(http.MethodPost, p.returnURL(), Field{"JWT", token}, Field{"JWT", token}),
			"other return URL": send(http.MethodPost, strings.Split(p.returnURL(), "?")[0]+"?x=1", Field{"JWT", token}),
		} {
			if status < 400 {
				t.Errorf("%s: %s: %d", name, what, status)
			}
		}
		// A wrong key, and a visitor who is not signed in.
		forged, err := signRS256(map[string]any{"typ": "JWT", "alg": "RS256", "kid": "tool-1"}, p.response(quizItem()), otherKey())
		if err != nil {
			t.Fatal(err)
		}
		if page := p.post(p.returnURL(), forged); page.Status < 400 {
			t.Errorf("%s: wrong key: %d", name, page.Status)
		}
		stranger := &picking{bench: b, browser: b.browser(), settings: p.settings}
		if page := stranger.post(p.returnURL(), b.sign(p.response(quizItem()))); page.Status < 400 {
			t.Errorf("%s: not signed in: %d", name, page.Status)
		}
		if n := len(b.platform().Links()); n != 1 {
			t.Errorf("%s: %d links", name, n)
		}
		once := b.sign(p.response(quizItem()))
		if first, second := p.post(p.returnURL(), once), p.post(p.returnURL(), once); first.Status != 200 || second.Status < 400 {
			t.Errorf("%s: a response twice: %d, %d", name, first.Status, second.Status)
		}
		// Only teachers pick.
		if status, _, _ := b.get(b.platform().URL()+"/course/launch?tool=quiz&user=student&message="+MessageDeepLinking, nil); status != http.StatusForbidden {
			t.Errorf("%s: a student picks: %d", name, status)
		}
		if status, _, _ := b.get(b.platform().URL()+"/course/launch?tool=quiz&user=student&link=none", nil); status != http.StatusNotFound {
			t.Errorf("%s: unknown link: %d", name, status)
		}
	}
}

func TestDeepLinkingWays(t *testing.T) {
	b := newBench(t, "blackboard")
	p := b.pick("teacher")
	bare := quizItem()
	delete(bare, "url")
	p.post(p.returnURL(), b.sign(p.response(bare)))
	links := b.platform().Links()
	if link := links[len(links)-1]; link.Title != "Tool (Invalid Link)" {
		t.Errorf("blackboard, without a URL: %+v", link)
	}
	e := newBench(t, "openedx")
	for range 2 {
		q := e.pick("teacher")
		q.post(q.returnURL(), e.sign(q.response(quizItem(), map[string]any{"type": "html", "html": "<p>x</p>"})))
	}
	if n := len(e.platform().Links()); n != 2 {
		t.Errorf("openedx keeps earlier content: %d links", n)
	}
	y := newBench(t, "schoology")
	q := y.pick("teacher")
	claims := q.response()
	claims[claimDL+"msg"] = "<b>done</b>"
	if page := q.post(q.returnURL(), y.sign(claims)); !strings.Contains(string(page.Body), "&lt;b&gt;done") {
		t.Errorf("message: %s", page.Body)
	}
	m := newBench(t, "moodle")
	lines := quizItem()
	lines["custom"] = map[string]string{"chapter": "1\nextra=yes\nlost"}
	r := m.pick("teacher")
	r.post(r.returnURL(), m.sign(r.response(lines)))
	links = m.platform().Links()
	if custom := links[len(links)-1].Custom; len(custom) != 2 || custom["chapter"] != "1" || custom["extra"] != "yes" {
		t.Errorf("moodle keeps custom %v", custom)
	}
	uri, err := url.Parse(m.pick("teacher").returnURL())
	if err != nil || uri.Query().Get("sesskey") == "" {
		t.Errorf("moodle: %v %v", uri, err)
	}
}
