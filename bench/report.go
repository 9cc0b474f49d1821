// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"text/template"
	"time"

	"github.com/ltisidecar/ltisidecar/bench/measure"
)

//go:embed report.md.tmpl
var reportText string

var reportTemplate = template.Must(template.New("report").Parse(reportText))

// page is what the template is given.
type page struct {
	Command, Commit, Machine string
	Unit                     float64 // R in microseconds
	Rounds                   string
	Lines, Notes             []string
	Figures                  []measure.Figure
	Peers                    []peerCost
	Together                 []together
	Launch, Login            float64 // in R
	PerCore, PerMachine      float64 // launches a second, their logins included
	Crest                    float64
	Waits                    []simulated
}

type peerCost struct {
	Name       string
	Cost, Rate float64
}

type together struct {
	Name               string
	Tool, Sidecar, Sum float64
	Without            string
}

type simulated struct {
	Cores             string
	Capacity          float64
	P50, P99, Longest string
}

// writeReport writes the page with the results.
func writeReport(path string, kept *results, command string) error {
	p := newPage(kept, command)
	var text strings.Builder
	if err := reportTemplate.Execute(&text, p); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}

func newPage(kept *results, command string) *page {
	p := &page{Command: command, Commit: kept.Commit, Machine: machine()}
	most := 0
	for _, r := range rows {
		measured, ok := kept.Rows[r.name]
		if !ok {
			continue
		}
		most = max(most, len(measured.Rounds))
		for i := range r.figures {
			p.Lines = append(p.Lines, r.figures[i].Line(measured.Values[i]))
			p.Figures = append(p.Figures, r.figures[i])
		}
		p.Notes = append(p.Notes, r.name+": "+measured.Note)
	}
	p.Rounds = "Each figure is of one round."
	if most > 1 {
		p.Rounds = fmt.Sprintf("Each figure is the median of up to %d rounds.", most)
	}
	unary := kept.Rows["T2"].Extra
	p.Unit = unary["R in microseconds"]
	p.Launch, p.Login = unary["launch"], unary["login"]
	p.addPeers(kept)
	if p.Launch > 0 {
		p.PerCore = 1e6 / ((p.Launch + p.Login) * p.Unit)
		p.PerMachine = 8 * p.PerCore
		for _, cores := range []float64{0.1, 0.25, 0.5, 1} {
			found := monday.simulate(cores*p.PerCore, 1)
			p.Crest = found.crest
			round := func(d time.Duration) string {
				if d < time.Millisecond {
					return "1ms"
				}
				if d < time.Second {
					return d.Round(time.Millisecond).String()
				}
				return d.Round(time.Second).String()
			}
			p.Waits = append(p.Waits, simulated{fmt.Sprintf("%g of a core", cores), cores * p.PerCore, round(found.p50), round(found.p99), round(found.longest)})
		}
	}
	return p
}

// addPeers fills in the tables that compare, where the peers were measured.
func (p *page) addPeers(kept *results) {
	costs := kept.Rows["T5"].Extra
	if len(costs) == 0 || p.Unit == 0 {
		return
	}
	for _, name := range []string{"sidecar", "PyLTI1p3", "ltijs", "jsonwebtoken", "golang-jwt", "jwx"} {
		if cost := costs[name]; cost > 0 {
			p.Peers = append(p.Peers, peerCost{name, cost, 1e6 / (cost * p.Unit)})
		}
	}
	add := func(name string, tool, sidecar float64, without string) {
		if tool > 0 && sidecar > 0 {
			p.Together = append(p.Together, together{name, tool, sidecar, tool + sidecar, without})
		}
	}
	overJSON := kept.Rows["T4"]
	if node := kept.Rows["T14"].Extra; len(node) > 0 && len(overJSON.Values) > 0 {
		add("Node, JSON", node["Node tool"], overJSON.Values[0], fmt.Sprintf("%.1f R with ltijs, %.1f R with jsonwebtoken alone", costs["ltijs"], costs["jsonwebtoken"]))
	}
	add("Go, gRPC", kept.Rows["T2"].Extra["client"], p.Launch, fmt.Sprintf("%.1f R with golang-jwt alone, %.1f R with jwx alone", costs["golang-jwt"], costs["jwx"]))
}

// machine describes where the run took place, without its name.
func machine() string {
	model := "unknown processor"
	if file, err := os.Open("/proc/cpuinfo"); err == nil {
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
		_ = file.Close() // it was only read
	}
	words := []string{fmt.Sprintf("Machine: %s, %d processors, %s", model, runtime.NumCPU(), runtime.GOOS+"/"+runtime.GOARCH)}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		busy, _, _ := strings.Cut(string(load), " ")
		words = append(words, "load average at the end "+busy)
	}
	for _, tool := range [][]string{{"go", "version"}, {"node", "--version"}, {"python3", "--version"}} {
		if output, err := exec.Command(tool[0], tool[1:]...).Output(); err == nil {
			words = append(words, tool[0]+" "+strings.TrimPrefix(strings.TrimSpace(string(output)), tool[0]+" version "))
		}
	}
	return strings.Join(append(words, append(pythonPackages, nodePackages...)...), ", ") + "."
}
