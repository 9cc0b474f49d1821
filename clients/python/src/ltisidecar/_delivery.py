# SPDX-License-Identifier: Apache-2.0
"""Results and score deliveries as they stream in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ltisidecar import _convert_grade
from ltisidecar._error import Unavailable
from ltisidecar._grade import Result, ScoreDelivery
from ltisidecar._stream import AsyncStream, CountedParts, Parts, Stream


class ResultParts(CountedParts[Result]):
    what = "list of results"

    def batch(self, message: Any) -> Iterator[Result]:
        return map(_convert_grade.result, message.results)

    def count(self, end: Any) -> int:
        return int(end.result_count)


class WatchParts(Parts[ScoreDelivery]):
    what = "watch"
    endless = True

    def __init__(self, cursor: str) -> None:
        super().__init__()
        self.cursor = cursor

    def take(self, message: Any) -> None:
        # One delivery a message, which is handed out before the next message is taken: the cursor is that of the
        # delivery handed out last.
        self.cursor = message.cursor
        if message.HasField("delivery"):
            self.items.append(_convert_grade.score_delivery(message.delivery))

    def end(self) -> None:
        raise Unavailable("the sidecar ended the watch: watch again from the last cursor", code="UNAVAILABLE")


class Results(Stream[Result]):
    """Iterates over the results of a line item. Use it up, or close it; one thread at a time.

    The iteration ends only where the results are whole: anything else raises, and raises again where it is asked again.
    """


class AsyncResults(AsyncStream[Result]):
    """Iterates over the results of a line item, with `async for`. Use it up, or close it; one task at a time.

    The iteration ends only where the results are whole: anything else raises, and raises again where it is asked again.
    """


class _Cursor:
    _parts: WatchParts

    @property
    def cursor(self) -> str:
        """Where a later watch goes on: after the delivery that came last."""
        return self._parts.cursor


class ScoreDeliveryWatch(_Cursor, Stream[ScoreDelivery]):
    """Iterates over deliveries as they change, until it is closed, from any thread, or fails.

    Handle a delivery, then store `cursor`.
    """

    _parts: WatchParts


class AsyncScoreDeliveryWatch(_Cursor, AsyncStream[ScoreDelivery]):
    """Iterates over deliveries as they change, with `async for`, until it is closed or fails.

    Handle a delivery, then store `cursor`. `async with` waits until the watch has begun.
    """

    _parts: WatchParts
