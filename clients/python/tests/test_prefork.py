# SPDX-License-Identifier: Apache-2.0
"""A pre-forking server: gunicorn loads the application once, calls the sidecar, and forks its workers after that."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from scripted_sidecar import ScriptedSidecar

from ltisidecar.v1 import key_service_pb2

APP = """
import json, os
from ltisidecar import Sidecar

sidecar = Sidecar()
parent = (os.getpid(), sidecar.get_tool_key_set().jwks)

def app(environ, start_response):
    answer = [sidecar.get_tool_key_set().jwks for _ in range(3)]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([parent, os.getpid(), answer]).encode()]
"""


@pytest.mark.parametrize("threads", [1, 4])
def test_gunicorn_with_preload_and_several_workers(server: ScriptedSidecar, tmp_path: Path, threads: int) -> None:
    server.answer = lambda *_: key_service_pb2.GetToolKeySetResponse(jwks="{}")
    (tmp_path / "tool.py").write_text(APP, encoding="utf-8")
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "3", "--threads", str(threads)]
    command += ["--bind", "127.0.0.1:0", "--no-control-socket", "tool:app"]
    environment = {"LTISIDECAR_ADDRESS": server.address, "PATH": "", "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said: list[str] = []
        url = ""
        booted = 0
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"Listening at: (\S+)", line):
                url = found[1]
            booted += "Booting worker" in line
            if url and booted == 3:
                break
        else:
            pytest.fail("".join(said))
        rest = threading.Thread(target=process.stderr.read)  # so that a full pipe does not stop it
        rest.start()

        def ask(_: int) -> tuple[list[object], int, list[str]]:
            with urllib.request.urlopen(url, timeout=30) as answer:
                parent, worker, texts = json.load(answer)
            return parent, worker, texts

        workers: set[int] = set()
        parents: set[int] = set()
        deadline = time.monotonic() + 30
        with ThreadPoolExecutor(8) as pool:
            while len(workers) < 3 and time.monotonic() < deadline:
                for parent, worker, texts in pool.map(ask, range(24)):
                    assert (parent[1], texts) == ("{}", ["{}"] * 3)
                    workers.add(worker)
                    parents.add(int(str(parent[0])))
        assert len(workers) >= 2, "the work is shared"
        assert len(parents) == 1
        assert not parents & workers
        process.send_signal(signal.SIGTERM)
        rest.join(30)
        assert process.wait(30) == 0
