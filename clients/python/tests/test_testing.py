# SPDX-License-Identifier: Apache-2.0
"""What ltisidecar.testing gives to users, used as its documentation says: real sidecar, real simulator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import flask
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

import ltisidecar.starlette
from ltisidecar import AsyncSidecar, Launch, Sidecar
from ltisidecar.flask import LTIBlueprint
from ltisidecar.testing import MissingProgram, Stack, asgi_tool, program, wsgi_tool


def flask_app() -> flask.Flask:
    lti = LTIBlueprint(Sidecar())

    @lti.on_launch
    def launched(launch: Launch) -> Any:
        assert launch.user is not None
        return f"Hello {launch.user.name}"

    app = flask.Flask(__name__)
    app.register_blueprint(lti)
    return app


def fastapi_app() -> FastAPI:
    lti = ltisidecar.starlette.LTI(AsyncSidecar())

    @lti.on_launch
    async def launched(request: Request, launch: Launch) -> Response:
        assert launch.user is not None
        return PlainTextResponse(f"Hello {launch.user.name}")

    app = FastAPI()
    app.mount("/lti", lti)
    return app


@pytest.mark.parametrize("platform", ["canvas", "moodle"])
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_launch_from_a_real_platform(lti: Stack, platform: str, kind: str) -> None:
    tool = wsgi_tool(flask_app()) if kind == "wsgi" else asgi_tool(fastapi_app())
    student = lti.simulator.person(platform, "student")
    page = lti.browser(platform, tool=tool).launch("student")
    assert (page.status, page.text) == (200, f"Hello {student['given_name']} {student['family_name']}")


def test_the_stack_names_its_sidecar(lti: Stack) -> None:
    assert os.environ["LTISIDECAR_ADDRESS"] == lti.address
    assert '"keys"' in lti.sidecar.get_tool_key_set().jwks


def test_a_missing_program_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("LTISIDECAR_BIN", raising=False)
    with pytest.raises(MissingProgram, match="set LTISIDECAR_BIN to its path, or put it on PATH"):
        program("sidecar")
    monkeypatch.setenv("LTISIDECAR_BIN", "/nowhere/sidecar")
    with pytest.raises(MissingProgram):
        program("sidecar")
    found = tmp_path / "sidecar"
    found.write_text("#!/bin/sh\n", encoding="utf-8")
    found.chmod(0o700)
    monkeypatch.delenv("LTISIDECAR_BIN")
    assert program("sidecar") == str(found)


USERS_TEST = """
def test_it(lti):
    assert lti.address
"""


def test_without_the_programs_a_users_test_is_skipped_and_fails_in_ci(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["ltisidecar.testing.pytest"]\n', encoding="utf-8")
    (tmp_path / "test_tool.py").write_text(USERS_TEST, encoding="utf-8")
    for ci, wanted in (("", "1 skipped"), ("true", "1 error")):
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider"],
            cwd=tmp_path,
            env={"PATH": str(tmp_path), "CI": ci},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert wanted in run.stdout
        assert "put it on PATH" in run.stdout
