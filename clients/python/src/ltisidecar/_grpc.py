# SPDX-License-Identifier: Apache-2.0
"""gRPC to the sidecar."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message

from ltisidecar._error import Unavailable, from_rpc_error
from ltisidecar._transport import Method, is_unix, nothing_came

_OPTIONS: tuple[tuple[str, int], ...] = (
    # Nothing is sent twice behind the tool's back: a launch is accepted once.
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    # The sidecar is beside the tool: no proxy lies between them.
    ("grpc.enable_http_proxy", 0),
    # A process gets connections of its own, also after a fork.
    ("grpc.use_local_subchannel_pool", 1),
    # A sidecar that restarts is found again at once, not after the usual two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # An error carries its page in the trailers: more than the usual 8 KiB.
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.absolute_max_metadata_size", 128 * 1024),
)


def _options(address: str) -> list[tuple[str, int | str]]:
    options: list[tuple[str, int | str]] = list(_OPTIONS)
    if is_unix(address):
        options.append(("grpc.default_authority", "localhost"))
    return options


class GrpcTransport:
    """A channel, for threads. It connects with the first call."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        options = _options(address)
        if credentials is None:
            self.channel = grpc.insecure_channel(address, options)
        else:
            self.channel = grpc.secure_channel(address, credentials, options)
        self._unary: dict[Method, grpc.UnaryUnaryMultiCallable[Any, Any]] = {}

    def unary(self, method: Method, request: Message, timeout: float) -> Any:
        call = self._unary.get(method)
        if call is None:
            call = self.channel.unary_unary(method.path, type(request).SerializeToString, method.response.FromString)
            self._unary[method] = call
        try:
            return call(request, timeout=timeout)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error

    def stream(self, method: Method, request: Message, idle_timeout: float | None) -> GrpcStream:
        call = self.channel.unary_stream(method.path, type(request).SerializeToString, method.response.FromString)
        return GrpcStream(call(request), idle_timeout)

    def close(self) -> None:
        self.channel.close()


class GrpcStream:
    """The messages of one call."""

    def __init__(self, call: Any, idle_timeout: float | None) -> None:
        self._call = call
        self._idle_timeout = idle_timeout
        self._expired = False

    def receive(self) -> Any:
        if self._idle_timeout is None:
            return self._next()
        timer = threading.Timer(self._idle_timeout, self._expire)
        timer.daemon = True
        timer.start()
        try:
            return self._next()
        except Unavailable as error:
            if self._expired:
                raise nothing_came(self._idle_timeout) from error
            raise
        finally:
            timer.cancel()

    def cancel(self) -> None:
        self._call.cancel()

    def _next(self) -> Any:
        try:
            return next(self._call)
        except StopIteration:
            return None
        except grpc.RpcError as error:
            if self._expired:
                raise Unavailable("the call was ended", code="CANCELLED") from error
            raise from_rpc_error(error) from error

    def _expire(self) -> None:
        self._expired = True
        self._call.cancel()


class AsyncGrpcTransport:
    """A channel, for the tasks of one event loop. It connects with the first call."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        options = _options(address)
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address, options)
        else:
            self._channel = grpc.aio.secure_channel(address, credentials, options)
        self._unary: dict[Method, Any] = {}

    async def unary(self, method: Method, request: Message, timeout: float) -> Any:
        call = self._unary.get(method)
        if call is None:
            call = self._channel.unary_unary(method.path, type(request).SerializeToString, method.response.FromString)
            self._unary[method] = call
        try:
            return await call(request, timeout=timeout)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error

    def stream(self, method: Method, request: Message, idle_timeout: float | None) -> AsyncGrpcStream:
        call = self._channel.unary_stream(method.path, type(request).SerializeToString, method.response.FromString)
        return AsyncGrpcStream(call(request), idle_timeout)

    async def close(self) -> None:
        await self._channel.close()


class AsyncGrpcStream:
    """The messages of one call."""

    def __init__(self, call: Any, idle_timeout: float | None) -> None:
        self._call = call
        self._idle_timeout = idle_timeout

    async def receive(self) -> Any:
        """Returns the next message, or None after the last one of a stream that ended well. Raises SidecarError."""
        try:
            message = await asyncio.wait_for(self._call.read(), self._idle_timeout)
        except asyncio.TimeoutError as error:
            assert self._idle_timeout is not None
            raise nothing_came(self._idle_timeout) from error
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        return None if message is grpc.aio.EOF else message

    def cancel(self) -> None:
        self._call.cancel()
