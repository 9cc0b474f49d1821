# SPDX-License-Identifier: Apache-2.0
"""Lists that arrive in parts, and that are whole or an error."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from ltisidecar._error import Incomplete, SidecarError
from ltisidecar._transport import MessageStream

_Item = TypeVar("_Item")
_SyncSelf = TypeVar("_SyncSelf", bound="Stream[Any]")
_AsyncSelf = TypeVar("_AsyncSelf", bound="AsyncStream[Any]")


class Parts(Generic[_Item]):
    """What has come of a stream. It does no I/O: threads and event loops feed it alike."""

    what = "list"
    """What it is called in errors."""
    endless = False
    """Closing it is its proper end."""

    def __init__(self) -> None:
        self.items: deque[_Item] = deque()
        self.ended = False

    def take(self, message: Any) -> None:
        """Takes the next message. Raises Incomplete where it does not belong there."""
        raise NotImplementedError

    def end(self) -> None:
        """Takes the end of a stream that ended well. Raises where the list is not whole."""
        self.ended = True


class CountedParts(Parts[_Item]):
    """Parts whose last message says how many items there are."""

    def __init__(self) -> None:
        super().__init__()
        self._received = 0
        self._last: Any = None

    def take(self, message: Any) -> None:
        if self._last is not None:
            raise Incomplete(f"more followed the end of the {self.what}")
        kind = message.WhichOneof("part")  # None is a part that only a later version knows
        if kind == "batch":
            before = len(self.items)
            self.items.extend(self.batch(message.batch))
            self._received += len(self.items) - before
        elif kind == "end":
            count = self.count(message.end)
            if count != self._received:
                raise Incomplete(f"{self._received} entries of the {self.what} came of {count}")
            self._last = message.end

    def end(self) -> None:
        if self._last is None:
            raise Incomplete(f"the stream ended without the end of the {self.what}")
        super().end()

    def batch(self, message: Any) -> Iterator[_Item]:
        raise NotImplementedError

    def count(self, end: Any) -> int:
        raise NotImplementedError

    def last(self) -> Any:
        """Returns the last message. Before the whole list has been handed out: RuntimeError."""
        if not self.ended or self.items:
            raise RuntimeError("known only after the last entry")
        return self._last


class AsyncMessageStream(Protocol):
    async def receive(self) -> Any: ...
    def cancel(self) -> None: ...


class Stream(Iterator[_Item]):
    """Iterates over what a call streams. Use it up, or close it; one thread at a time.

    An iteration that failed raises again where it is asked again.
    """

    def __init__(self, messages: MessageStream, parts: Parts[_Item]) -> None:
        """Waits for the first message, so that a refusal is raised at once."""
        self._messages = messages
        self._parts = parts
        self._error: SidecarError | None = None
        self._advance()

    def __next__(self) -> _Item:
        while not self._parts.items:
            if self._error is not None:
                raise self._error
            if self._parts.ended:
                raise StopIteration
            self._advance()
        return self._parts.items.popleft()

    def close(self) -> None:
        """Ends the call where it still runs. A later iteration raises Incomplete, but that of a watch ends."""
        if not self._parts.ended and self._error is None:
            self._error = _closed(self._parts)
        self._messages.cancel()

    def __enter__(self: _SyncSelf) -> _SyncSelf:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _advance(self) -> None:
        try:
            _feed(self._parts, self._messages.receive())
        except SidecarError as error:
            self._messages.cancel()
            if self._parts.ended:
                return  # a watch that was closed meanwhile
            if self._error is not None:  # closed meanwhile
                raise self._error from error
            self._error = error
            raise


class AsyncStream(AsyncIterator[_Item]):
    """Iterates over what a call streams, with `async for`. Use it up, or close it; one task at a time.

    `async with` waits for the first message, so that a refusal is raised at once. An iteration that failed raises
    again where it is asked again.
    """

    def __init__(self, messages: AsyncMessageStream, parts: Parts[_Item]) -> None:
        self._messages = messages
        self._parts = parts
        self._error: SidecarError | None = None

    async def __anext__(self) -> _Item:
        while not self._parts.items:
            if self._error is not None:
                raise self._error
            if self._parts.ended:
                raise StopAsyncIteration
            await self._advance()
        return self._parts.items.popleft()

    def close(self) -> None:
        """Ends the call where it still runs. A later iteration raises Incomplete, but that of a watch ends."""
        if not self._parts.ended and self._error is None:
            self._error = _closed(self._parts)
        self._messages.cancel()

    async def __aenter__(self: _AsyncSelf) -> _AsyncSelf:
        await self._advance()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _advance(self) -> None:
        try:
            _feed(self._parts, await self._messages.receive())
        except SidecarError as error:
            self._messages.cancel()
            if self._parts.ended:
                return  # a watch that was closed meanwhile
            if self._error is not None:  # closed meanwhile
                raise self._error from error
            self._error = error
            raise


def _feed(parts: Parts[Any], message: Any) -> None:
    if message is None:
        parts.end()
    else:
        parts.take(message)


def _closed(parts: Parts[Any]) -> SidecarError | None:
    parts.items.clear()
    if parts.endless:
        parts.ended = True
        return None
    return Incomplete(f"the {parts.what} was closed before its end", code="CANCELLED")
