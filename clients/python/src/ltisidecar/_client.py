# SPDX-License-Identifier: Apache-2.0
"""What the clients for threads and for event loops are built on: their address, their connections, their calls."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType
from typing import TypeVar
from weakref import WeakKeyDictionary

import grpc
from google.protobuf.message import Message

from ltisidecar._grpc import AsyncGrpcStream, AsyncGrpcTransport, GrpcTransport
from ltisidecar._http import HttpTransport
from ltisidecar._transport import (
    DEFAULT_ADDRESS,
    DEFAULT_GRPC_ADDRESS,
    Call,
    MessageStream,
    Method,
    Transport,
    is_http,
    resolve_address,
)

_Answer = TypeVar("_Answer")
_SyncSelf = TypeVar("_SyncSelf", bound="Client")
_AsyncSelf = TypeVar("_AsyncSelf", bound="AsyncClient")


class _Settings:
    _default_address = DEFAULT_ADDRESS

    def __init__(
        self,
        address: str | None = None,
        *,
        timeout: float | None = None,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Takes the sidecar's address: `http+unix:///path` or `http://host:port` for HTTP, `unix:///path` or
        `host:port` for gRPC. Default: LTISIDECAR_ADDRESS, else the sidecar's own default socket, for threads that of
        HTTP and for asyncio that of gRPC.

        timeout is in seconds and for every call; None gives each call the default of its method. credentials are for
        mutual TLS, which an address off this machine needs; without them it is a ValueError.
        """
        if timeout is not None and timeout <= 0:
            raise ValueError("timeout is above 0 seconds")
        self._address = resolve_address(address, credentials is not None, self._default_address)
        self._credentials = credentials
        self._timeout = timeout
        self._closed = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r})"

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"this {type(self).__name__} is closed")


class Client(_Settings):
    """A connection for each process: after a fork, the child makes its own."""

    def __init__(
        self,
        address: str | None = None,
        *,
        timeout: float | None = None,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        super().__init__(address, timeout=timeout, credentials=credentials)
        self._connections: dict[int, Transport] = {}  # by process id

    __init__.__doc__ = _Settings.__init__.__doc__

    def __enter__(self: _SyncSelf) -> _SyncSelf:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes this process's connection. Calls after it are a RuntimeError."""
        self._closed = True
        connection = self._connections.pop(os.getpid(), None)
        if connection is not None:
            connection.close()

    def _connection(self) -> Transport:
        self._check_open()
        process = os.getpid()
        connection = self._connections.get(process)
        if connection is None:
            fresh: Transport
            if is_http(self._address):
                fresh = HttpTransport(self._address)
            else:
                fresh = GrpcTransport(self._address, self._credentials)
            # Without a lock, which a fork could leave held: of two threads, one finds the other's connection.
            connection = self._connections.setdefault(process, fresh)
            if connection is not fresh:
                fresh.close()
        return connection

    def _call(self, call: Call[_Answer], timeout: float | None) -> _Answer:
        limit = timeout or self._timeout or call.timeout
        return call.answer(self._connection().unary(call.method, call.request, limit))

    def _stream(self, method: Method, request: Message, idle_timeout: float | None) -> MessageStream:
        return self._connection().stream(method, request, idle_timeout)


class AsyncClient(_Settings):
    """A connection for each event loop, and so for each process."""

    _default_address = DEFAULT_GRPC_ADDRESS

    def __init__(
        self,
        address: str | None = None,
        *,
        timeout: float | None = None,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        super().__init__(address, timeout=timeout, credentials=credentials)
        if is_http(self._address):
            raise ValueError(f"{type(self).__name__} speaks gRPC: unix:///path or host:port, not {self._address!r}")
        self._connections: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncGrpcTransport] = WeakKeyDictionary()

    __init__.__doc__ = _Settings.__init__.__doc__

    async def __aenter__(self: _AsyncSelf) -> _AsyncSelf:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes this event loop's connection. Calls after it are a RuntimeError."""
        self._closed = True
        connection = self._connections.pop(asyncio.get_running_loop(), None)
        if connection is not None:
            await connection.close()

    def _connection(self) -> AsyncGrpcTransport:
        self._check_open()
        loop = asyncio.get_running_loop()
        connection = self._connections.get(loop)
        if connection is None:
            connection = self._connections[loop] = AsyncGrpcTransport(self._address, self._credentials)
        return connection

    async def _call(self, call: Call[_Answer], timeout: float | None) -> _Answer:
        limit = timeout or self._timeout or call.timeout
        return call.answer(await self._connection().unary(call.method, call.request, limit))

    def _stream(self, method: Method, request: Message, idle_timeout: float | None) -> AsyncGrpcStream:
        return self._connection().stream(method, request, idle_timeout)
