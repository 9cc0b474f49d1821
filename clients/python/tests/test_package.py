# SPDX-License-Identifier: Apache-2.0
"""The wheel, installed into an environment where nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from scripted_sidecar import ScriptedSidecar

from ltisidecar.v1 import key_service_pb2

PROJECT = Path(__file__).parents[1]
CALL = """
import ltisidecar, ltisidecar.django, ltisidecar.flask, ltisidecar.starlette, ltisidecar.testing, sys
assert ltisidecar.__file__.startswith(sys.prefix), ltisidecar.__file__
for address in sys.argv[1:]:
    with ltisidecar.Sidecar(address) as sidecar:
        print(sidecar.get_tool_key_set().jwks)
"""


def run(*command: str, **more: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LTISIDECAR"))}
    done = subprocess.run(command, env=environment | more, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_installs_and_calls(grpc_server: ScriptedSidecar, tmp_path: Path) -> None:
    grpc_server.answer = lambda *_: key_service_pb2.GetToolKeySetResponse(jwks="{}")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(PROJECT))
    (wheel,) = tmp_path.glob("*.whl")
    (source,) = tmp_path.glob("*.tar.gz")
    assert source.stat().st_size < 1 << 20
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    sources = {
        str(path.relative_to(PROJECT / "src"))
        for path in (PROJECT / "src").rglob("*.py*")
        if "__pycache__" not in path.parts
    }
    assert sources <= set(names)
    assert "ltisidecar/py.typed" in names
    run(sys.executable, "-m", "venv", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / "bin" / "python")
    try:
        run(python, "-m", "pip", "install", "--disable-pip-version-check", f"{wheel}[flask,django,starlette]")
    except AssertionError as error:
        if os.environ.get("CI") == "true" or "No matching distribution" not in str(error):
            raise
        pytest.skip("there is no package index to install from")
    run(python, "-m", "pip", "check")
    assert run(python, "-c", CALL, grpc_server.address).split() == ["{}"]
