# SPDX-License-Identifier: Apache-2.0
"""A roster as it streams in."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol

import grpc

from ltisidecar._convert import member
from ltisidecar._error import RosterIncomplete, SidecarError, Unavailable, from_rpc_error
from ltisidecar._member import Member, RosterContext
from ltisidecar.v1 import roster_service_pb2


class _Stream(Protocol):
    def __next__(self) -> roster_service_pb2.ListMembersResponse: ...
    def cancel(self) -> object: ...


class Roster(Iterator[Member]):
    """Iterates over the members of one roster. Use it up, or close it; one thread at a time.

    The iteration ends only where the roster is whole: anything else raises, and raises again where it is asked again.
    """

    def __init__(self, stream: _Stream, idle_timeout: float) -> None:
        """Waits for the first batch, so that a refusal is raised at once."""
        self._stream = stream
        self._idle_timeout = idle_timeout
        self._expired = False
        self._members: deque[Member] = deque()
        self._received = 0
        self._end: roster_service_pb2.RosterEnd | None = None
        self._error: SidecarError | None = None
        self._context: RosterContext | None = None
        self._advance()

    @property
    def context(self) -> RosterContext | None:
        """Course or group of the roster; None where the platform named none."""
        return self._context

    @property
    def member_count(self) -> int:
        """How many members the whole roster has. Known once the iteration has ended: before, RuntimeError."""
        return self._ended().member_count

    @property
    def differences_uri(self) -> str:
        """What to give to a later list_members for the changes only; empty where the platform offers none. Known once
        the iteration has ended: before, RuntimeError."""
        return self._ended().differences_uri

    def __next__(self) -> Member:
        while not self._members:
            if self._error is not None:
                raise self._error
            if self._end is not None:
                raise StopIteration
            self._advance()
        return self._members.popleft()

    def close(self) -> None:
        """Ends the call where it still runs. A later iteration raises RosterIncomplete."""
        if self._end is None and self._error is None:
            self._error = RosterIncomplete("the roster was closed before its end", code="CANCELLED")
            self._members.clear()
        self._stream.cancel()

    def __enter__(self) -> Roster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ended(self) -> roster_service_pb2.RosterEnd:
        if self._end is None or self._members:
            raise RuntimeError("known only after the last member")
        return self._end

    def _advance(self) -> None:
        """Takes the next batch, or the end together with the status after it; else raises and remembers the error."""
        try:
            part = self._receive()
            while part is not None and part.WhichOneof("part") is None:
                part = self._receive()  # a part that only a later version knows
            if part is None:
                raise RosterIncomplete("the stream ended without the end of the roster")
            if part.HasField("end"):
                self._finish(part.end)
                return
            if part.batch.HasField("context"):
                context = part.batch.context
                self._context = RosterContext(id=context.id, label=context.label, title=context.title)
            self._received += len(part.batch.members)
            self._members.extend(member(message) for message in part.batch.members)
        except SidecarError as error:
            self._error = error
            self._stream.cancel()
            raise

    def _finish(self, end: roster_service_pb2.RosterEnd) -> None:
        if end.member_count != self._received:
            raise RosterIncomplete(f"{self._received} members came of {end.member_count}")
        if self._receive() is not None:
            raise RosterIncomplete("more followed the end of the roster")
        self._end = end

    def _receive(self) -> roster_service_pb2.ListMembersResponse | None:
        """Returns the next message, or None after the last one of a stream that ended well."""
        timer = threading.Timer(self._idle_timeout, self._expire)
        timer.daemon = True
        timer.start()
        try:
            return next(self._stream)
        except StopIteration:
            return None
        except grpc.RpcError as error:
            if self._expired:
                message = f"nothing came for {self._idle_timeout:g} seconds"
                raise Unavailable(message, code="DEADLINE_EXCEEDED") from error
            raise from_rpc_error(error) from error
        finally:
            timer.cancel()

    def _expire(self) -> None:
        self._expired = True
        self._stream.cancel()
