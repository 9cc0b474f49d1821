# SPDX-License-Identifier: Apache-2.0
"""The example tool as its reader starts it, launched from the simulated platforms by a scripted browser."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ltisidecar.testing import (
    PARTITIONED,
    PLATFORMS,
    Browser,
    Page,
    Request,
    Simulator,
    run_sidecar,
    run_simulator,
    running,
)

EXAMPLE = Path(__file__).parent / "app.py"
COOKIE = "__Host-lti-launch"


class World:
    """The example, a sidecar and the platforms, which know each other."""

    def __init__(self, simulator: Simulator, tool_url: str) -> None:
        self.simulator = simulator
        self.tool_url = tool_url


@contextmanager
def tool(directory: Path, certificates: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Runs the example on a free port, beside the sidecar of a directory, and gives its address."""
    environment = os.environ | {
        "LTISIDECAR_ADDRESS": f"unix://{directory}/sidecar.sock",
        "TOOL_CERT": str(certificates / "tool.pem"),
        "TOOL_KEY": str(certificates / "tool-key.pem"),
        "TOOL_PORT": "0",
    }
    log = directory / "tool.log"
    with running([sys.executable, str(EXAMPLE)], log, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"Running on https://127\.0\.0\.1:(\d+)", line):
                break
        else:
            pytest.fail("".join(said))
        rest = threading.Thread(target=process.stderr.read)  # so that a full pipe does not stop it
        rest.start()
        try:
            yield f"https://localhost:{found[1]}", process
        finally:
            process.terminate()
            rest.join(timeout=20)
    assert process.returncode == -signal.SIGTERM


@pytest.fixture(scope="module")
def world(lti_programs: None) -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="lti") as name:
        directory = Path(name)
        with (
            run_simulator(directory / "sim") as sim,
            tool(directory, sim.directory) as (url, _),
            run_sidecar(directory, sim.install(url, jwks_uri=f"{url}/lti/jwks"), sim.directory / "ca.pem"),
        ):
            yield World(sim, url)


@pytest.fixture(params=PLATFORMS)
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Person:
    """Somebody before a browser of their own, in the course of one platform."""

    def __init__(self, world: World, profile: str, key: str, **browser: Any) -> None:
        known = world.simulator.person(profile, key)
        self.key = key
        self.id = known["id"]
        self.name = f"{known['given_name']} {known['family_name']}"
        self.url = world.simulator.platform_url(profile)
        self.browser = Browser(self.url, world.simulator.trust, **browser)

    def launch(self) -> Page:
        """Opens the course, says who is there, and presses the button."""
        return self.browser.press(self.browser.open(f"{self.url}/course"), "Launch", user=self.key)

    def launch_form(self) -> Request:
        """Does the same up to what the platform wants posted to the tool's launch route."""
        course = self.browser.open(f"{self.url}/course")
        return self.browser.run_to(self.browser.pressed(course, "Launch", user=self.key), "/lti/launch")


def hidden_token(page: Page) -> str:
    (form,) = page.forms
    return dict(form.fields)["launch_token"]


def test_it_greets_by_name_and_role(world: World, profile: str) -> None:
    for key, role, buttons in (
        ("student", "a learner", ["8 of 10", "My scores"]),
        ("teacher", "a teacher", ["8 of 10", "My scores", "Roster", "Service token"]),
    ):
        person = Person(world, profile, key)
        home = person.launch()
        assert home.request.url == f"{world.tool_url}/home"
        assert home.status == 200
        assert f"<h1>Hello {person.name}</h1>" in home.text
        assert f"You are {role}." in home.text
        assert list(home.forms[0].buttons) == buttons


def test_the_score_button_fills_the_grade_book(world: World, profile: str) -> None:
    student = Person(world, profile, "student2")
    scored = student.browser.press(student.launch(), "8 of 10")
    assert scored.status == 200
    assert "Your score of 8 of 10 is delivered." in scored.text
    grade = world.simulator.grade(profile, student.id)
    assert grade is not None
    assert grade["score"] / grade["of"] == 8 / 10
    assert (grade["activity_progress"], grade["grading_progress"]) == ("Completed", "FullyGraded")
    shown = student.browser.open(f"{student.url}/course").text
    assert re.search(rf"<td>{student.name} \(student2\)</td><td>80</td>", shown)
    # The page that came is as good as the first: its token is renewed, its buttons work.
    assert student.browser.press(scored, "8 of 10").status == 200


def test_it_shows_what_became_of_a_score(world: World, profile: str) -> None:
    student = Person(world, profile, "student5")
    home = student.launch()
    assert student.browser.press(home, "My scores").items == []
    student.browser.press(home, "8 of 10")
    assert student.browser.press(home, "My scores").items == ["delivered"]
    teacher = Person(world, profile, "teacher")
    refused = teacher.launch()
    assert teacher.browser.press(refused, "8 of 10").status == 502
    said = teacher.browser.press(refused, "My scores").items
    assert said[-1].startswith("refused ")


def test_an_author_picks_a_quiz(world: World, profile: str) -> None:
    author = Person(world, profile, "teacher")
    picker = author.browser.launch("teacher", message="LtiDeepLinkingRequest")
    assert "Pick a quiz" in picker.text
    added = author.browser.press(picker, "Add it", quiz="Genes")
    assert added.request.url.startswith(author.url)
    assert "1 items came, 1 links were made." in added.text
    response = world.simulator.get(profile, "deeplinking")[-1]
    assert not response.get("error")
    (item,) = response["items"]
    assert (item["type"], item["title"], item["custom"]) == ("ltiResourceLink", "Genes", {"quiz": "Genes"})
    assert item["lineItem"]["scoreMaximum"] == 10


def test_a_score_that_the_platform_refuses(world: World, profile: str) -> None:
    teacher = Person(world, profile, "teacher")
    refused = teacher.browser.press(teacher.launch(), "8 of 10")
    assert refused.status == 502
    assert "Please go back to your course" in refused.text
    assert world.simulator.grade(profile, teacher.id) is None


def test_a_teacher_sees_everybody(world: World, profile: str) -> None:
    teacher = Person(world, profile, "teacher")
    roster = teacher.browser.press(teacher.launch(), "Roster")
    enrolled = [one for one in world.simulator.get(profile, "people") if one["key"] not in ("admin", "anonymous")]
    assert len(roster.items) == 62
    assert sorted(roster.items) == sorted(f"{one['given_name']} {one['family_name']}" for one in enrolled)


@pytest.mark.parametrize("path", ["/roster", "/token", "/nothing"])
def test_a_student_gets_neither_roster_nor_service_token(world: World, profile: str, path: str) -> None:
    student = Person(world, profile, "student")
    fields = (("launch_token", hidden_token(student.launch())),)
    answer = student.browser.send(Request("POST", world.tool_url + path, fields), "same-origin")
    assert (answer.status, answer.items) == (403, [])


def test_a_teacher_gets_a_service_token(world: World, profile: str) -> None:
    teacher = Person(world, profile, "teacher")
    answer = teacher.browser.press(teacher.launch(), "Service token")
    assert re.search(r"A service token is good until \d\d:\d\d UTC\.", answer.text)


def test_the_platform_checks_with_the_keys_of_the_tools_route(world: World, profile: str) -> None:
    teacher = Person(world, profile, "teacher")
    teacher.browser.press(teacher.launch(), "Roster")
    assert world.simulator.get(profile, "hits")["tool_jwks_fetch"] >= 1
    jwks = teacher.browser.open(f"{world.tool_url}/lti/jwks")
    assert jwks.status == 200
    assert jwks.header("Content-Type").startswith("application/")
    tokens = world.simulator.get(profile, "tokens")
    assert tokens
    for token in tokens:
        assert not token.get("error")
        assert f'"{token["header"]["kid"]}"' in jwks.text


def test_a_tampered_form_shows_the_sidecars_page(world: World, profile: str) -> None:
    student = Person(world, profile, "student")
    form = student.launch_form()
    changed = tuple((name, value[:-9] + "AAAAAAAAA" if name == "id_token" else value) for name, value in form.fields)
    refused = student.browser.send(replace(form, fields=changed), "cross-site")
    assert refused.status == 403
    assert "The activity could not be opened" in refused.text
    assert "script-src" not in refused.header("Content-Security-Policy")
    assert not refused.header("X-Frame-Options")
    assert "SIGNATURE" not in refused.text.upper()
    assert COOKIE not in student.browser.cookie_header(world.tool_url + "/")


def test_a_reload_of_the_launch_leads_home(world: World, profile: str) -> None:
    student = Person(world, profile, "student")
    form = student.launch_form()
    accepted = student.browser.send(form, "cross-site")
    assert (accepted.status, accepted.header("Location")) == (303, "/home")
    again = student.browser.reload(accepted)
    assert (again.request.url, again.status) == (f"{world.tool_url}/home", 200)
    assert f"Hello {student.name}" in again.text
    # Not in another browser, even one with a launch of its own.
    other = Person(world, profile, "student3")
    other.launch()
    stolen = other.browser.send(form, "cross-site")
    assert stolen.status == 403
    assert student.name not in stolen.text


def test_it_works_with_partitioned_cookies_only(world: World, profile: str) -> None:
    student = Person(world, profile, "student", cookies=(PARTITIONED,))
    home = student.launch()
    assert home.request.path == "/home"
    assert f"Hello {student.name}" in home.text


def test_without_cookies_the_hidden_field_is_the_session(world: World) -> None:
    student = Person(world, "canvas", "student4", cookies=())
    shown = student.launch()
    assert (shown.request.path, shown.status) == ("/lti/launch", 200)
    assert f"Hello {student.name}" in shown.text
    assert COOKIE not in "".join(value for _, value in shown.headers)
    scored = student.browser.press(shown, "8 of 10")
    assert "Your score of 8 of 10 is delivered." in scored.text
    grade = world.simulator.grade("canvas", student.id)
    assert grade is not None
    assert grade["score"] == 80
    assert student.browser.open(f"{world.tool_url}/home").status == 403


def test_without_cookies_and_storage_a_window_helps(world: World) -> None:
    student = Person(world, "moodle", "student", cookies=())
    refused = student.launch()
    assert refused.status == 403
    assert "open the activity again from your course" in refused.text
    window = Person(world, "moodle", "student", window=True)
    assert f"Hello {window.name}" in window.launch().text


def test_another_site_presses_no_button(world: World, profile: str) -> None:
    student = Person(world, profile, "student")
    student.launch()
    answer = student.browser.send(Request("POST", f"{world.tool_url}/score"), "cross-site")
    assert COOKIE in answer.request.header("Cookie")
    assert answer.status == 403


def test_it_ends_with_sigterm_while_a_browser_is_connected(world: World, tmp_path: Path) -> None:
    with tool(tmp_path, world.simulator.directory) as (url, process):
        browser = Browser(world.simulator.url, world.simulator.trust)
        assert browser.open(f"{url}/lti/jwks").status == 503, "there is no sidecar beside this one"
        address = ("localhost", urlsplit(url).port or 443)
        with (
            socket.create_connection(address, timeout=20) as connection,
            world.simulator.trust.wrap_socket(connection, server_hostname="localhost"),
        ):
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == -signal.SIGTERM
