# SPDX-License-Identifier: Apache-2.0
"""Counts tests. The first three commands write FILE with lines `passed N`, `failed N`, `skipped NAME: WHY`.

    tally.py go FILE < output of `go test -json`    shows a line a package, and whatever a failed test printed
    tally.py pytest FILE REPORT.xml NAME            from pytest's --junitxml
    tally.py node FILE LOG NAME                     from the summary that `node --test` or vitest prints
    tally.py sum FILE...                            prints skips and `N passed, M failed`; exits 1 unless all is well
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def show(name, passed, failed, seconds=None):
    line = f"{'FAIL' if failed else 'ok  '}  {name:<56} {passed:4d} passed"
    line += f", {failed} failed" if failed else ""
    print(line + ("" if seconds is None else f" {seconds:.1f}s"), flush=True)


def write(path, passed, failed, skipped=()):
    lines = [f"passed {passed}", f"failed {failed}", *(f"skipped {s}" for s in skipped)]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def count_go(path):
    """Subtests count, their parents do not, unless a parent fails by itself; a package that fails without a failed
    test (it did not build, panicked, or hung) counts as one failure."""
    results, output, build = {}, {}, {}
    passed, failed, skipped, empty = 0, 0, [], 0
    for line in sys.stdin:
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            sys.stderr.write(line)
            continue
        action, package, test = event["Action"], event.get("Package", ""), event.get("Test", "")
        if action == "build-output":
            build.setdefault(event["ImportPath"], []).append(event["Output"])
        elif action == "output":
            output.setdefault((package, test), []).append(event["Output"])
        elif action in ("pass", "fail", "skip") and test:
            results[package, test] = action
        elif action in ("pass", "fail", "skip"):
            mine = {name: result for (owner, name), result in results.items() if owner == package}
            parents = {name.rsplit("/", 1)[0] for name in mine if "/" in name}
            bad = [n for n, r in mine.items() if r == "fail" and not any(
                mine[m] == "fail" for m in mine if m.startswith(n + "/"))]
            good = sum(r == "pass" and n not in parents for n, r in mine.items())
            for name, result in mine.items():
                if result == "skip":
                    said = "".join(output.get((package, name), []))
                    why = re.search(r"\.go:\d+: (.*)", said)
                    skipped.append(f"{package} {name}: {why[1] if why else 'no reason given'}")
            if action == "fail":
                shown = [text for (owner, name), text in output.items()
                         if owner == package and (name in bad or (owner, name) not in results)]
                sys.stdout.write("".join("".join(text) for text in [*build.values(), *shown]))
                build.clear()
                bad = bad or [package]
            if action == "skip":
                empty += 1
            else:
                show(package, good, len(bad), event.get("Elapsed", 0))
            passed, failed = passed + good, failed + len(bad)
            for key in [k for k in output if k[0] == package]:
                del output[key]
            for key in [k for k in results if k[0] == package]:
                del results[key]
    if build:  # a failure outside every package, such as a package pattern that does not load
        sys.stdout.write("".join("".join(text) for text in build.values()))
    if empty:
        print(f"      {empty} packages without tests")
    write(path, passed, failed, skipped)


def count_pytest(path, report, project):
    passed, failed, skipped = 0, 0, []
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif (skip := case.find("skipped")) is not None:
            skipped.append(f"{name}: {skip.get('message')}")
        else:
            passed += 1
    show(project, passed, failed)
    write(path, passed, failed, skipped)


def count_node(path, log, project):
    text = re.sub(r"\x1b\[[0-9;]*m", "", Path(log).read_text(encoding="utf-8", errors="replace"))

    def total(*patterns):
        return sum(int(n) for pattern in patterns for n in re.findall(pattern, text, re.MULTILINE))

    passed = total(r"^\s*(?:#|ℹ) pass (\d+)$", r"^\s*Tests\s.*?(\d+) passed")
    failed = total(r"^\s*(?:#|ℹ) fail (\d+)$", r"^\s*Tests\s.*?(\d+) failed")
    skips = total(r"^\s*(?:#|ℹ) (?:skipped|todo) (\d+)$", r"^\s*Tests\s.*?(\d+) skipped")
    if passed + failed == 0:
        sys.exit(f"{log}: no summary of node --test or vitest in it, or no test ran")
    show(project, passed, failed)
    write(path, passed, failed, [f"{project}: {skips} tests"] if skips else [])


def total(paths):
    counts, skipped = {"passed": 0, "failed": 0}, []
    for path in paths:
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            word, rest = line.split(" ", 1)
            if word == "skipped":
                skipped.append(rest)
            else:
                counts[word] += int(rest)
    for skip in skipped:
        print(f"SKIPPED {skip}")
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    if counts["failed"] or not counts["passed"]:
        sys.exit(1)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "sum":
        total(arguments)
    else:
        {"go": count_go, "pytest": count_pytest, "node": count_node}[command](*arguments)
