# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 to the sidecar's second listener: the Connect protocol with protobuf bodies, over kept connections."""

from __future__ import annotations

import base64
import binascii
import contextlib
import http.client
import json
import socket
import struct
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message

from ltisidecar._error import SidecarError, Unavailable, from_status
from ltisidecar._transport import Method, nothing_came

_UNARY = {"Content-Type": "application/proto", "Connect-Protocol-Version": "1"}
_STREAM = {"Content-Type": "application/connect+proto", "Connect-Protocol-Version": "1"}

_FRAME = struct.Struct(">BI")  # flags, length
_END_OF_STREAM = 0x02
_MAX_ANSWER = 64 << 20  # bytes; the sidecar sends far less

_CODES = {
    "canceled": "CANCELLED",
    "unknown": "UNKNOWN",
    "invalid_argument": "INVALID_ARGUMENT",
    "deadline_exceeded": "DEADLINE_EXCEEDED",
    "not_found": "NOT_FOUND",
    "already_exists": "ALREADY_EXISTS",
    "permission_denied": "PERMISSION_DENIED",
    "resource_exhausted": "RESOURCE_EXHAUSTED",
    "failed_precondition": "FAILED_PRECONDITION",
    "aborted": "ABORTED",
    "out_of_range": "OUT_OF_RANGE",
    "unimplemented": "UNIMPLEMENTED",
    "internal": "INTERNAL",
    "unavailable": "UNAVAILABLE",
    "data_loss": "DATA_LOSS",
    "unauthenticated": "UNAUTHENTICATED",
}


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class HttpTransport:
    """Kept connections, of which each serves one call at a time."""

    def __init__(self, address: str) -> None:
        scheme, _, rest = address.partition("://")
        self._address = address
        self._path = rest if scheme == "http+unix" else ""
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "", parts.port if not self._path else None
        # deque's methods are atomic: no lock, which a fork could leave held.
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._closed = False

    def unary(self, method: Method, request: Message, timeout: float) -> Any:
        headers = _UNARY | {"Connect-Timeout-Ms": str(max(1, int(timeout * 1000)))}
        connection, response = self._ask(method.path, request.SerializeToString(), headers, timeout)
        try:
            body = response.read(_MAX_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _unreachable(error) from error
        self._keep(connection, response)
        if response.status != 200:
            raise _error(response.status, response.getheader("Content-Type", ""), body)
        return _parse(method, body)

    def stream(self, method: Method, request: Message, idle_timeout: float | None) -> HttpStream:
        body = request.SerializeToString()
        frame = _FRAME.pack(0, len(body)) + body
        connection, response = self._ask(method.path, frame, _STREAM, idle_timeout)
        if response.status != 200:
            body = response.read(_MAX_ANSWER)
            connection.close()
            raise _error(response.status, response.getheader("Content-Type", ""), body)
        return HttpStream(connection, response, method, idle_timeout)

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def __del__(self) -> None:
        self.close()

    def _ask(
        self, path: str, body: bytes, headers: dict[str, str], timeout: float | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Sends a request once. A kept connection that the sidecar has closed meanwhile is seen before anything is
        sent, and replaced."""
        connection = self._connected(timeout)
        try:
            connection.request("POST", path, body, headers)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _unreachable(error) from error

    def _connected(self, timeout: float | None) -> http.client.HTTPConnection:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if connection.sock is not None and not _readable(connection.sock):
                connection.sock.settimeout(timeout)
                return connection
            connection.close()
        fresh = _UnixConnection(self._path) if self._path else http.client.HTTPConnection(self._host, self._port)
        fresh.timeout = timeout
        try:
            fresh.connect()
        except OSError as error:
            fresh.close()
            raise Unavailable(f"the sidecar at {self._address} is out of reach: {error}", code="UNAVAILABLE") from error
        return fresh

    def _keep(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        if self._closed or response.will_close or not response.isclosed() or len(self._idle) >= 64:
            connection.close()
        else:
            self._idle.append(connection)


class HttpStream:
    """The messages of one call. Its connection ends with it."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        method: Method,
        idle_timeout: float | None,
    ) -> None:
        self._connection = connection
        self._socket = connection.sock
        self._response = response
        self._method = method
        self._idle_timeout = idle_timeout
        self._receiving = False
        self._cancelled = False

    def receive(self) -> Any:
        self._receiving = True
        try:
            return self._next()
        finally:
            self._receiving = False
            if self._cancelled:
                self._connection.close()

    def _next(self) -> Any:
        try:
            flags, length = _FRAME.unpack(self._read(_FRAME.size))
            if length > _MAX_ANSWER:
                raise SidecarError(f"the sidecar sent a message of {length} bytes", code="INTERNAL")
            body = self._read(length)
        except TimeoutError as error:
            if self._idle_timeout is None:
                raise _unreachable(error) from error
            raise nothing_came(self._idle_timeout) from error
        except (OSError, http.client.HTTPException, ValueError, struct.error) as error:
            raise _unreachable(error) from error
        if not flags & _END_OF_STREAM:
            return _parse(self._method, body)
        self._connection.close()
        error_of_end = _members(body).get("error")
        if error_of_end is not None:
            raise _from_json(error_of_end, "UNKNOWN")
        return None

    def cancel(self) -> None:
        """Ends the call, also under a thread that waits for its next message."""
        self._cancelled = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        if not self._receiving:  # else receive closes it
            self._connection.close()

    def _read(self, size: int) -> bytes:
        read = bytearray()
        while len(read) < size:
            part = self._response.read(size - len(read))
            if not part:
                raise http.client.IncompleteRead(bytes(read), size - len(read))
            read += part
        return bytes(read)


def _readable(sock: socket.socket) -> bool:
    """Says whether an idle connection has something to read: the end, or what nobody asked for."""
    sock.setblocking(False)
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _parse(method: Method, body: bytes) -> Any:
    try:
        return method.response.FromString(body)
    except DecodeError as error:
        raise SidecarError(f"the sidecar's answer could not be read: {error}", code="INTERNAL") from error


def _error(status: int, content_type: str, body: bytes) -> SidecarError:
    """Returns the exception for an answer that is not 200."""
    if status == 415:
        return SidecarError(f"the server takes no {_UNARY['Content-Type']}: is it the sidecar?", code="UNIMPLEMENTED")
    code = {404: "UNIMPLEMENTED", 429: "UNAVAILABLE", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "UNAVAILABLE"}
    members = _members(body) if content_type.startswith("application/json") else {}
    if not members:
        members = {"message": f"HTTP status {status}: is this the sidecar's HTTP listener, and does it have this call?"}
    return _from_json(members, code.get(status, "UNKNOWN"))


def _members(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def _from_json(members: Any, fallback: str) -> SidecarError:
    """Returns the exception for an error as the Connect protocol writes it."""
    if not isinstance(members, dict):
        members = {}
    details = []
    for detail in members.get("details") or ():
        with contextlib.suppress(KeyError, TypeError, binascii.Error):
            value = detail["value"]
            value = base64.b64decode(value + "=" * (-len(value) % 4))
            details.append(AnyMessage(type_url=f"type.googleapis.com/{detail['type']}", value=value))
    return from_status(_CODES.get(members.get("code"), fallback), str(members.get("message") or ""), details)


def _unreachable(error: Exception) -> Unavailable:
    if isinstance(error, TimeoutError):
        return Unavailable("the sidecar did not answer in time", code="DEADLINE_EXCEEDED")
    return Unavailable(f"the sidecar is out of reach: {error or type(error).__name__}", code="UNAVAILABLE")
