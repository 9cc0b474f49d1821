// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/ltisidecar/ltisidecar/platformsim"
)

const maxPage = 1 << 20

var (
	hiddenToken            = regexp.MustCompile(`name="launch_token" value="([^"]+)"`)
	hiddenDeepLinkingToken = regexp.MustCompile(`name="deep_linking_token" value="([^"]+)"`)
)

// walk launches a tool from a platform, as a student who gets a score and as a teacher who reads the roster and picks
// content, and prints a line for each RPC.
func (d *demo) walk(ctx context.Context, t *tool, platform string) error {
	page, err := d.launch(ctx, t, platform, "student")
	if err != nil {
		return err
	}
	if err := d.show(ctx, t, platform, "BuildAuthRequest", "ValidateLaunch"); err != nil {
		return err
	}
	if page, err = t.press(ctx, "score", page); err != nil {
		return err
	}
	if !strings.Contains(page, "delivered") {
		return fmt.Errorf("the page does not say that the score is delivered")
	}
	if err := d.show(ctx, t, platform, "PostScore"); err != nil {
		return err
	}
	if page, err = t.press(ctx, "deliveries", page); err != nil {
		return err
	}
	if !strings.Contains(page, "<li>delivered") {
		return fmt.Errorf("the page does not list the score as delivered")
	}
	if err := d.show(ctx, t, platform, "ListScoreDeliveries"); err != nil {
		return err
	}
	if page, err = d.launch(ctx, t, platform, "teacher"); err != nil {
		return err
	}
	if _, err = t.press(ctx, "token", page); err != nil {
		return err
	}
	if err := d.show(ctx, t, platform, "GetServiceToken"); err != nil {
		return err
	}
	if page, err = t.press(ctx, "roster", page); err != nil {
		return err
	}
	if err := d.show(ctx, t, platform, "ListMembers"); err != nil {
		return err
	}
	people := strings.Count(page, "<li>")
	if err := d.pick(ctx, t, platform); err != nil {
		return err
	}
	if err := d.show(ctx, t, platform, "BuildDeepLinkingResponse"); err != nil {
		return err
	}
	if err := d.checkGrade(ctx, t, platform); err != nil {
		return err
	}
	fmt.Printf("demo: %s %s shows %d people; the platform's grade book has 8 of 10, and its course a quiz more\n", t.name, platform, people)
	return nil
}

// launch takes a fresh browser from the platform's course page to the tool's page.
func (d *demo) launch(ctx context.Context, t *tool, platform, user string) (string, error) {
	browser, err := d.sim.NewBrowser()
	if err != nil {
		return "", err
	}
	defer browser.Close()
	page, err := browser.Launch(ctx, platformsim.Click{Platform: platform, Tool: t.name, User: user})
	if err != nil {
		return "", err
	}
	if page.Status != http.StatusOK || !strings.Contains(string(page.Body), "Hello") {
		return "", fmt.Errorf("the launch as %s ended at %s with status %d:\n%s", user, page.URL, page.Status, page.Body)
	}
	return string(page.Body), nil
}

// pick lets a teacher pick a quiz in the tool's page, and takes it to the platform.
func (d *demo) pick(ctx context.Context, t *tool, platform string) error {
	browser, err := d.sim.NewBrowser()
	if err != nil {
		return err
	}
	defer browser.Close()
	picker, err := browser.Launch(ctx, platformsim.Click{Platform: platform, Tool: t.name, User: "teacher", Message: platformsim.MessageDeepLinking})
	if err != nil {
		return err
	}
	found := hiddenDeepLinkingToken.FindSubmatch(picker.Body)
	if found == nil {
		return fmt.Errorf("the tool's page at %s, status %d, has no picker:\n%s", picker.URL, picker.Status, picker.Body)
	}
	page, err := t.post(ctx, "lti/content", url.Values{"deep_linking_token": {html.UnescapeString(string(found[1]))}, "graded": {"yes"}, "quiz": {"Genes"}})
	if err != nil {
		return err
	}
	form := platformsim.FormOf([]byte(page))
	if form == nil {
		return fmt.Errorf("the page has no form for the platform:\n%s", page)
	}
	taken, err := browser.Return(ctx, form)
	if err != nil {
		return err
	}
	if taken.Status != http.StatusOK || !strings.Contains(string(taken.Body), "1 links were made") {
		return fmt.Errorf("the platform did not take the quiz, status %d:\n%s", taken.Status, taken.Body)
	}
	return nil
}

// press presses a button of the tool's page.
func (t *tool) press(ctx context.Context, button, page string) (string, error) {
	found := hiddenToken.FindStringSubmatch(page)
	if found == nil || !strings.Contains(page, `formaction="/`+button+`"`) {
		return "", fmt.Errorf("the tool's page has no button %q", button)
	}
	return t.post(ctx, button, url.Values{"launch_token": {html.UnescapeString(found[1])}})
}

// post sends a form to the tool and returns the page that answers it.
func (t *tool) post(ctx context.Context, path string, form url.Values) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.origin+"/"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return t.read(request)
}

func (t *tool) read(request *http.Request) (string, error) {
	response, err := t.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPage))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %s:\n%s", request.URL.Path, response.Status, body)
	}
	return string(body), nil
}

// show prints the sidecar's record of calls.
func (d *demo) show(ctx context.Context, t *tool, platform string, methods ...string) error {
	for _, method := range methods {
		c, err := d.calls.take(ctx, method, t.registration(platform))
		if err != nil {
			return err
		}
		if c.Code != "OK" {
			return fmt.Errorf("%s: %s %s", method, c.Code, c.Reason)
		}
		fmt.Printf("demo: %s %s %s ok %.1fms\n", t.name, platform, method, float64(c.Duration.Microseconds())/1000)
	}
	return nil
}

// checkGrade asks the platform whether its grade book has the tool's score of 8 of 10.
func (d *demo) checkGrade(ctx context.Context, t *tool, platform string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.sim.URL()+"/"+platform+"/sim/gradebook", nil)
	if err != nil {
		return err
	}
	text, err := t.read(request)
	if err != nil {
		return err
	}
	var items []struct {
		Tool   string `json:"tool"`
		Grades map[string]struct {
			Score        *float64 `json:"score"`
			ScoreMaximum float64  `json:"score_maximum"`
		} `json:"grades"`
	}
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		return err
	}
	for _, item := range items {
		for _, grade := range item.Grades {
			if item.Tool == t.name && grade.Score != nil && *grade.Score*10 == 8*grade.ScoreMaximum {
				return nil
			}
		}
	}
	return fmt.Errorf("the platform's grade book lacks the score: %s", text)
}
