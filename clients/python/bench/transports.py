# SPDX-License-Identifier: Apache-2.0
"""What a validated launch costs the tool in CPU, by transport: python bench/transports.py [CALLS]

A canned server beside it (clients/node/bench/canned.mjs) answers with a launch of about 5 KB of claims; only this
process is measured. Medians of five rounds, interleaved; `R` is one bare RSA-2048 verification in this process, which a
tool without a sidecar would have to do at the least.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.protobuf import json_format

from ltisidecar import AcceptedLaunch, AsyncSidecar, BrowserRequest, Sidecar, _calls, _convert
from ltisidecar.v1 import browser_pb2, launch_pb2, launch_service_pb2

ROUNDS = 5
PATH = "/ltisidecar.v1.LaunchService/ValidateLaunch"
CANNED = Path(__file__).parents[2] / "node" / "bench" / "canned.mjs"
BROWSER = BrowserRequest(
    method="POST",
    parameters=(("id_token", "e" * 6600), ("state", "s" * 280)),
    cookie_header="__Host-lti-01234567=abc; other=1",
    origin="https://platform.example",
)


def answer() -> launch_service_pb2.ValidateLaunchResponse:
    claims: dict[str, str] = {"sub": "user-1"}
    while len(json.dumps(claims)) < 4500:
        claims[f"https://platform.example/claim/{len(claims)}"] = "x" * 60
    launch = launch_pb2.Launch(
        launch_id="0" * 32,
        launch_token="t" * 1500,
        registration="canvas",
        issuer="https://canvas.example",
        client_id="client-1",
        deployment_id="deployment-1",
        target_link_uri="https://tool.example/start",
        message_type="MESSAGE_TYPE_RESOURCE_LINK",
        message_type_name="LtiResourceLinkRequest",
        user=launch_pb2.User(key="a" * 64, id="user-1", name="Ada Lovelace"),
        roles=["http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"],
        role_summary=launch_pb2.RoleSummary(instructor=True),
        context=launch_pb2.Context(key="b" * 64, id="course-1", title="Biology"),
        resource_link=launch_pb2.ResourceLink(key="c" * 64, id="link-1"),
        custom={"chapter": "3"},
        claims_json=json.dumps(claims),
    )
    launch.launch_time.GetCurrentTime()
    launch.grades.registration = launch.memberships.registration = "canvas"
    header = browser_pb2.Header(name="Cache-Control", value="no-store")
    return launch_service_pb2.ValidateLaunchResponse(launch=launch, headers=[header])


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def request_json() -> bytes:
    message = launch_service_pb2.ValidateLaunchRequest(browser=_convert.browser_request_message(BROWSER))
    return json_format.MessageToJson(message).encode()


def by_json(path: str) -> Callable[[], object]:
    """http.client and the JSON form of the messages."""
    connection = _Unix(path)
    call = _calls.validate_launch(BROWSER, "", ())

    def once() -> object:
        connection.request("POST", PATH, request_json(), {"Content-Type": "application/json"})
        parsed = json_format.Parse(connection.getresponse().read(), launch_service_pb2.ValidateLaunchResponse())
        return call.answer(parsed)

    return once


def by_httpx(path: str) -> Callable[[], object]:
    """httpx in place of http.client, and protobuf."""
    client = httpx.Client(transport=httpx.HTTPTransport(uds=path))

    def once() -> object:
        call = _calls.validate_launch(BROWSER, "", ())
        headers = {"Content-Type": "application/proto"}
        content = client.post(
            "http://localhost" + PATH, content=call.request.SerializeToString(), headers=headers
        ).content
        return call.answer(call.method.response.FromString(content))

    return once


def by_client(sidecar: Sidecar) -> Callable[[], object]:
    def once() -> object:
        outcome = sidecar.validate_launch(BROWSER)
        assert isinstance(outcome, AcceptedLaunch)
        return outcome

    return once


def by_loop(address: str, at_once: int) -> Callable[[int], None]:
    async def work(count: int) -> None:
        async with AsyncSidecar(address) as sidecar:

            async def worker() -> None:
                for _ in range(count // at_once):
                    await sidecar.validate_launch(BROWSER)

            await asyncio.gather(*(worker() for _ in range(at_once)))

    def run(count: int) -> None:
        coroutine: Coroutine[Any, Any, None] = work(count)
        asyncio.run(coroutine)

    return run


def repeated(call: Callable[[], object]) -> Callable[[int], None]:
    def run(count: int) -> None:
        for _ in range(count):
            call()

    return run


def cpu(run: Callable[[int], None], count: int) -> float:
    """Returns what each of so many calls costs this process, in microseconds."""
    before = time.process_time()
    run(count)
    return (time.process_time() - before) / count * 1e6


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    key = rsa.generate_private_key(65537, 2048)
    signed = b"e" * 6200
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    public = key.public_key()
    with tempfile.TemporaryDirectory(prefix="lti") as name:
        directory = Path(name)
        (directory / "answer.bin").write_bytes(answer().SerializeToString())
        (directory / "answer.json").write_text(json_format.MessageToJson(answer()), encoding="utf-8")
        command = ["node", str(CANNED), str(directory / "answer.bin"), str(directory / "answer.json"), name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            addresses = json.loads(server.stdout.readline())
            socket_path = addresses["http"].removeprefix("http+unix://")
            with Sidecar(addresses["grpc"]) as grpc, Sidecar(addresses["http"]) as http_:
                kinds: dict[str, Callable[[int], None]] = {
                    "R": repeated(lambda: public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())),
                    "gRPC": repeated(by_client(grpc)),
                    "gRPC, asyncio, 1 at a time": by_loop(addresses["grpc"], 1),
                    "gRPC, asyncio, 16 at a time": by_loop(addresses["grpc"], 16),
                    "HTTP, protobuf, http.client": repeated(by_client(http_)),
                    "HTTP, protobuf, httpx": repeated(by_httpx(socket_path)),
                    "HTTP, JSON, http.client": repeated(by_json(socket_path)),
                }
                for run in kinds.values():
                    run(calls // 4 // 16 * 16)
                figures: dict[str, list[float]] = {kind: [] for kind in kinds}
                for _ in range(ROUNDS):
                    for kind, run in kinds.items():
                        figures[kind].append(cpu(run, calls // 16 * 16))
            server.terminate()
    bare = statistics.median(figures["R"])
    for kind, values in figures.items():
        figure = statistics.median(values)
        print(f"python {platform.python_version()}  {kind:<30} {figure:5.0f} us  {figure / bare:5.1f} R")


if __name__ == "__main__":
    main()
