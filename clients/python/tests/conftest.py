# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_http import ScriptedHttp
from scripted_sidecar import ScriptedSidecar

from ltisidecar import Sidecar

pytest_plugins = ["ltisidecar.testing.pytest"]


@pytest.fixture
def socket_directory() -> Iterator[Path]:
    """A directory with a short name: the path of a Unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="lti") as directory:
        yield Path(directory)


@pytest.fixture
def grpc_server(socket_directory: Path) -> Iterator[ScriptedSidecar]:
    server = ScriptedSidecar(socket_directory / "sidecar.sock")
    yield server
    server.stop()


@pytest.fixture(params=["grpc", "http"])
def server(request: pytest.FixtureRequest, socket_directory: Path) -> Iterator[ScriptedSidecar | ScriptedHttp]:
    kind = ScriptedSidecar if request.param == "grpc" else ScriptedHttp
    server = kind(socket_directory / "sidecar.sock")
    yield server
    server.stop()


@pytest.fixture
def sidecar(server: ScriptedSidecar) -> Iterator[Sidecar]:
    with Sidecar(server.address) as sidecar:
        yield sidecar
