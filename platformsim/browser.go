// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// Browser does what a browser does in a launch: it keeps cookies, follows redirects and sends on the platform's
// self-posting pages. It runs no scripts and does not judge SameSite, so it behaves like a browser that blocks nothing.
// One Browser is one person at one machine; it may be used by several goroutines.
type Browser struct {
	sim    *Sim
	client *http.Client
}

// Click is a click on a tool's link in the course.
type Click struct {
	Platform string // profile name
	Tool     string // name of the tool
	User     string // key of the person; empty: "student"
	Link     string // id of the link; empty: the one that the tool comes with
	Message  string // MessageDeepLinking to pick content; empty: open the link
	Window   bool   // in a new window; false: in an iframe
	// Storage lets the platform offer its postMessage storage. False keeps the offer away: this browser could not use
	// it, as it runs no scripts.
	Storage bool
}

// Page is where a launch ended.
type Page struct {
	URL    string
	Status int
	Header http.Header
	Body   []byte
}

const (
	maxSteps    = 20
	maxPage     = 4 << 20
	browserWait = 30 * time.Second
)

// NewBrowser returns a fresh browser that trusts the simulator's authority, and further PEM roots if given. Close it
// to free its connections.
func (s *Sim) NewBrowser(extraRoots ...[]byte) (*Browser, error) {
	roots := x509.NewCertPool()
	roots.AddCert(s.ca.cert)
	for _, pem := range extraRoots {
		if !roots.AppendCertsFromPEM(pem) {
			return nil, errors.New("platformsim: no certificate among the further roots")
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &Browser{sim: s, client: &http.Client{
		Jar:           jar,
		Timeout:       browserWait,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close frees the browser's connections.
func (b *Browser) Close() { b.client.CloseIdleConnections() }

// Cookies returns what the browser would send to that address: name=value pairs as in a Cookie header.
func (b *Browser) Cookies(uri string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", err
	}
	var list []string
	for _, c := range b.client.Jar.Cookies(u) {
		list = append(list, c.Name+"="+c.Value)
	}
	return strings.Join(list, "; "), nil
}

// LoginInitiation clicks on the link and returns what the platform then sends to the tool's login URI, without sending
// it. For tests that call the sidecar directly: relay the fields, then go on with Authorize.
func (b *Browser) LoginInitiation(ctx context.Context, c Click) (*Form, error) {
	p := b.sim.Platform(c.Platform)
	if p == nil {
		return nil, fmt.Errorf("platformsim: no platform %q", c.Platform)
	}
	q := url.Values{"tool": {c.Tool}, "user": {c.User}, "view": {"iframe"}}
	if c.User == "" {
		q.Set("user", string(Student))
	}
	if c.Window {
		q.Set("view", "window")
	}
	if c.Link != "" {
		q.Set("link", c.Link)
	}
	if c.Message != "" {
		q.Set("message", c.Message)
	}
	if !c.Storage {
		q.Set("storage", "off")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/course/launch?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	page, err := b.send(req, "same-origin", c.Window)
	if err != nil {
		return nil, err
	}
	form, err := page.next()
	if err == nil && form.Method == http.MethodGet {
		form = splitQuery(form.Action, p.Registration(c.Tool).LoginURI)
	}
	return form, err
}

// splitQuery takes a login initiation by GET apart again: the tool's own login URI, and the fields in their order.
func splitQuery(uri, login string) *Form {
	f := &Form{Method: http.MethodGet, Action: login}
	query := strings.TrimPrefix(strings.TrimPrefix(uri, login), "?")
	for pair := range strings.SplitSeq(strings.TrimPrefix(query, "&"), "&") {
		name, value, _ := strings.Cut(pair, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 == nil && err2 == nil {
			f.Fields = append(f.Fields, Field{n, v})
		}
	}
	return f
}

// Authorize opens the authorization URI, as the tool's redirect would have it, and returns the form that the platform
// posts to the redirect URI: id_token and state, or error. A platform that shows an error page instead gives a
// *PageError. The browser must have made the LoginInitiation before: it is signed in by it.
func (b *Browser) Authorize(ctx context.Context, authorizationURI string) (*Form, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, authorizationURI, nil)
	if err != nil {
		return nil, err
	}
	page, err := b.send(req, "cross-site", false)
	for range maxSteps {
		if err != nil {
			return nil, err
		}
		form, err := page.next()
		if err != nil {
			return nil, err
		}
		if form.Method == http.MethodPost && !b.ofPlatform(form.Action) {
			return form, nil
		}
		page, err = b.submit(ctx, form, "same-origin", false)
		if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("platformsim: the authorization endpoint goes in circles")
}

// Launch clicks on the link and follows everything up to the page where the browser would stop: the tool's page, or an
// error page of whoever shows one.
func (b *Browser) Launch(ctx context.Context, c Click) (*Page, error) {
	form, err := b.LoginInitiation(ctx, c)
	if err != nil {
		return nil, err
	}
	for range maxSteps {
		page, err := b.submit(ctx, form, "cross-site", c.Window)
		if err != nil {
			return nil, err
		}
		if form, err = page.next(); errors.As(err, new(*PageError)) {
			return page, nil
		} else if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("platformsim: the launch goes in circles")
}

// Return posts what a tool answers to a request to pick content, and follows to the page where the browser would stop.
func (b *Browser) Return(ctx context.Context, form *Form) (*Page, error) {
	for range maxSteps {
		page, err := b.submit(ctx, form, "cross-site", false)
		if err != nil {
			return nil, err
		}
		if form, err = page.next(); errors.As(err, new(*PageError)) {
			return page, nil
		} else if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("platformsim: the answer goes in circles")
}

// FormOf reads the form of a page that posts itself, whoever made it. It is nil if the page has none.
func FormOf(page []byte) *Form {
	return findForm(page, func(map[string]string) bool { return true })
}

func (b *Browser) ofPlatform(uri string) bool {
	return uri == b.sim.url || strings.HasPrefix(uri, b.sim.url+"/")
}

// submit sends a form as a browser does.
func (b *Browser) submit(ctx context.Context, f *Form, site string, window bool) (*Page, error) {
	uri, body := f.Action, io.Reader(nil)
	if f.Method == http.MethodPost {
		body = strings.NewReader(f.encode())
	} else if len(f.Fields) > 0 {
		uri = f.getURL()
	}
	req, err := http.NewRequestWithContext(ctx, f.Method, uri, body)
	if err != nil {
		return nil, err
	}
	if f.Method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.sim.url)
	}
	return b.send(req, site, window)
}

func (b *Browser) send(req *http.Request, site string, window bool) (*Page, error) {
	dest := "iframe"
	if window {
		dest = "document"
	}
	req.Header.Set("User-Agent", "platformsim-browser/1")
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	req.Header.Set("Sec-Fetch-Site", site)
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", dest)
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read only: nothing is lost
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxPage {
		return nil, errors.New("platformsim: page too large")
	}
	return &Page{URL: req.URL.String(), Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// PageError says that a page is the end: a person would read it.
type PageError struct{ Page *Page }

// Error names the page and its status, not its content.
func (e *PageError) Error() string {
	u, _, _ := strings.Cut(e.Page.URL, "?")
	return fmt.Sprintf("platformsim: %s answered %d with a page to read", u, e.Page.Status)
}

// next is what the browser does by itself after this page: follow a redirect, or send a self-posting form of ours.
func (p *Page) next() (*Form, error) {
	here, err := url.Parse(p.URL)
	if err != nil {
		return nil, err
	}
	switch p.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		to, err := here.Parse(p.Header.Get("Location"))
		if err != nil {
			return nil, err
		}
		return &Form{Method: http.MethodGet, Action: to.String()}, nil
	case http.StatusOK:
		if f := autoForm(p.Body); f != nil {
			to, err := here.Parse(f.Action)
			if err != nil {
				return nil, err
			}
			f.Action = to.String()
			return f, nil
		}
	}
	return nil, &PageError{Page: p}
}

// autoForm finds the form that posts itself; only pages of the simulator carry the marker.
func autoForm(body []byte) *Form {
	return findForm(body, func(attr map[string]string) bool { return attr["data-auto-submit"] != "" })
}

func findForm(body []byte, is func(attr map[string]string) bool) *Form {
	z := html.NewTokenizer(bytes.NewReader(body))
	var form *Form
	for {
		switch z.Next() {
		case html.ErrorToken:
			return form
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			attr := map[string]string{}
			for _, a := range t.Attr {
				attr[a.Key] = a.Val
			}
			switch {
			case t.Data == "form" && is(attr):
				form = &Form{Method: strings.ToUpper(attr["method"]), Action: attr["action"]}
			case t.Data == "input" && form != nil && attr["name"] != "":
				form.Fields = append(form.Fields, Field{attr["name"], attr["value"]})
			}
		}
	}
}
