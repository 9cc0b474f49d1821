# SPDX-License-Identifier: Apache-2.0
"""The real sidecar and the real platform simulator as processes of a test."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ltisidecar._error import Unavailable
from ltisidecar._sidecar import Sidecar
from ltisidecar.testing._browser import Browser, Tool

PLATFORMS = ("canvas", "moodle")
"""The platforms where a tool is installed if nothing else is said. The simulator has more."""

MESSAGE_TYPES = ("LtiResourceLinkRequest", "LtiDeepLinkingRequest")
"""What the installed tool may be launched with."""

_PROGRAMS = {"sidecar": "LTISIDECAR_BIN", "platformsim": "PLATFORMSIM_BIN"}


class MissingProgram(RuntimeError):
    """A program that the tests run is not there."""


def program(name: str) -> str:
    """Returns the path of `sidecar` or `platformsim`: what LTISIDECAR_BIN or PLATFORMSIM_BIN names, else the one on
    PATH. Raises MissingProgram."""
    variable = _PROGRAMS[name]
    path = os.environ.get(variable) or shutil.which(name)
    if path is None or shutil.which(path) is None:
        raise MissingProgram(
            f"ltisidecar.testing runs the program {name}: set {variable} to its path, or put it on PATH. Both programs"
            " come from https://github.com/ltisidecar/ltisidecar: scripts/build.sh there makes both"
        )
    return path


@contextmanager
def running(command: Sequence[str], log: Path, **more: Any) -> Iterator[subprocess.Popen[str]]:
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

    def platform_url(self, platform: str) -> str:
        return f"{self.url}/{platform}"

    def get(self, platform: str, what: str) -> Any:
        """Returns what the platform knows: `people`, `gradebook`, `registrations`, `tokens`, `scores`, `launches`,
        `hits` or `faults`."""
        with urllib.request.urlopen(f"{self.url}/{platform}/sim/{what}", timeout=30, context=self.trust) as answer:
            return json.load(answer)

    def post(self, platform: str, what: str, body: object) -> None:
        url = f"{self.url}/{platform}/sim/{what}"
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.trust) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{what}: {error.read().decode()}") from error

    def fault(self, platform: str, fault: str) -> None:
        """Makes the platform do something wrong, once."""
        self.post(platform, "faults", {"fault": fault})

    def clear_faults(self, platform: str) -> None:
        request = urllib.request.Request(f"{self.url}/{platform}/sim/faults", method="DELETE")
        with urllib.request.urlopen(request, timeout=30, context=self.trust) as answer:
            answer.read()

    def person(self, platform: str, key: str) -> dict[str, str]:
        """Returns one of the people, such as `student` or `teacher`."""
        (person,) = (one for one in self.get(platform, "people") if one["key"] == key)
        return dict(person)

    def grade(self, platform: str, user_id: str) -> dict[str, Any] | None:
        """Returns a person's grade in the first line item, with the maximum as `of`; or None."""
        item = self.get(platform, "gradebook")[0]
        grade = item["grades"].get(user_id)
        return None if grade is None else {**grade, "of": item["score_maximum"]}

    def install(
        self,
        tool_url: str,
        *,
        platforms: Sequence[str] = PLATFORMS,
        login_path: str = "/lti/login",
        launch_path: str = "/lti/launch",
        **more: str,
    ) -> list[dict[str, Any]]:
        """Installs the tool in every platform's course, and returns the registrations for the sidecar."""
        registrations = []
        for platform in platforms:
            tool = {
                "name": "quiz",
                "login_uri": tool_url + login_path,
                "launch_uris": [tool_url + launch_path],
                "custom": {"chapter": "3"},
            }
            self.post(platform, "tools", tool | more)
            (known,) = (one for one in self.get(platform, "registrations") if one["login_uri"] == tool["login_uri"])
            names = ("issuer", "client_id", "authorization_uri", "token_uri", "jwks_uri", "launch_uris", "login_uri")
            registration = {name: known[name] for name in names}
            more_of_it = {"name": platform, "dialect": platform, "deployments": [known["deployment_id"]]}
            registrations.append(registration | more_of_it | {"message_types": list(MESSAGE_TYPES)})
        return registrations


@contextmanager
def run_simulator(directory: Path) -> Iterator[Simulator]:
    """Runs the simulator with a directory, which it makes."""
    directory.mkdir(mode=0o700)
    log = directory / "log"
    command = [program("platformsim"), "--dir", str(directory), "--issue-cert", "tool"]
    with running(command, log, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(f"the simulator ended: {log.read_text(encoding='utf-8')}")
        yield Simulator(json.loads(line)["url"], directory)
    assert process.returncode == 0, log.read_text(encoding="utf-8")


@contextmanager
def run_sidecar(
    directory: Path,
    registrations: list[dict[str, Any]],
    authority: Path | None = None,
    config: Mapping[str, Any] | None = None,
) -> Iterator[Sidecar]:
    """Runs a sidecar whose socket is `sidecar.sock` in the directory, and gives a client of it.

    authority is the certificate authority of platforms on this machine; None: there are none. config has more of the
    sidecar's configuration.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    socket = directory / "sidecar.sock"
    settings: dict[str, Any] = {
        "listen": {"socket": str(socket)},
        "data_dir": str(directory / "data"),
        "keys": {"directory": str(directory / "keys")},
        "registrations": registrations,
    }
    if authority is not None:
        settings["outbound"] = {"ca_file": str(authority), "allow_cidrs": ["127.0.0.0/8"]}
    for key, value in (config or {}).items():
        settings[key] = settings[key] | value if isinstance(value, dict) and key in settings else value
    file = directory / "sidecar.yaml"
    file.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    log = directory / "log"
    with (
        running([program("sidecar"), "serve", "--config", str(file)], log) as process,
        Sidecar(f"unix://{socket}") as client,
    ):
        _wait(client, process, log)
        yield client
    assert process.returncode == 0, log.read_text(encoding="utf-8")


def _wait(client: Sidecar, process: subprocess.Popen[str], log: Path) -> None:
    """Asks until the sidecar answers."""
    deadline = time.monotonic() + 30
    while True:
        try:
            client.get_tool_key_set(timeout=5)
            return
        except Unavailable:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the sidecar is not ready: {log.read_text(encoding='utf-8')}") from None
            time.sleep(0.05)


class Stack:
    """A running simulator and a running sidecar, which know each other and one tool."""

    def __init__(self, simulator: Simulator, sidecar: Sidecar, address: str, tool_url: str) -> None:
        self.simulator = simulator
        self.sidecar = sidecar
        self.address = address
        """For LTISIDECAR_ADDRESS: gRPC, which both clients speak."""
        self.http_address = f"http+{address.removesuffix('.sock')}-json.sock"
        """The same sidecar over HTTP."""
        self.tool_url = tool_url

    def browser(self, platform: str = "canvas", *, tool: Tool | None = None, **more: Any) -> Browser:
        """Returns a fresh browser before a platform. tool answers for the tool, such as wsgi_tool(app); None: the tool
        is asked over HTTPS. more is for Browser."""
        return Browser(self.simulator.platform_url(platform), self.simulator.trust, tool=tool, **more)


@contextmanager
def run_stack(
    tool_url: str = "https://localhost:8443",
    *,
    platforms: Sequence[str] = PLATFORMS,
    login_path: str = "/lti/login",
    launch_path: str = "/lti/launch",
    config: Mapping[str, Any] | None = None,
) -> Iterator[Stack]:
    """Runs simulator and sidecar, and installs the tool of this address in every platform's course. LTISIDECAR_ADDRESS
    names the sidecar meanwhile."""
    with ExitStack() as stack:
        # A short name: the path of a Unix socket has at most 107 bytes.
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lti")))
        simulator = stack.enter_context(run_simulator(directory / "sim"))
        paths = {"login_path": login_path, "launch_path": launch_path}
        registrations = simulator.install(tool_url, platforms=platforms, **paths)
        authority = simulator.directory / "ca.pem"
        sidecar = stack.enter_context(run_sidecar(directory / "sidecar", registrations, authority, config))
        simulator.install(tool_url, platforms=platforms, jwks=sidecar.get_tool_key_set().jwks, **paths)
        address = f"unix://{directory}/sidecar/sidecar.sock"
        before = os.environ.get("LTISIDECAR_ADDRESS")
        os.environ["LTISIDECAR_ADDRESS"] = address
        try:
            yield Stack(simulator, sidecar, address, tool_url)
        finally:
            if before is None:
                del os.environ["LTISIDECAR_ADDRESS"]
            else:
                os.environ["LTISIDECAR_ADDRESS"] = before
