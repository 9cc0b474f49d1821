# SPDX-License-Identifier: Apache-2.0
"""Where the sidecar is, and what every way to it can do."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ltisidecar._error import Unavailable

ADDRESS_VARIABLE = "LTISIDECAR_ADDRESS"
DEFAULT_ADDRESS = "http+unix:///run/ltisidecar/sidecar-json.sock"
DEFAULT_GRPC_ADDRESS = "unix:///run/ltisidecar/sidecar.sock"

_FORMS = "unix:///path or host:port for gRPC, http+unix:///path or http://host:port for the HTTP listener"

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC."""

    path: str
    """Such as `/ltisidecar.v1.LaunchService/ValidateLaunch`."""
    response: type[Message]

    @classmethod
    def of(cls, file: FileDescriptor, name: str) -> Method:
        """Returns the RPC of a file's only service."""
        (service,) = file.services_by_name.values()
        return cls(f"/{service.full_name}/{name}", GetMessageClass(service.methods_by_name[name].output_type))


@dataclass(frozen=True, slots=True)
class Call(Generic[_Answer]):
    """A call that is ready to be made, whoever makes it."""

    method: Method
    request: Message
    answer: Callable[[Any], _Answer]
    """Makes the client's type of the message that came."""
    timeout: float
    """In seconds, where the caller names none."""


class MessageStream(Protocol):
    """The messages of one call, as they arrive. cancel may come from any thread."""

    def receive(self) -> Any:
        """Returns the next message, or None after the last one of a stream that ended well. Raises SidecarError."""

    def cancel(self) -> None: ...


class Transport(Protocol):
    """A connection to the sidecar. It connects with the first call. Threads may share it."""

    def unary(self, method: Method, request: Message, timeout: float) -> Any: ...

    def stream(self, method: Method, request: Message, idle_timeout: float | None) -> MessageStream:
        """idle_timeout limits each wait, in seconds; None: no limit."""

    def close(self) -> None: ...


def resolve_address(address: str | None, secure: bool, default: str = DEFAULT_ADDRESS) -> str:
    """Returns the address to use: the one given, else the environment's, else the default one.

    Without secure a TCP address must be a loopback one, because launches and tokens would cross the network in the
    clear: else ValueError.
    """
    address = address or os.environ.get(ADDRESS_VARIABLE) or default
    if is_unix(address):
        return address
    if is_http(address):
        return _http_address(address, secure)
    host, _, port = address.rpartition(":")
    if not port.isascii() or not port.isdigit() or not host or "/" in host:
        raise ValueError(f"the sidecar's address is {_FORMS}, not {address!r}")
    if not secure and not _is_loopback(host.strip("[]")):
        raise ValueError(f"the sidecar's address {address!r} is not on this machine: give credentials (mutual TLS)")
    return address


def _http_address(address: str, secure: bool) -> str:
    scheme, _, rest = address.partition("://")
    if secure:
        raise ValueError(f"the sidecar's address {address!r} takes no credentials: mutual TLS is for gRPC, host:port")
    if scheme == "http+unix":
        if not rest.startswith("/"):
            raise ValueError(f"the sidecar's address is {_FORMS}, not {address!r}")
        return address
    host, _, port = rest.rstrip("/").rpartition(":")
    if not port.isascii() or not port.isdigit() or not host or "/" in host:
        raise ValueError(f"the sidecar's address is {_FORMS}, not {address!r}")
    if not _is_loopback(host.strip("[]")):
        raise ValueError(
            f"the sidecar's address {address!r} is not on this machine: use gRPC, host:port, with credentials"
        )
    return address.rstrip("/")


def is_unix(address: str) -> bool:
    return address.startswith(("unix:", "unix-abstract:"))


def is_http(address: str) -> bool:
    return address.startswith(("http://", "http+unix://"))


def nothing_came(idle_timeout: float) -> Unavailable:
    """Returns the error of a stream that has stopped coming."""
    return Unavailable(f"nothing came for {idle_timeout:g} seconds", code="DEADLINE_EXCEEDED")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
