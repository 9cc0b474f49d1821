# SPDX-License-Identifier: Apache-2.0
"""A gRPC server on a Unix socket that answers as a test tells it to, and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from ltisidecar.v1 import (
    event_service_pb2,
    event_service_pb2_grpc,
    grade_service_pb2,
    grade_service_pb2_grpc,
    key_service_pb2,
    key_service_pb2_grpc,
    launch_service_pb2,
    launch_service_pb2_grpc,
    roster_service_pb2,
    roster_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)

Script = Callable[[Any, Any], Any]


FILES: dict[Any, Callable[[Any, grpc.Server], None]] = {
    event_service_pb2: event_service_pb2_grpc.add_EventServiceServicer_to_server,
    grade_service_pb2: grade_service_pb2_grpc.add_GradeServiceServicer_to_server,
    key_service_pb2: key_service_pb2_grpc.add_KeyServiceServicer_to_server,
    launch_service_pb2: launch_service_pb2_grpc.add_LaunchServiceServicer_to_server,
    roster_service_pb2: roster_service_pb2_grpc.add_RosterServiceServicer_to_server,
    token_service_pb2: token_service_pb2_grpc.add_TokenServiceServicer_to_server,
}
"""Every service of the API."""


class ScriptedSidecar:
    """Set `answer` to a function of request and context; a stream's answer is an iterable of messages."""

    def __init__(self, socket: Path) -> None:
        self.address = f"unix://{socket}"
        self.requests: list[Any] = []
        self.deadlines: list[float | None] = []
        self.answer: Script = lambda request, context: context.abort(grpc.StatusCode.UNIMPLEMENTED, "no script")
        self._server: grpc.Server | None = None
        self.start()

    def start(self) -> None:
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        for file, add in FILES.items():
            (service,) = file.DESCRIPTOR.services_by_name.values()
            servicer: Any = type(service.name, (), {})()
            for method in service.methods:
                setattr(servicer, method.name, self._stream if method.server_streaming else self._unary)
            add(servicer, server)
        server.add_insecure_port(self.address)
        server.start()
        self._server = server

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def _unary(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.requests.append(request)
        self.deadlines.append(context.time_remaining())
        return self.answer(request, context)

    def _stream(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self.requests.append(request)
        self.deadlines.append(context.time_remaining())
        parts: Iterable[Any] = self.answer(request, context)
        yield from parts


def refuse(
    context: grpc.ServicerContext,
    code: grpc.StatusCode,
    reason: str,
    *details: Message,
    domain: str = "ltisidecar",
    metadata: dict[str, str] | None = None,
) -> NoReturn:
    """Ends the call as the sidecar does: one ErrorInfo, and further details."""
    packed = []
    for detail in (ErrorInfo(reason=reason, domain=domain, metadata=metadata or {}), *details):
        wrapped = AnyMessage()
        wrapped.Pack(detail)
        packed.append(wrapped)
    status = Status(code=code.value[0], message="what was compared", details=packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, "what was compared")
