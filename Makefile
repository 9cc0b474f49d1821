# SPDX-License-Identifier: Apache-2.0
#
# Every command of this repository. `make` alone lists them. The work is done by scripts/, which can be read and run
# without make.

SHELL := /usr/bin/env bash
.DEFAULT_GOAL := help
.PHONY: $(shell awk -F: '/^[a-z-]+:.*\#\# / { print $$1 }' $(MAKEFILE_LIST))

FUZZTIME ?= 30s
VULNDB ?=
export FUZZTIME VULNDB

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## sidecar, platform simulator and both example tools: real launches, then exit (KEEP=1 stays up)
	@scripts/demo

test: ## everything: checks, Go under the race detector, Python, Node, short fuzzing; last line "N passed, 0 failed"
	@scripts/test.sh

test-go: ## the Go tests, under the race detector
	@scripts/test.sh go

test-python: ## the tests of the Python client and example, against a real sidecar
	@scripts/test.sh python

test-node: ## the tests of the Node client and example, against a real sidecar
	@scripts/test.sh node

browser: ## launches in a real Chromium, with cookies allowed, partitioned and blocked
	@scripts/browser.sh

attack: ## the catalogue of attacks, Wycheproof, and what a refusal costs, as a table (JSON=file writes it)
	@JSON='$(JSON)' scripts/attack.sh

matrix: ## every feature on every simulated platform, as a table; last line "matrix: N of N ok"
	@scripts/matrix.sh

check: ## formatting, vet, staticcheck, headers, generated code, API compatibility, licences, modules
	@scripts/check.sh

gen: ## generate code again from proto/, and THIRD_PARTY.md
	@scripts/gen.sh
	@scripts/third_party.sh

build: ## bin/sidecar and bin/platformsim for this machine, static
	@scripts/build.sh

cross: ## binaries for Linux, macOS and Windows in dist/; the Linux ones static and under 40 MB
	@scripts/cross.sh

size: ## binary size, time from start to ready, idle memory; fails beyond the limits
	@scripts/size.sh

vuln: ## known vulnerabilities in what is linked (VULNDB=directory or URL of a Go vulnerability database)
	@scripts/vuln.sh

fuzz: ## every fuzz target for FUZZTIME each (default 30s)
	@scripts/fuzz.sh

mutants: ## remove each check alone and see a test fail; about 15 minutes; writes docs/mutants.md
	@go run ./scripts/mutants -markdown docs/mutants.md

drill-keys: ## launches while platforms' keys make trouble: herds, forged kids, rotations, outages, restarts
	@scripts/drill-keys.sh

model: ## every state of the seal, the fence and the outbox, with more faults than make test has; about ten minutes
	@MODEL_FULL=1 go test -count=1 -timeout 40m -v ./model

drill-roster: ## rosters of 100,000 members, in one page and in many, and how much memory they take
	@scripts/drill-roster.sh

drill-scores: ## scores while the sidecar is killed and the platform loses answers (CYCLES=20; DIRECTORY=dir resumes)
	@CYCLES='$(CYCLES)' DIRECTORY='$(DIRECTORY)' scripts/drill-scores.sh

bench: ## what a launch costs beside a bare RSA check and other libraries; at most 20 minutes; writes docs/performance.md (ROWS=, RESUME=1)
	@ROWS='$(ROWS)' RESUME='$(RESUME)' scripts/bench.sh

bench-quick: ## T1, T2 and T13 of it, one round, no peers
	@scripts/bench.sh quick

drill-replay: ## launches in many copies while stores, processes, disks and clocks break (LAUNCHES, COPIES, NODES, CYCLES, STATE=file)
	@scripts/drill-replay.sh

drill-disk: ## a full disk under launches and scores, again and again; as root on Linux
	@scripts/drill-disk.sh

bench-stores: ## redemptions per second, and CPU time for each, of every nonce store (MARKDOWN=file writes the table)
	@MARKDOWN='$(MARKDOWN)' scripts/bench-stores.sh
