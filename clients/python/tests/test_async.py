# SPDX-License-Identifier: Apache-2.0
"""The client for event loops: the same calls as that for threads, awaited."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import grpc
import pytest
from scripted_sidecar import ScriptedSidecar, refuse
from test_grades import change
from test_roster import ENDPOINT, batch, end

from ltisidecar import (
    AcceptedLaunch,
    AsyncRoster,
    AsyncSidecar,
    BrowserRequest,
    Incomplete,
    LaunchRejected,
    PlatformError,
    Reason,
    RosterContext,
    Sidecar,
    Unavailable,
)
from ltisidecar.v1 import key_service_pb2, launch_pb2, launch_service_pb2

_Answer = TypeVar("_Answer")

STREAMS = {"list_members", "list_results", "watch_score_deliveries"}


@pytest.fixture
def server(grpc_server: ScriptedSidecar) -> ScriptedSidecar:
    return grpc_server


def run(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    return asyncio.run(work)


def calls(kind: type) -> dict[str, Any]:
    return {name: value for name, value in vars(kind).items() if not name.startswith("_")}


def test_both_clients_have_the_same_calls() -> None:
    threads, loops = calls(Sidecar), calls(AsyncSidecar)
    assert list(threads) == list(loops)
    assert len(threads) > 20
    for name, call in threads.items():
        theirs = loops[name]
        assert inspect.iscoroutinefunction(theirs) is (name not in STREAMS), name
        assert theirs.__doc__ == call.__doc__
        mine, other = inspect.signature(call), inspect.signature(theirs)
        assert mine.parameters == other.parameters
        if name not in STREAMS:
            assert mine.return_annotation == other.return_annotation


def test_a_launch(server: ScriptedSidecar) -> None:
    server.answer = lambda *_: launch_service_pb2.ValidateLaunchResponse(launch=launch_pb2.Launch(launch_id="l"))

    async def work() -> None:
        async with AsyncSidecar(server.address) as sidecar:
            outcome = await sidecar.validate_launch(BrowserRequest(method="POST"))
            assert isinstance(outcome, AcceptedLaunch)
            assert outcome.launch.launch_id == "l"
        with pytest.raises(RuntimeError, match="closed"):
            await sidecar.get_tool_key_set()

    run(work())
    assert server.deadlines[0] == pytest.approx(10, abs=1)


def test_an_error(server: ScriptedSidecar) -> None:
    server.answer = lambda _, context: refuse(context, grpc.StatusCode.PERMISSION_DENIED, "NONCE_REPLAYED")

    async def work() -> None:
        async with AsyncSidecar(server.address) as sidecar:
            with pytest.raises(LaunchRejected) as caught:
                await sidecar.check_launch_token("t")
            assert caught.value.reason is Reason.NONCE_REPLAYED
            server.stop()
            with pytest.raises(Unavailable) as gone:
                await sidecar.check_launch_token("t")
            assert gone.value.reason is None

    run(work())


def test_calls_run_at_the_same_time(server: ScriptedSidecar) -> None:
    together = threading.Barrier(3, timeout=30)

    def answer(*_: Any) -> key_service_pb2.GetToolKeySetResponse:
        together.wait()
        return key_service_pb2.GetToolKeySetResponse(jwks="{}")

    server.answer = answer

    async def work() -> None:
        async with AsyncSidecar(server.address) as sidecar:
            answers = await asyncio.gather(*(sidecar.get_tool_key_set() for _ in range(3)))
            assert [answer.jwks for answer in answers] == ["{}"] * 3

    run(work())


def test_each_event_loop_has_its_own_connection(server: ScriptedSidecar) -> None:
    server.answer = lambda *_: key_service_pb2.GetToolKeySetResponse(jwks="{}")
    sidecar = AsyncSidecar(server.address)
    for _ in range(3):
        assert run(sidecar.get_tool_key_set()).jwks == "{}"


def test_a_whole_roster(server: ScriptedSidecar) -> None:
    server.answer = lambda *_: [batch(0, 200, context=True), batch(200, 250), end(250, "https://lms.example/d")]

    async def work() -> None:
        async with AsyncSidecar(server.address) as sidecar, sidecar.list_members(ENDPOINT, role="Learner") as roster:
            assert roster.context == RosterContext("c", "BIO", "Bio")
            with pytest.raises(RuntimeError):
                roster.member_count  # noqa: B018
            assert [member.user_id async for member in roster] == [str(number) for number in range(250)]
            assert (roster.member_count, roster.differences_uri) == (250, "https://lms.example/d")

    run(work())
    assert server.requests[0].role == "Learner"


@pytest.mark.parametrize("parts", [[], [batch(0, 3)], [batch(0, 3), end(4)], [batch(0, 3), end(3), end(3)]])
def test_a_roster_that_is_not_whole_raises_each_time(server: ScriptedSidecar, parts: list[Any]) -> None:
    server.answer = lambda *_: parts

    async def work() -> None:
        async with AsyncSidecar(server.address) as sidecar:
            roster = sidecar.list_members(ENDPOINT)
            for _ in range(2):
                with pytest.raises(Incomplete):
                    [_ async for _ in roster]

    run(work())


def test_a_refusal_raises_at_once(server: ScriptedSidecar) -> None:
    server.answer = lambda _, context: refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "SERVICE_NOT_OFFERED")

    async def work() -> None:
        async with AsyncSidecar(server.address) as sidecar:
            with pytest.raises(PlatformError):
                async with sidecar.list_members(ENDPOINT):
                    pytest.fail("it was answered")

    run(work())


def test_a_roster_that_stops_coming_raises(server: ScriptedSidecar) -> None:
    ended = threading.Event()

    def answer(_: Any, context: Any) -> Iterator[Any]:
        context.add_callback(ended.set)
        yield batch(0, 1)
        ended.wait(30)

    server.answer = answer

    async def work() -> None:
        async with AsyncSidecar(server.address) as sidecar:
            roster: AsyncRoster = sidecar.list_members(ENDPOINT, idle_timeout=0.2)
            with pytest.raises(Unavailable, match=r"nothing came for 0\.2 seconds"):
                [_ async for _ in roster]

    run(work())
    assert ended.wait(10)


def test_a_cancelled_task_ends_the_call(server: ScriptedSidecar) -> None:
    begun, ended = threading.Event(), threading.Event()

    def answer(_: Any, context: Any) -> Iterator[Any]:
        context.add_callback(ended.set)
        yield change("c0")
        begun.set()
        ended.wait(30)

    server.answer = answer

    async def work() -> None:
        async with AsyncSidecar(server.address) as sidecar:

            async def watch() -> None:
                async with sidecar.watch_score_deliveries("canvas") as deliveries:
                    assert deliveries.cursor == "c0"
                    async for _ in deliveries:
                        pytest.fail("nothing came")

            task = asyncio.create_task(watch())
            await asyncio.to_thread(begun.wait, 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(work())
    assert ended.wait(10)


def test_a_watch_has_the_cursor_of_what_came_last(server: ScriptedSidecar) -> None:
    server.answer = lambda *_: [change("c0"), change("c1", delivery_id="1"), change("c2", delivery_id="2")]

    async def work() -> None:
        async with AsyncSidecar(server.address) as sidecar:
            watch = sidecar.watch_score_deliveries("canvas", cursor="stored")
            assert watch.cursor == "stored"
            seen = []
            with pytest.raises(Unavailable, match="watch again"):  # noqa: PT012
                async for delivery in watch:
                    seen.append((delivery.delivery_id, watch.cursor))
            assert seen == [("1", "c1"), ("2", "c2")]

    run(work())


def test_it_speaks_grpc_only() -> None:
    with pytest.raises(ValueError, match="AsyncSidecar speaks gRPC"):
        AsyncSidecar("http+unix:///run/ltisidecar/http.sock")
