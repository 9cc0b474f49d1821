// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ltisidecar/ltisidecar/platformsim"
	ltisidecarv1 "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// scoreWait is how long a score may wait for the platform in one call.
const scoreWait = 20 * time.Second

// course is one platform of a campus, as a feature of the matrix sees it.
type course struct {
	*campus
	name     string
	platform *platformsim.Platform
}

// features are the columns of the matrix. service is what platformsim calls it where a platform may lack it, and absent
// then checks that nothing of it is there.
var features = []struct {
	name, service string
	works, absent func(*course, *testing.T)
}{
	{"core", "", (*course).core, nil},
	{"line items", "", (*course).lineItems, nil},
	{"scores", "", (*course).scores, nil},
	{"results", "", (*course).results, nil},
	{"NRPS", "", (*course).memberships, nil},
	{"deep linking", "", (*course).deepLinking, nil},
	{"Caliper", "caliper", (*course).sendEvents, (*course).noEvents},
	{"groups", "groups", (*course).groups, (*course).noGroups},
}

// TestMatrix takes every feature to every platform: the real sidecar over its socket, the platform over HTTPS, and the
// platform's own books as the truth. A platform that lacks a feature must lack it in its launches, and the sidecar must
// say so. The file that MATRIX_REPORT names receives the table.
func TestMatrix(t *testing.T) {
	platforms := map[string]platformsim.PlatformConfig{}
	for _, name := range platformsim.ProfileNames() {
		platforms[name] = platformsim.PlatformConfig{}
	}
	// As an administrator has to set it up.
	platforms["brightspace"] = platformsim.PlatformConfig{WholeRoster: true, RosterPage: 50, Caliper: true}
	platforms["blackboard"] = platformsim.PlatformConfig{RosterPage: 40}
	c := newCampus(t, buildSidecar(t), platforms)

	report := newMatrixReport()
	for _, name := range platformsim.ProfileNames() {
		for _, feature := range features {
			at := &course{campus: c, name: name, platform: c.sim.Platform(name)}
			why, check := "", feature.works
			if feature.service != "" {
				if why = at.platform.NotOffered(feature.service); why != "" {
					check = feature.absent
				}
			}
			passed := t.Run(name+"/"+strings.ReplaceAll(feature.name, " ", "_"), func(t *testing.T) { check(at, t) })
			report.add(name, feature.name, passed, why)
		}
	}
	if file := os.Getenv("MATRIX_REPORT"); file != "" {
		if err := os.WriteFile(file, []byte(report.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// matrixReport is the table of the matrix.
type matrixReport struct {
	cells           map[string]string // by platform and feature
	notes           []string          // sources of what is not offered
	offered, passed int
}

func newMatrixReport() *matrixReport { return &matrixReport{cells: map[string]string{}} }

func (r *matrixReport) add(platform, feature string, passed bool, why string) {
	cell := "ok"
	if why != "" {
		r.notes = append(r.notes, fmt.Sprintf("%s has no %s: %s", platform, feature, why))
		cell = fmt.Sprintf("not offered (%d)", len(r.notes))
	}
	if !passed {
		cell = "FAILED"
	}
	r.cells[platform+"/"+feature] = cell
	if why == "" || !passed { // what is not offered and yet there counts against the whole
		r.offered++
	}
	if why == "" && passed {
		r.passed++
	}
}

// String is the table, the sources, and the closing line, which counts what the platforms offer.
func (r *matrixReport) String() string {
	var b strings.Builder
	row := func(first string, cell func(feature string) string) {
		line := fmt.Sprintf("%-12s", first)
		for _, f := range features {
			line += fmt.Sprintf(" %-16s", cell(f.name))
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	row("", func(feature string) string { return feature })
	for _, name := range platformsim.ProfileNames() {
		row(name, func(feature string) string { return r.cells[name+"/"+feature] })
	}
	b.WriteString("\nNot offered by the platform:\n")
	for i, note := range r.notes {
		fmt.Fprintf(&b, "%4d  %s\n", i+1, note)
	}
	b.WriteString("Brightspace's Caliper is behind a switch of the simulator: guides speak of it, nothing that is published shows it.\n")
	fmt.Fprintf(&b, "matrix: %d of %d ok\n", r.passed, r.offered)
	return b.String()
}

// open launches a link of the course; without an id, the one that the tool comes with.
func (c *course) open(t *testing.T, user, link string) *ltisidecarv1.Launch {
	t.Helper()
	browser := must(c.sim.NewBrowser())(t)
	defer browser.Close()
	return validate(t, c.launches, must(c.loginBy(t, browser, platformsim.Click{Platform: c.name, Tool: "quiz", User: user, Link: link}))(t))
}

// endpoint is where grades of the course go. Where the link has no line item, as with Brightspace, one is made.
func (c *course) endpoint(t *testing.T) *ltisidecarv1.GradeEndpoint {
	t.Helper()
	endpoint := c.open(t, "student", "").GetGrades()
	if endpoint.GetLineItemUri() != "" {
		return endpoint
	}
	ensured := must(c.grades.EnsureLineItem(t.Context(), &ltisidecarv1.EnsureLineItemRequest{
		Endpoint: endpoint,
		Wanted:   &ltisidecarv1.LineItem{Label: "Quiz", ScoreMaximum: proto.Float64(100), ResourceId: "quiz", ResourceLinkId: c.platform.Registration("quiz").ResourceLinkID},
	}))(t)
	endpoint = proto.Clone(endpoint).(*ltisidecarv1.GradeEndpoint)
	endpoint.LineItemUri, endpoint.CanPostScore = ensured.GetItem().GetUri(), true
	return endpoint
}

// item is a line item of the platform's own book, by its label.
func (c *course) item(t *testing.T, label string) *platformsim.LineItem {
	t.Helper()
	for _, item := range c.platform.Gradebook() {
		if item.Label == label {
			return &item
		}
	}
	return nil
}

// refusedWith fails the test unless an RPC was refused with one of the reasons.
func refusedWith(t *testing.T, what string, err error, reasons ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s was taken, want it refused with %v", what, reasons)
		return
	}
	got, _ := reasonOf(t, err)
	for _, reason := range reasons {
		if got == reason {
			return
		}
	}
	t.Errorf("%s: %v, want one of %v", what, err, reasons)
}
