# SPDX-License-Identifier: Apache-2.0
"""Prints THIRD_PARTY.md: what is linked into the binaries and what the clients need at run time, with licences.

Run in the environment of the Python client. Exits 1 when a licence is unknown or not on the list.
"""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement

ALLOWED = {"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MPL-2.0"}

# Packages with another licence that were looked at one by one, and why they may stay.
EXCEPTIONS = {
    # The Python Software Foundation's licence, permissive. grpcio needs it; pip installs it, nothing of it is shipped.
    ("typing-extensions", "PSF-2.0"),
    # MIT without its one condition.
    ("github.com/segmentio/asm", "MIT-0"),
}

# A phrase that only this licence has, in the words of its text without line breaks.
PHRASES = {
    "Apache-2.0": r"Apache License,? Version 2\.0",
    "MPL-2.0": r"Mozilla Public License,? [Vv]ersion 2\.0",
    "MIT": r"Permission is hereby granted, free of charge, to any person obtaining a copy",
    "ISC": r"Permission to use, copy, modify, and(?:/or)? distribute this software for any purpose",
}


def licences_of_text(text):
    """The licences whose text is in a licence file; some projects keep several in one."""
    text = re.sub(r"\s+", " ", re.sub(r"(?m)^\s*(?://|#|\*)", "", text))
    if re.match(r"\s*GNU (LESSER |AFFERO |)GENERAL PUBLIC LICENSE", text):
        return {"GPL"}  # only as the title: other licences mention it
    found = {name for name, phrase in PHRASES.items() if re.search(phrase, text, re.IGNORECASE)}
    if "MIT" in found and "copyright notice and this permission notice" not in text:
        found = found - {"MIT"} | {"MIT-0"}
    # Clauses and not whole licences: a file may hold BSD texts of both kinds, and then the stricter one counts.
    if "Redistribution and use in source and binary forms" in text:
        found.add("BSD-3-Clause" if re.search(r"endorse or promote products", text) else "BSD-2-Clause")
    return found


def go_modules():
    mains = ["./cmd/..."] if Path("cmd").is_dir() else ["./..."]
    modules = {}
    for goos in ("linux", "darwin", "windows"):
        listed = subprocess.run(
            ["go", "list", "-deps", "-json=Module", *mains], stdout=subprocess.PIPE,
            env={**os.environ, "GOOS": goos, "GOARCH": "amd64", "CGO_ENABLED": "0"})
        if listed.returncode:
            sys.exit("go list failed: see above")
        out = listed.stdout.decode()
        decoder, at = json.JSONDecoder(), 0
        while at < len(out.rstrip()):
            package, at = decoder.raw_decode(out, at)
            at = len(out) - len(out[at:].lstrip())
            module = package.get("Module")
            if module and not module.get("Main"):
                module = module.get("Replace", module)
                modules[module["Path"]] = module
    for path, module in sorted(modules.items()):
        found = set()
        for file in Path(module["Dir"]).iterdir():
            if file.is_file() and re.match(r"(?i)(licen[cs]e|copying)", file.name):
                found |= licences_of_text(file.read_text(encoding="utf-8", errors="replace"))
        yield path, module["Version"], found


CLASSIFIERS = {
    "Apache License 2.0": "Apache-2.0", "Apache 2.0": "Apache-2.0", "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause", "BSD License": "BSD-3-Clause", "MIT License": "MIT",
}


def python_packages():
    """The run-time needs of the client and what these need in turn; versions as the client states them."""
    file = Path("clients/python/pyproject.toml")
    if not file.is_file():
        return
    wanted = {}
    queue = [(Requirement(text), True) for text in tomllib.loads(file.read_text())["project"].get("dependencies", [])]
    while queue:
        requirement, direct = queue.pop(0)  # the client's own needs first
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in wanted or requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        wanted[name] = ",".join(sorted(map(str, requirement.specifier), reverse=True)) if direct else "as needed by the above"
        queue += [(Requirement(text), False) for text in importlib.metadata.requires(requirement.name) or []]
    for name, version in sorted(wanted.items()):
        metadata = importlib.metadata.metadata(name)
        said = metadata.get("License-Expression") or metadata.get("License") or next(
            (c.rsplit(" :: ", 1)[1] for c in metadata.get_all("Classifier", []) if c.startswith("License ::")), "")
        yield name, version, {CLASSIFIERS.get(said, said)} - {""}


def node_packages():
    file = Path("clients/node/package-lock.json")
    if not file.is_file():
        return
    packages = json.loads(file.read_text())["packages"]
    for path, package in sorted(packages.items()):
        if path and not package.get("dev") and not package.get("devOptional"):
            said = package.get("license", "")
            yield path.rsplit("node_modules/", 1)[1], package["version"], set(re.findall(r"[A-Za-z0-9.-]+", said)) - {"AND"}


def main():
    bad = []
    print("<!-- Written by scripts/third_party.py; do not edit. -->\n")
    print("# Third-party software\n")
    print("What is linked into the binaries, and what the clients need at run time. Tools for building and testing are not\n"
          "listed. Allowed licences: " + ", ".join(sorted(ALLOWED)) + ".")
    for title, rows in (("Go modules linked into the binaries", go_modules()),
                        ("Python packages needed by the client", python_packages()),
                        ("Node packages needed by the client", node_packages())):
        rows = list(dict.fromkeys((name, version, ", ".join(sorted(found))) for name, version, found in rows))
        if not rows:
            continue
        print(f"\n## {title}\n\n| name | version | licence |\n|---|---|---|")
        for name, version, licences in rows:
            print(f"| {name} | {version} | {licences or 'unknown'} |")
            for licence in licences.split(", "):
                if licence not in ALLOWED and (name, licence) not in EXCEPTIONS:
                    bad.append(f"{name} {version}: licence {licence or 'unknown'} is not on the list")
    if bad:
        sys.exit("\n".join(bad))


if __name__ == "__main__":
    main()
