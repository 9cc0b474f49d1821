# SPDX-License-Identifier: Apache-2.0
"""The real sidecar and the real platform simulator as processes of a test: LTISIDECAR_BIN and PLATFORMSIM_BIN."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from ltisidecar import Sidecar

PROFILES = ("canvas", "moodle")


def binary(variable: str) -> str:
    """Returns the path that an environment variable names. Without one the test is skipped, in CI it fails."""
    path = os.environ.get(variable, "")
    if not path and os.environ.get("CI") == "true":
        pytest.fail(f"{variable} names no binary")
    if not path:
        pytest.skip(f"{variable} names no binary")
    return path


@contextmanager
def running(command: list[str], log: Path, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Runs a command whose output goes to a log, and ends it with SIGTERM. more is for Popen."""
    with (
        log.open("w", encoding="utf-8") as out,
        subprocess.Popen(command, text=True, **({"stdout": out, "stderr": out} | more)) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


class Simulator:
    """A running simulator. Its directory has ca.pem, and tool.pem with tool-key.pem: a certificate for localhost."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory
        self.trust = ssl.create_default_context(cafile=str(directory / "ca.pem"))

    def platform_url(self, profile: str) -> str:
        return f"{self.url}/{profile}"

    def get(self, profile: str, what: str) -> Any:
        """Returns what the platform knows, such as its gradebook."""
        with urllib.request.urlopen(f"{self.url}/{profile}/sim/{what}", timeout=30, context=self.trust) as answer:
            return json.load(answer)

    def post(self, profile: str, what: str, body: object) -> None:
        request = urllib.request.Request(f"{self.url}/{profile}/sim/{what}", json.dumps(body).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.trust) as answer:
                assert answer.status == 204
        except urllib.error.HTTPError as error:
            pytest.fail(f"{what}: {error.read().decode()}")

    def fault(self, profile: str, fault: str) -> None:
        """Makes the platform do something wrong, once."""
        self.post(profile, "faults", {"fault": fault})

    def clear_faults(self, profile: str) -> None:
        request = urllib.request.Request(f"{self.url}/{profile}/sim/faults", method="DELETE")
        with urllib.request.urlopen(request, timeout=30, context=self.trust) as answer:
            assert answer.status == 204

    def person(self, profile: str, key: str) -> dict[str, str]:
        (person,) = (one for one in self.get(profile, "people") if one["key"] == key)
        return dict(person)

    def grade(self, profile: str, user_id: str) -> dict[str, Any] | None:
        """Returns a person's grade in the only line item, or None."""
        (item,) = self.get(profile, "gradebook")
        grade = item["grades"].get(user_id)
        return None if grade is None else {**grade, "of": item["score_maximum"]}

    def install(self, tool_url: str, **more: str) -> list[dict[str, Any]]:
        """Installs the tool in every platform's course, and returns the registrations for the sidecar."""
        registrations = []
        for profile in PROFILES:
            tool = {
                "name": "quiz",
                "login_uri": f"{tool_url}/lti/login",
                "launch_uris": [f"{tool_url}/lti/launch"],
                "custom": {"chapter": "3"},
            }
            self.post(profile, "tools", tool | more)
            (known,) = self.get(profile, "registrations")
            names = ("issuer", "client_id", "authorization_uri", "token_uri", "jwks_uri", "launch_uris", "login_uri")
            registration = {name: known[name] for name in names}
            deployments = {"name": profile, "dialect": profile, "deployments": [known["deployment_id"]]}
            registrations.append(registration | deployments)
        return registrations


@contextmanager
def simulator(directory: Path) -> Iterator[Simulator]:
    directory.mkdir(mode=0o700)
    command = [binary("PLATFORMSIM_BIN"), "--dir", str(directory), "--issue-cert", "tool"]
    log = directory / "log"
    with running(command, log, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.fail(log.read_text(encoding="utf-8"))
        yield Simulator(json.loads(line)["url"], directory)
    assert process.returncode == 0


@contextmanager
def sidecar(directory: Path, registrations: list[dict[str, Any]], authority: Path | None = None) -> Iterator[Sidecar]:
    """Runs a sidecar whose socket is `sidecar.sock` in the directory, and gives a client of it.

    authority is the certificate authority of platforms on this machine; None: there are none.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    socket = directory / "sidecar.sock"
    config: dict[str, Any] = {
        "listen": {"socket": str(socket)},
        "data_dir": str(directory / "data"),
        "keys": {"directory": str(directory / "keys")},
        "registrations": registrations,
    }
    if authority is not None:
        config["outbound"] = {"ca_file": str(authority), "allow_cidrs": ["127.0.0.0/8"]}
    file = directory / "sidecar.yaml"
    file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    log = directory / "log"
    with running([binary("LTISIDECAR_BIN"), "serve", "--config", str(file)], log) as process:
        try:
            with grpc.insecure_channel(f"unix://{socket}", [("grpc.max_reconnect_backoff_ms", 200)]) as channel:
                grpc.channel_ready_future(channel).result(timeout=30)
        except grpc.FutureTimeoutError:
            pytest.fail(log.read_text(encoding="utf-8"))
        with Sidecar(f"unix://{socket}") as client:
            yield client
    assert process.returncode == 0
