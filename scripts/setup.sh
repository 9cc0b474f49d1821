#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# setup.sh [demo]: sees to it that the tests, or just the demo, can run. On Debian and Ubuntu as root, system packages that are missing are
# installed; elsewhere it says which ones to install, and fails. Python packages go to .cache/venv and Node packages to
# node_modules, both inside the repository.
. "$(dirname "$0")/env.sh"

purpose=${1:-test}
missing=()  # what to tell a person
packages=() # what to ask apt for

need() { # need WHAT APT-PACKAGE...
  missing+=("$1")
  shift
  packages+=("$@")
}

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

look() {
  missing=()
  packages=()
  local wanted
  wanted=$(awk '$1 == "go" { print $2 }' go.mod)
  if ! command -v go >/dev/null; then
    need "Go $wanted or newer (https://go.dev/dl)"
  elif [ "$(printf '%s\n' "$wanted" "$(go env GOVERSION | sed 's/^go//; s/ .*//')" | sort -V | head -n 1)" != "$wanted" ]; then
    need "Go $wanted or newer (https://go.dev/dl); this is $(go env GOVERSION)"
  fi
  if [ "$purpose" = test ] && ! printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | ${CC:-gcc} -xc - -o /dev/null 2>/dev/null; then
    need "a C compiler and the C library's headers, for the race detector" gcc libc6-dev
  fi
  if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    need "Python 3.11 or newer, as python3" python3 python3-venv
  elif ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    need "Python's venv module" python3-venv
  fi
  if ! node -e 'const [a, b, c] = process.versions.node.split(".").map(Number); process.exit(a * 1e6 + b * 1e3 + c >= 20_018_001 ? 0 : 1)' 2>/dev/null ||
    ! command -v npm >/dev/null; then
    need "Node 20.18.1 or newer with npm (https://nodejs.org)"
  fi
  command -v git >/dev/null || need "git" git
  if [ "$purpose" = test ] && can_install; then # elsewhere the tests that need them are skipped, and say so
    command -v redis-server >/dev/null || need "Redis, for tests of the shared stores" redis-server
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need "PostgreSQL, for tests of the shared stores" postgresql
    [ -x /usr/sbin/pgbouncer ] || need "PgBouncer, for tests of the shared stores" pgbouncer
  fi
}

# quietly COMMAND...: runs it while no package starts a service or makes a database cluster of its own. The tests start
# servers themselves, in temporary directories.
quietly() {
  local policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.d/ltisidecar.conf result=0 made=()
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
    made+=($policy)
  fi
  mkdir -p "${cluster%/*}" && echo 'create_main_cluster = false' >$cluster
  made+=($cluster)
  "$@" || result=$?
  rm -f "${made[@]}"
  return $result
}

look
if [ ${#packages[@]} -gt 0 ] && can_install; then
  echo "setup: installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && quietly apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >"$cache/apt.log" 2>&1 ||
    { tail -n 20 "$cache/apt.log" >&2; die "apt-get failed; its last lines are above"; }
  look
fi
if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: these are missing on this machine:" >&2
  printf '  - %s\n' "${missing[@]}" >&2
  [ ${#packages[@]} -eq 0 ] ||
    echo "On Debian or Ubuntu: sudo apt-get install ${packages[*]} (done by itself when run as root)" >&2
  exit 1
fi

[ "$purpose" = demo ] || npm_ci tools
for project in clients/node examples/node; do
  [ ! -f $project/package-lock.json ] || npm_ci $project
done

# environment DIRECTORY FILE... -- PIP-ARGUMENT...: a virtual environment, made anew when one of the files changes.
environment() {
  local directory=$1 files=() recipe
  shift
  while [ "$1" != -- ]; do
    files+=("$1")
    shift
  done
  shift
  recipe=$(python3 --version && echo "$*" && cat "${files[@]}")
  [ "$recipe" != "$(cat "$directory/.recipe" 2>/dev/null)" ] || return 0
  echo "setup: installing Python packages of ${files[*]}"
  python3 -m venv --clear "$directory" &&
    "$directory/bin/python" -m pip install --quiet --disable-pip-version-check "$@" &&
    printf '%s\n' "$recipe" >"$directory/.recipe"
}

# The client in an environment with everything that its checks, its tests and the example need.
files=(clients/python/requirements-dev.txt)
wanted=(-r clients/python/requirements-dev.txt)
if [ -f clients/python/pyproject.toml ]; then
  files+=(clients/python/pyproject.toml)
  extras=$(python3 -c 'import tomllib
print(",".join(tomllib.load(open("clients/python/pyproject.toml", "rb"))["project"].get("optional-dependencies", [])))')
  wanted+=(-e "clients/python[$extras]")
fi
environment "$venv" "${files[@]}" -- "${wanted[@]}"
[ "$purpose" = test ] || exit 0

# The code generator of the Python client, older than what the client runs with.
file=clients/python/requirements-generate.txt
[ ! -f $file ] || environment "$venv_generate" $file -- -r $file

# Open edX's own platform code, which a test in integration/ runs as a process of its own.
file=platformsim/openedx/requirements.txt
if [ -f $file ] && ! environment "$venv_openedx" $file -- -r $file; then
  ! in_ci || die "$file cannot be installed"
  rm -rf "$venv_openedx"
  echo "setup: $file cannot be installed (it is for Python 3.11): the test against Open edX will be skipped" >&2
fi
