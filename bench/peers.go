// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/bench/measure"
	"github.com/ltisidecar/ltisidecar/bench/workload"
)

// The peers' packages, in the versions that are measured. They are installed where a run first needs them, and never
// committed.
var (
	pythonPackages = []string{"PyLTI1p3==2.0.0", "PyJWT==2.15.1", "cryptography==50.0.2", "jwcrypto==1.6.1", "requests==2.34.2"}
	nodePackages   = []string{"ltijs@5.9.9", "jsonwebtoken@9.0.3"}
)

// peer is a program of bench/peers.
type peer struct {
	name      string
	directory string // of its work, within the cache
	command   []string
}

// installPeers makes the peers ready to run, once.
func (b *bench) installPeers(ctx context.Context) ([]peer, error) {
	source, err := filepath.Abs("bench/peers")
	if err != nil {
		return nil, err
	}
	venv, node, gopeer := filepath.Join(b.cache, "venv"), filepath.Join(b.cache, "node"), filepath.Join(b.cache, "gopeer")
	stamp := strings.Join(append(pythonPackages, nodePackages...), " ")
	stampPath := filepath.Join(b.cache, "peers.installed")
	if text, err := os.ReadFile(stampPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	} else if string(text) != stamp {
		progress("installing %s", stamp)
		if err := os.MkdirAll(node, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(node, "package.json"), []byte(`{"private": true}`), 0o644); err != nil {
			return nil, err
		}
		for _, command := range [][]string{
			{"python3", "-m", "venv", venv},
			append([]string{filepath.Join(venv, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check"}, pythonPackages...),
			append([]string{"npm", "install", "--prefix", node, "--no-fund", "--no-audit", "--loglevel=error"}, nodePackages...),
		} {
			if output, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, output)
			}
		}
		if err := os.WriteFile(stampPath, []byte(stamp), 0o644); err != nil {
			return nil, err
		}
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", gopeer, ".")
	build.Dir = filepath.Join(source, "gopeer")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build gopeer: %w\n%s", err, output)
	}
	return []peer{
		{"PyLTI1p3", venv, []string{filepath.Join(venv, "bin", "python"), filepath.Join(source, "pylti1p3_peer.py")}},
		{"ltijs", node, []string{"node", filepath.Join(source, "node_peer.mjs"), "ltijs"}},
		{"jsonwebtoken", node, []string{"node", filepath.Join(source, "node_peer.mjs"), "jsonwebtoken"}},
		{"golang-jwt", b.cache, []string{gopeer, "golang-jwt"}},
		{"jwx", b.cache, []string{gopeer, "jwx"}},
	}, nil
}

// peersFile writes what the peers are given.
func (b *bench) peersFile(socket string, requests []launchRequest) (string, error) {
	type launch struct {
		IDToken string `json:"id_token"`
		State   string `json:"state"`
		Nonce   string `json:"nonce"`
		Cookie  string `json:"cookie"`
	}
	given := struct {
		Issuer       string          `json:"issuer"`
		ClientID     string          `json:"client_id"`
		DeploymentID string          `json:"deployment_id"`
		JWKS         json.RawMessage `json:"jwks"`
		Socket       string          `json:"json_socket"`
		Launches     []launch        `json:"launches"`
	}{workload.Issuer, workload.ClientID, workload.DeploymentID, b.key.KeySet(), socket, nil}
	for _, request := range requests {
		given.Launches = append(given.Launches, launch{request.token, request.state, request.nonce, request.Browser.CookieHeader})
	}
	text, err := json.Marshal(given)
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.directory, "launches.json")
	return path, os.WriteFile(path, text, 0o600)
}

// cpuPerLaunch runs a peer and returns its CPU per launch in R.
func (b *bench) cpuPerLaunch(ctx context.Context, p peer, path string) (float64, error) {
	command := exec.CommandContext(ctx, p.command[0], append(p.command[1:], path)...)
	command.Dir = p.directory
	var stderr strings.Builder
	command.Stderr = &stderr
	input, err := command.StdinPipe()
	if err != nil {
		return 0, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := command.Start(); err != nil {
		return 0, err
	}
	result, err := b.converse(command.Process.Pid, input, bufio.NewScanner(output))
	err = errors.Join(err, input.Close(), command.Wait())
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", p.name, err, stderr.String())
	}
	return result, nil
}

// converse measures between the lines "ready" and "done COUNT".
func (b *bench) converse(pid int, input io.Writer, lines *bufio.Scanner) (float64, error) {
	if !lines.Scan() || lines.Text() != "ready" {
		return 0, fmt.Errorf("it said %q instead of ready", lines.Text())
	}
	unit, err := b.verification.Cost(unitCount)
	if err != nil {
		return 0, err
	}
	before, err := measure.CPU(pid)
	if err != nil {
		return 0, err
	}
	if _, err := io.WriteString(input, "go\n"); err != nil {
		return 0, err
	}
	if !lines.Scan() {
		return 0, errors.New("it ended before it was done")
	}
	after, err := measure.CPU(pid)
	if err != nil {
		return 0, err
	}
	count, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), "done "))
	if err != nil || count == 0 {
		return 0, fmt.Errorf("it said %q instead of done and a count", lines.Text())
	}
	again, err := b.verification.Cost(unitCount)
	if err != nil {
		return 0, err
	}
	return float64(after-before) / float64(count) / float64((unit+again)/2), nil
}

// beside runs the peers and the sidecar on the same tokens, one after the other.
func beside(ctx context.Context, b *bench) (r reading, err error) {
	peers, err := b.installPeers(ctx)
	if err != nil {
		return reading{}, err
	}
	c, err := b.startSidecar(ctx, settings{})
	if err != nil {
		return reading{}, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	requests, err := b.prepare(ctx, c.launches, b.count)
	if err != nil {
		return reading{}, err
	}
	path, err := b.peersFile(c.jsonSocket, requests)
	if err != nil {
		return reading{}, err
	}
	begun := time.Now()
	cost := map[string]float64{}
	var words []string
	for _, p := range peers {
		if cost[p.name], err = b.cpuPerLaunch(ctx, p, path); err != nil {
			return reading{}, err
		}
		words = append(words, fmt.Sprintf("%s %.2f R", p.name, cost[p.name]))
	}
	warm := b.count / 10
	if err := closed(ctx, warm, concurrency, validate(c.launches, requests)).err(); err != nil {
		return reading{}, err
	}
	call := validate(c.launches, requests[warm:])
	own, err := b.measured(ctx, c, b.count-warm, func() *outcome { return closed(ctx, b.count-warm, concurrency, call) })
	if err != nil {
		return reading{}, err
	}
	words = append(words, fmt.Sprintf("sidecar %.2f R", own.server), "took "+time.Since(begun).Round(time.Second).String())
	cost["sidecar"] = own.server
	return reading{[]float64{cost["PyLTI1p3"] / own.server, cost["ltijs"] / own.server}, strings.Join(words, ", "), cost}, nil
}

// nodeTool compares what a launch costs a Node tool that asks the sidecar with what jsonwebtoken costs it.
func nodeTool(ctx context.Context, b *bench) (r reading, err error) {
	peers, err := b.installPeers(ctx)
	if err != nil {
		return reading{}, err
	}
	c, err := b.startSidecar(ctx, settings{})
	if err != nil {
		return reading{}, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	requests, err := b.prepare(ctx, c.launches, b.count)
	if err != nil {
		return reading{}, err
	}
	path, err := b.peersFile(c.jsonSocket, requests)
	if err != nil {
		return reading{}, err
	}
	extra := map[string]float64{}
	for _, p := range peers {
		if p.name != "jsonwebtoken" {
			continue
		}
		if extra["jsonwebtoken"], err = b.cpuPerLaunch(ctx, p, path); err != nil {
			return reading{}, err
		}
		command := append(append([]string{}, p.command[:len(p.command)-1]...), "sidecar")
		if extra["Node tool"], err = b.cpuPerLaunch(ctx, peer{"Node tool", p.directory, command}, path); err != nil {
			return reading{}, err
		}
	}
	note := fmt.Sprintf("Node tool %.2f R, jsonwebtoken %.2f R", extra["Node tool"], extra["jsonwebtoken"])
	return reading{[]float64{extra["Node tool"] / extra["jsonwebtoken"]}, note, extra}, nil
}
