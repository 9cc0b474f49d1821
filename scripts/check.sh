#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Everything about the tree that can be checked without running it. All checks run; the exit status is 1 when any fails.
. "$(dirname "$0")/env.sh"

npm_ci tools
export PATH=$root/tools/node_modules/.bin:$PATH

check_gofmt() {
  local bad
  bad=$(sources '*.go' | tr '\n' '\0' | xargs -0 gofmt -l)
  [ -z "$bad" ] || { printf 'not formatted (gofmt -w):\n%s\n' "$bad"; return 1; }
}

check_vet() { go vet ./...; }

check_staticcheck() { go tool -modfile=tools/staticcheck.mod staticcheck ./...; }

check_bash() { sources '*.sh' | while IFS= read -r file; do bash -n "$file" || exit 1; done; }

# Every source file says its licence; generated code takes it from its source.
check_spdx() {
  local bad=0 file
  while IFS= read -r file; do
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || { echo "no SPDX line: $file"; bad=1; }
  done < <(sources '*.go' '*.proto' '*.py' '*.ts' '*.mjs' '*.cjs' '*.js' '*.sh' '*.yaml' '*.yml' Makefile '*/Makefile' .ci/run |
    hand_written)
  return $bad
}

# One hash over every file there is, so that whatever a generator adds, changes or removes is seen.
tree() { sources | tr '\n' '\0' | xargs -0 sha256sum | sort -k 2; }

check_generated() {
  local before after
  before=$(tree)
  scripts/gen.sh || return
  after=$(tree)
  [ "$before" = "$after" ] || {
    echo 'generated code was not fresh; it is now, commit it:'
    diff <(echo "$before") <(echo "$after") | awk '/^[<>]/ { print "  " $3 }' | sort -u
    return 1
  }
}

check_proto() {
  "$buf" lint || return
  "$buf" format --diff --exit-code || return
  if [ -f proto/baseline.binpb ]; then
    "$buf" breaking --against proto/baseline.binpb
  fi
}

check_licences() { scripts/third_party.sh --check; }

check_modules() { go mod tidy -diff && go mod verify >/dev/null; }

# A file this long is asked why; it does not fail.
check_length() {
  sources '*.go' '*.py' '*.ts' '*.mjs' '*.js' '*.sh' | grep -vE '_test\.go$|(^|/)tests?/|\.test\.' | hand_written |
    while IFS= read -r file; do
      lines=$(wc -l <"$file")
      [ "$lines" -le 400 ] || echo "warning: $file has $lines lines"
    done
}

failed=()
for name in gofmt vet staticcheck bash spdx generated proto licences modules length; do
  started=$SECONDS
  set +e
  (set -e; "check_$name")
  status=$?
  set -e
  if [ $status -eq 0 ]; then
    printf 'check: %-12s ok    %ds\n' $name $((SECONDS - started))
  else
    printf 'check: %-12s FAIL  %ds\n' $name $((SECONDS - started))
    failed+=($name)
  fi
done
[ ${#failed[@]} -eq 0 ] || die "failed: ${failed[*]}"
