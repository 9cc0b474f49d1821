# SPDX-License-Identifier: Apache-2.0
"""The HTTP listener of a sidecar, on a Unix socket, that answers as a test tells it to: the Connect protocol."""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status
from scripted_sidecar import FILES, Script


class _Aborted(Exception):
    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Context:
    """What a script uses of grpc.ServicerContext."""

    def __init__(self, connection: socket.socket, timeout: float | None) -> None:
        self._connection = connection
        self._timeout = timeout
        self.details = Status()
        self.details_unreadable = False

    def time_remaining(self) -> float | None:
        return self._timeout

    def set_trailing_metadata(self, metadata: Iterable[tuple[str, bytes]]) -> None:
        for _, value in metadata:
            try:
                self.details = Status.FromString(value)
            except Exception:
                self.details_unreadable = True

    def abort(self, code: grpc.StatusCode, message: str) -> NoReturn:
        raise _Aborted(code, message)

    def add_callback(self, function: Callable[[], None]) -> None:
        """Calls the function once the client has gone."""

        def wait() -> None:
            select.select([self._connection], [], [], 30)
            function()

        threading.Thread(target=wait, daemon=True).start()


def _error(error: _Aborted, context: _Context) -> dict[str, Any]:
    details = [
        {"type": detail.type_url.rpartition("/")[2], "value": base64.b64encode(detail.value).decode().rstrip("=")}
        for detail in context.details.details
    ]
    if context.details_unreadable:
        details.append({"type": "google.rpc.ErrorInfo", "value": "!"})
    return {"code": _CODES.get(error.code.name, error.code.name.lower()), "message": str(error), "details": details}


_CODES = {"CANCELLED": "canceled"}
_STATUS = {"UNAVAILABLE": 503, "PERMISSION_DENIED": 403, "INTERNAL": 500, "UNAUTHENTICATED": 401}


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    scripted: ScriptedHttp

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that has gone
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.scripted.connections.append(self.connection)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        scripted = self.server.scripted
        body = self.rfile.read(int(self.headers["Content-Length"]))
        method = scripted.methods[self.path]
        kind = "application/connect+proto" if method.server_streaming else "application/proto"
        assert self.headers["Content-Type"] == kind
        assert self.headers["Connect-Protocol-Version"] == "1"
        request = GetMessageClass(method.input_type).FromString(body[5:] if method.server_streaming else body)
        milliseconds = self.headers["Connect-Timeout-Ms"]
        context = _Context(self.connection, None if milliseconds is None else int(milliseconds) / 1000)
        scripted.requests.append(request)
        scripted.deadlines.append(context.time_remaining())
        with contextlib.suppress(OSError):
            if method.server_streaming:
                self._stream(request, context)
            else:
                self._unary(request, context)

    def _unary(self, request: Any, context: _Context) -> None:
        status, kind = 200, "application/proto"
        try:
            answer = self.server.scripted.answer(request, context).SerializeToString()
        except _Aborted as error:
            status, kind = _STATUS.get(error.code.name, 400), "application/json"
            answer = json.dumps(_error(error, context)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _stream(self, request: Any, context: _Context) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/connect+proto")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        end: dict[str, Any] = {}
        try:
            for part in self.server.scripted.answer(request, context):
                self._frame(0, part.SerializeToString())
        except _Aborted as error:
            end = {"error": _error(error, context)}
        self._frame(2, json.dumps(end).encode())
        self.wfile.write(b"0\r\n\r\n")

    def _frame(self, flags: int, body: bytes) -> None:
        frame = struct.pack(">BI", flags, len(body)) + body
        self.wfile.write(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")


class ScriptedHttp:
    """As ScriptedSidecar, behind another listener."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self.address = f"http+unix://{socket}"
        self.requests: list[Any] = []
        self.deadlines: list[float | None] = []
        self.answer: Script = lambda request, context: context.abort(grpc.StatusCode.UNIMPLEMENTED, "no script")
        self.connections: list[socket_type] = []
        self.methods = {
            f"/{service.full_name}/{method.name}": method
            for file in FILES
            for service in file.DESCRIPTOR.services_by_name.values()
            for method in service.methods
        }
        self._server: _Server | None = None
        self.start()

    def start(self) -> None:
        server = _Server(str(self._socket), _Handler)
        server.scripted = self
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self._server = server

    def stop(self) -> None:
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()
        self._socket.unlink()
        self._server = None


socket_type = socket.socket
