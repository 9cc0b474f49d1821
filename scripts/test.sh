#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test.sh [STAGE...]: runs the stages named (check, go, python, node, fuzz, vuln, cross), or all of them, after setup.
# A stage that fails does not stop the others. The last line is `N passed, M failed`; a failed stage that counts no
# tests counts as one failure. With CI=true the stages that are optional elsewhere must run and pass.
. "$(dirname "$0")/env.sh"

counts=$cache/counts
rm -rf "$counts"
mkdir -p "$counts"

stage_check() { scripts/check.sh; }

stage_go() {
  [ ! -x "$venv_openedx/bin/python" ] || export OPENEDX_PYTHON=$venv_openedx/bin/python
  CGO_ENABLED=1 go test -race -shuffle=on -json ./... | python3 scripts/tally.py go "$counts/go"
}

# The clients' tests run against these; with CI=true they fail where one of the variables is not set.
build_binaries() {
  scripts/build.sh || return
  export LTISIDECAR_BIN=$root/bin/sidecar PLATFORMSIM_BIN=$root/bin/platformsim
}

# quiet PROJECT COMMAND...: runs it there, and shows what it printed only if it fails. The output stays in $cache/log.
quiet() {
  local project=$1
  shift
  (cd "$project" && "$@") >"$cache/log" 2>&1 || { cat "$cache/log"; return 1; }
}

stage_python() {
  build_binaries || return
  local project status=0
  quiet clients/python "$venv/bin/python" -m mypy || status=1
  quiet clients/python "$venv/bin/python" -m ruff check . || status=1
  for project in clients/python examples/python; do
    [ -d $project ] && [ -n "$(sources "$project/*test_*.py")" ] || continue
    rm -f "$cache/pytest.xml"
    quiet $project "$venv/bin/python" -m pytest -q --color=no --junitxml="$cache/pytest.xml" || status=1
    python3 scripts/tally.py pytest "$counts/python-$(dirname $project)" "$cache/pytest.xml" $project || status=1
  done
  return $status
}

stage_node() {
  build_binaries || return
  local project status=0
  for project in clients/node examples/node; do
    [ -f $project/package.json ] && grep -q '"test":' $project/package.json || continue
    quiet $project npm test --silent || status=1
    python3 scripts/tally.py node "$counts/node-$(dirname $project)" "$cache/log" $project || status=1
  done
  return $status
}

stage_fuzz() { FUZZTIME=${FUZZTIME_IN_TEST:-5s} FUZZ_COUNTS=$counts/fuzz scripts/fuzz.sh; }

stage_vuln() { scripts/vuln.sh; }

stage_cross() { scripts/cross.sh; }

run() { # run NAME: one stage, with its time
  local started=$SECONDS status=0
  printf '==> %s\n' "$1"
  # In a shell of its own with errexit on, which a function called in a condition would lose.
  set +e
  (set -e; "stage_$1")
  status=$?
  set -e
  if [ $status -ne 0 ] && ! grep -qsE '^failed [1-9]' "$counts/$1"*; then
    echo 'failed 1' >"$counts/$1-stage"
  fi
  printf '<== %s %s in %ds\n' "$1" "$([ $status -eq 0 ] && echo ok || echo FAILED)" $((SECONDS - started))
}

echo '==> setup'
scripts/setup.sh
echo "<== setup ok in ${SECONDS}s"

stages=("$@")
if [ ${#stages[@]} -eq 0 ]; then
  stages=(check go python node fuzz vuln)
  ! in_ci || stages+=(cross)
fi
for stage in "${stages[@]}"; do
  run "$stage"
done
echo "all stages: ${SECONDS}s"
python3 scripts/tally.py sum "$counts"/*
