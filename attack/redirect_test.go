// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// The building blocks of target link URIs that must not pass. The tool is at https://tool.example; every host below is
// another, or none, in at least one reader's eyes.
var (
	redirectSchemes = []string{
		"https:", "http:", "", "HTTPS:", "hTTp:", "ftp:", "file:", "ws:", "wss:", "javascript:", "JaVaScRiPt:", "java\tscript:", "data:", "data:text/html,", "vbscript:", "blob:https:", "view-source:https:",
		"about:", "mailto:", "tel:", "intent:", " https:", "\thttps:", "\nhttps:", "\x00https:", "\ufeffhttps:", "https", "https%3a", "ht\ntps:", "https;", "https :", "ｈttps:", "x-https:", "https:https:", "url:https:",
	}
	redirectSeparators = []string{
		"//", "/", "", "///", "////", `\\`, `\`, `/\`, `\/`, `//\`, "/ /", "/\t/", "/\n/", "/\r\n/", "%2f%2f", "/%2f", "%5c%5c", "/%5c", "/%09/", "/./", "/../", "//%00", "//;", "//.", "//@", "//:@", "//:80@", "／／", "∕∕", ":", "?", "#", "//#", "//?",
	}
	redirectHosts = []string{
		"evil.example", "evil.example/tool.example", "evil.example?tool.example", "evil.example#tool.example", "evil.example#@tool.example", "evil.example?@tool.example", "evil.example/@tool.example",
		`evil.example\@tool.example`, `evil.example\.tool.example`, `evil.example;tool.example`, "tool.example@evil.example", "tool.example:443@evil.example", "tool.example:x@evil.example", "tool.example%40evil.example",
		"tool.example%2540evil.example", "x@y@evil.example", "tool.example.evil.example", "eviltool.example", "tool.example-evil.example", "tool-example.evil.example", "tool.example%2eevil.example",
		"tool.example%00.evil.example", "tool.example%23.evil.example", "tool.example%3f.evil.example", "tool.example%2f.evil.example", "tool.example%5c.evil.example", "tool.example%09.evil.example", "tool.example\u200b.evil.example",
		"tool.example&evil.example", "tool.example,evil.example", "tool.example|evil.example", "tool.example;evil.example", "tool.example evil.example", "tool.example\tevil.example", "tool.example\x00evil.example",
		"tool.example。evil.example", "tool.example．evil.example", "tool.example｡evil.example", "evil。example", "ｅvil.example", "ⓔvil.example", "tооl.example", "tool.exаmple", "xn--tl-jbca.example", "töol.example",
		"ToOl.ExAmPlE.evil.example", "example", "ool.example", "sub.tool.example", "www.tool.example", "tool.example.", "tool.example..", ".tool.example", "tool..example", "tool.exampl", "tool.examples", "staging.tool.example.",
		"tool.example:444", "tool.example:80", "tool.example:8443", "tool.example:0443", "tool.example:443443", "tool.example:65979", "tool.example:-443", "tool.example:+443", "tool.example:", "tool.example:x", "tool.example:443:443", "tool.example:４４３",
		"tool.example:443%40evil.example", "user@tool.example", "user:password@tool.example", "@tool.example", ":@tool.example", "%40tool.example", "127.0.0.1", "localhost", "0", "0.0.0.0", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1",
		"0177.0.0.1", "017700000001", "169.254.169.254", "10.0.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]", "[fe80::1%25eth0]", "[::1", "::1]", "[tool.example]", "[]", "", "%", "%zz", "*", "*.tool.example", "..", "-", "_",
		"tool%2eexample", "%74ool.example", "tool.ex%61mple", "tool_example", "tool.example\\", `tool.example\evil.example`, "tool.example%0d%0aSet-Cookie:x=1", "tool.example\r\nX: y", "\u202eelpmaxe.loot",
	}
)

// redirects builds the target link URIs: every scheme with every separator, the hosts taking turns; and every host
// where it would matter most, with a few paths.
func redirects() []string {
	known := map[string]bool{}
	var list []string
	add := func(text string) {
		if text != "" && !known[text] {
			known[text] = true
			list = append(list, text)
		}
	}
	turn := 0
	for i, scheme := range redirectSchemes {
		for j, separator := range redirectSeparators {
			if i > 2 && j > 2 && (i+j)%3 != 0 {
				continue // of the rarer pairs, a third
			}
			add(scheme + separator + redirectHosts[turn%20] + "/quiz/7")
			turn++
		}
	}
	for _, host := range redirectHosts {
		for _, rest := range []string{"", "/quiz/7", "/?next=https://tool.example/quiz/7", "/#https://tool.example/"} {
			if rest == "" || host != "" {
				add("https://" + host + rest)
			}
		}
		add("//" + host + "/")
	}
	return list
}

// allowedTargets are odd but the tool's own, and must pass.
var allowedTargets = []string{
	"https://tool.example", "https://tool.example/", "https://tool.example:443/", "HTTPS://TOOL.EXAMPLE/quiz/7", "hTtPs://tool.example/quiz/7", "https://staging.tool.example/", "https://tool.example?x=1",
	"https://tool.example#part", "https://tool.example/?next=https://evil.example/", "https://tool.example/?next=//evil.example", "https://tool.example/#https://evil.example/", "https://tool.example//evil.example/",
	"https://tool.example/@evil.example", "https://tool.example/user@evil.example:443/", "https://tool.example/%40evil.example", "https://tool.example/%2f%2fevil.example", "https://tool.example/..", "https://tool.example/../..//x",
	"https://tool.example/%2e%2e/", "https://tool.example/a;b=c", "https://tool.example/a:b", "https://tool.example/ü", "https://tool.example/%C3%BC?q=%20+&&=", "https://tool.example/?", "https://tool.example/#",
	"https://tool.example/a|b", "https://tool.example/{id}", "https://tool.example/'quoted'", "https://tool.example/\"quoted\"", "https://tool.example/?javascript:alert(1)", "https://tool.example/?a=1&a=2", "https://tool.example/~x",
}

// TestOpenRedirects sends each of the strings at login and in the claim.
func TestOpenRedirects(t *testing.T) {
	s := newStack(t, 1)
	list := redirects()
	if len(list) < 500 {
		t.Errorf("only %d strings", len(list))
	}
	var vectors []vector
	pair := func(name, uri string, want lti.Reason) {
		vectors = append(vectors,
			vector{family: "R", name: fmt.Sprintf("%sat login %.120q", name, uri), want: want, auth: func(r *pb.BuildAuthRequestRequest) { setParameter(r.Browser, "target_link_uri", uri) }},
			vector{family: "R", name: fmt.Sprintf("%sin the claim %.120q", name, uri), want: want, claims: only(lti.ClaimTargetLinkURI, uri)})
	}
	for _, uri := range list {
		pair("", uri, lti.ReasonTargetLinkURINotAllowed)
	}
	for _, uri := range allowedTargets {
		pair("odd: ", uri, "")
	}
	s.runAll(t, vectors)

	// A platform whose registration names further origins reaches those, and nothing beside them.
	vectors = nil
	for uri, want := range map[string]lti.Reason{
		"https://media.tool.example:8443/x": "", "https://MEDIA.tool.example:8443": "", "https://[2001:db8::1]/x": "", "https://[2001:DB8::1]:443/": "",
		"https://media.tool.example/x": lti.ReasonTargetLinkURINotAllowed, "http://media.tool.example:8443/x": lti.ReasonTargetLinkURINotAllowed, "https://media.tool.example:8444/x": lti.ReasonTargetLinkURINotAllowed,
		"https://[2001:db8::2]/x": lti.ReasonTargetLinkURINotAllowed, "https://[2001:db8:0::1]/x": lti.ReasonTargetLinkURINotAllowed, "https://[2001:0db8::1]/x": lti.ReasonTargetLinkURINotAllowed,
	} {
		vectors = append(vectors, vector{family: "R", name: "further origins: " + uri, on: "open", want: want, claims: only(lti.ClaimTargetLinkURI, uri)})
	}
	s.runAll(t, vectors)
}

// setParameter replaces the value of a parameter.
func setParameter(browser *pb.BrowserRequest, name, value string) {
	for _, parameter := range browser.Parameters {
		if parameter.Name == name {
			parameter.Value = value
			return
		}
	}
	browser.Parameters = append(browser.Parameters, &pb.Parameter{Name: name, Value: value})
}

// dropParameter removes a parameter.
func dropParameter(browser *pb.BrowserRequest, name string) {
	var kept []*pb.Parameter
	for _, parameter := range browser.Parameters {
		if parameter.Name != name {
			kept = append(kept, parameter)
		}
	}
	browser.Parameters = kept
}

// repeatParameter adds a second value of a parameter, in front.
func repeatParameter(browser *pb.BrowserRequest, name, value string) {
	browser.Parameters = append([]*pb.Parameter{{Name: name, Value: value}}, browser.Parameters...)
}

// loginVectors: C19: the login initiation, which is open to the whole internet.
func loginVectors() []vector {
	var vectors []vector
	add := func(name string, want lti.Reason, change func(*pb.BuildAuthRequestRequest)) {
		vectors = append(vectors, vector{family: "L", name: name, want: want, auth: change})
	}
	set := func(name, value string) func(*pb.BuildAuthRequestRequest) {
		return func(r *pb.BuildAuthRequestRequest) { setParameter(r.Browser, name, value) }
	}
	for _, issuer := range []string{
		"https://evil.example", "https://a.example/", "http://a.example", "https://A.example", "https://a.example:443", "https://a.example ", " https://a.example", "https://a.example\x00", "a.example", "//a.example",
		"https://a.example/lti", "https://a.example.evil.example", "https://а.example", "*", "null", "' OR '1'='1", "client-1", "https://a.example,https://b.example",
	} {
		add(fmt.Sprintf("iss %q", issuer), lti.ReasonIssuerUnknown, set("iss", issuer))
	}
	for _, id := range []string{"client-9", "CLIENT-1", "client-1 ", " client-1", "client-1\x00", "client", "*", "client-1,client-2", "null", "' OR '1'='1"} {
		add(fmt.Sprintf("client_id %q", id), lti.ReasonClientIDUnknown, set("client_id", id))
	}
	add("no client_id, where the issuer has two", lti.ReasonRegistrationAmbiguous, func(r *pb.BuildAuthRequestRequest) { dropParameter(r.Browser, "client_id") })
	add("client_id empty, where the issuer has two", lti.ReasonRegistrationAmbiguous, set("client_id", ""))
	for _, name := range []string{"iss", "login_hint", "target_link_uri"} {
		add("no "+name, lti.ReasonParameterMissing, func(r *pb.BuildAuthRequestRequest) { dropParameter(r.Browser, name) })
		add(name+" empty", lti.ReasonParameterMissing, set(name, ""))
		add(name+" in capitals", lti.ReasonParameterMissing, func(r *pb.BuildAuthRequestRequest) {
			dropParameter(r.Browser, name)
			setParameter(r.Browser, strings.ToUpper(name), "https://a.example")
		})
		add(name+" as a list", lti.ReasonParameterMissing, func(r *pb.BuildAuthRequestRequest) {
			dropParameter(r.Browser, name)
			setParameter(r.Browser, name+"[]", "https://a.example")
		})
	}
	for name, limit := range map[string]int{
		"iss": 2048, "login_hint": 8192, "target_link_uri": 4096, "lti_message_hint": 8192, "lti_deployment_id": 1020, "deployment_id": 1020, "client_id": 1020, "lti_storage_target": 256,
	} {
		add(name+" too long", lti.ReasonParameterTooLong, set(name, strings.Repeat("x", limit+1)))
		add(name+" twice", lti.ReasonParameterRepeated, func(r *pb.BuildAuthRequestRequest) {
			setParameter(r.Browser, name, "x")
			repeatParameter(r.Browser, name, "x")
		})
		add(name+" twice, once empty", lti.ReasonParameterRepeated, func(r *pb.BuildAuthRequestRequest) {
			setParameter(r.Browser, name, "x")
			repeatParameter(r.Browser, name, "")
		})
	}
	for _, method := range []string{"PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "", "get", "post", "POST ", "GET\r\nX: y"} {
		add(fmt.Sprintf("method %q", method), lti.ReasonMethodNotAllowed, func(r *pb.BuildAuthRequestRequest) { r.Browser.Method = method })
	}
	add("65 parameters", lti.ReasonParameterTooLong, func(r *pb.BuildAuthRequestRequest) {
		for i := range 65 {
			setParameter(r.Browser, fmt.Sprintf("x%d", i), "x")
		}
	})
	add("200 KiB of parameters", lti.ReasonParameterTooLong, set("x", strings.Repeat("x", 200<<10)))
	add("33 KiB of cookies", lti.ReasonParameterTooLong, func(r *pb.BuildAuthRequestRequest) { r.Browser.CookieHeader = strings.Repeat("x", 33<<10) })
	for _, change := range []func(*pb.BrowserRequest, string){
		func(b *pb.BrowserRequest, v string) { b.Origin = v }, func(b *pb.BrowserRequest, v string) { b.SecFetchSite = v }, func(b *pb.BrowserRequest, v string) { b.SecFetchDest = v },
		func(b *pb.BrowserRequest, v string) { b.SecFetchStorageAccess = v },
	} {
		add(fmt.Sprintf("a long header %d", len(vectors)), lti.ReasonParameterTooLong, func(r *pb.BuildAuthRequestRequest) { change(r.Browser, strings.Repeat("x", 2049)) })
	}
	for _, uri := range []string{"https://evil.example/", launchURI + "/", launchURI + "?x", "HTTPS://tool.example/lti/launch", "https://tool.example:443/lti/launch", "https://tool.example/lti/launch#", "/lti/launch", "javascript:alert(1)", " " + launchURI} {
		add(fmt.Sprintf("launch URI %q", uri), lti.ReasonLaunchURINotListed, func(r *pb.BuildAuthRequestRequest) { r.LaunchUri = uri })
	}
	for _, name := range []string{"nobody", "A", "a ", "../a", "*"} {
		add(fmt.Sprintf("registration %q", name), lti.ReasonRegistrationUnknown, func(r *pb.BuildAuthRequestRequest) { r.Registration = name })
	}
	add("registration of another issuer", lti.ReasonIssuerUnknown, func(r *pb.BuildAuthRequestRequest) { r.Registration = "b" })
	add("registration of another client id", lti.ReasonClientIDUnknown, func(r *pb.BuildAuthRequestRequest) { r.Registration = "a2" })
	for _, nonce := range []string{"'", "a b", "x;y", "\"><script>", "a\r\nb", "é", strings.Repeat("x", 129)} {
		add(fmt.Sprintf("CSP nonce %.20q", nonce), lti.ReasonRequestInvalid, func(r *pb.BuildAuthRequestRequest) { r.Browser.CspNonce = nonce })
	}
	add("no browser request", lti.ReasonRequestInvalid, func(r *pb.BuildAuthRequestRequest) { r.Browser = nil })
	// Hints are the platform's, and pass whatever they hold: percent-encoded, they stay one parameter.
	for _, hint := range []string{
		"x&redirect_uri=https://evil.example", "x#redirect_uri=https://evil.example", "x\r\nSet-Cookie: a=b", "x%26client_id=evil", "\x00", "é", "ユーザー", "<script>", "\"'`", "a b+c", strings.Repeat("x", 8192), "{\"a\":1}", "\\", ";,/?:@=+$", "\u202e",
	} {
		add(fmt.Sprintf("odd: login_hint %.40q", hint), "", set("login_hint", hint))
		add(fmt.Sprintf("odd: lti_message_hint %.40q", hint), "", set("lti_message_hint", hint))
	}
	add("odd: by GET", "", func(r *pb.BuildAuthRequestRequest) { r.Browser.Method = "GET" })
	add("odd: the second launch URI", "", func(r *pb.BuildAuthRequestRequest) { r.LaunchUri = "https://staging.tool.example/lti/launch" })
	add("odd: unknown parameters, repeated", "", func(r *pb.BuildAuthRequestRequest) {
		r.Browser.Parameters = append(r.Browser.Parameters, parameters("redirect_uri", "https://evil.example", "redirect_uri", "x", "state", "x", "nonce", "x", "scope", "x", "utf8", "✓")...)
	})
	for _, frame := range []string{"top", "_parent", "constructor", "<script>", "a b", "__proto__", "frame.name", strings.Repeat("x", 256)} {
		add(fmt.Sprintf("odd: lti_storage_target %.20q", frame), "", set("lti_storage_target", frame))
	}
	return vectors
}

func TestLoginInitiation(t *testing.T) {
	s := newStack(t, 1)
	s.runAll(t, loginVectors())
}

// TestHintsStayOneParameter holds the authorization URI to the parameters that it must have, once each, whatever the
// hints hold.
func TestHintsStayOneParameter(t *testing.T) {
	s := newStack(t, 1)
	hostile := "x&redirect_uri=https://evil.example&client_id=evil#\r\nLocation: https://evil.example?state=1"
	request := s.authRequest(s.parties["a"], "lti_message_hint", hostile)
	setParameter(request.Browser, "login_hint", hostile)
	answer, err := s.launches.BuildAuthRequest(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	uri, query, _ := strings.Cut(answer.AuthorizationUri, "?")
	if uri != "https://a.example/auth" || strings.ContainsAny(query, "#\r\n ?") {
		t.Errorf("authorization URI %q", answer.AuthorizationUri)
	}
	for _, name := range []string{"redirect_uri", "client_id", "state", "nonce", "login_hint", "lti_message_hint", "scope", "prompt", "response_type", "response_mode"} {
		if count := strings.Count("&"+query, "&"+name+"="); count != 1 {
			t.Errorf("%s comes %d times", name, count)
		}
	}
	for _, header := range answer.Reply.Headers {
		if strings.ContainsAny(header.Name+header.Value, "\r\n") {
			t.Errorf("a header with a line break: %q", header)
		}
	}
}
