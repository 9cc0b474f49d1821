# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from scripted_sidecar import ScriptedSidecar, refuse

from ltisidecar import (
    Incomplete,
    Member,
    MembershipEndpoint,
    MemberStatus,
    PlatformError,
    Reason,
    RosterContext,
    Sidecar,
    Unavailable,
)
from ltisidecar.v1 import roster_service_pb2 as pb

ENDPOINT = MembershipEndpoint("canvas", "1:d", "https://lms.example/names_and_roles", ("2.0",))


def batch(first: int, last: int, context: bool = False) -> pb.ListMembersResponse:
    members = [
        pb.Member(user_id=str(number), user_key=f"k{number}", status="MEMBER_STATUS_ACTIVE")
        for number in range(first, last)
    ]
    return pb.ListMembersResponse(
        batch=pb.MemberBatch(
            members=members, context=pb.RosterContext(id="c", label="BIO", title="Bio") if context else None
        )
    )


def end(count: int, differences_uri: str = "") -> pb.ListMembersResponse:
    return pb.ListMembersResponse(end=pb.RosterEnd(member_count=count, differences_uri=differences_uri))


def test_a_whole_roster(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    uri = "https://lms.example/names_and_roles?since=1"
    server.answer = lambda *_: [batch(0, 200, context=True), batch(200, 250), end(250, uri)]
    roster = sidecar.list_members(
        ENDPOINT, role="Learner", resource_link_id="r", page_size_hint=50, differences_uri="https://lms.example/d"
    )
    assert roster.context == RosterContext("c", "BIO", "Bio")
    with pytest.raises(RuntimeError, match="after the last entry"):
        roster.member_count  # noqa: B018
    members = list(roster)
    assert [member.user_id for member in members] == [str(number) for number in range(250)]
    assert roster.member_count == 250
    assert roster.differences_uri == uri
    assert list(roster) == []
    (request,) = server.requests
    assert request.endpoint.registration == "canvas"
    assert request.endpoint.deployment_id == "1:d"
    assert request.endpoint.context_memberships_uri == "https://lms.example/names_and_roles"
    assert list(request.endpoint.service_versions) == ["2.0"]
    assert (request.role, request.resource_link_id, request.page_size_hint) == ("Learner", "r", 50)
    assert request.differences_uri == "https://lms.example/d"
    (deadline,) = server.deadlines
    assert deadline is None or deadline > 1e9  # none at all: only each wait is limited


def test_every_field_of_a_member(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    texts = {
        name: f"the {name}"
        for name in (
            "user_key", "user_id", "name", "given_name", "family_name", "middle_name", "email", "picture",
            "person_sourcedid", "lti11_legacy_user_id", "message_json",
        )
    }  # fmt: skip
    assert {*texts, "status", "roles", "group_ids"} == {field.name for field in pb.Member.DESCRIPTOR.fields}
    message = pb.Member(status="MEMBER_STATUS_INACTIVE", roles=["a", "b"], group_ids=["g"], **texts)
    server.answer = lambda *_: [pb.ListMembersResponse(batch=pb.MemberBatch(members=[message])), end(1)]
    roster = sidecar.list_members(ENDPOINT)
    assert roster.context is None
    (member,) = roster
    assert member == Member(status=MemberStatus.INACTIVE, roles=("a", "b"), group_ids=("g",), **texts)
    shown = repr(member)
    assert "the user_id" in shown
    assert not [name for name, text in texts.items() if name not in ("user_key", "user_id") and text in shown]


def test_a_status_of_a_later_version(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    message = pb.Member(user_id="1")
    message.status = 77  # type: ignore[assignment]
    server.answer = lambda *_: [pb.ListMembersResponse(batch=pb.MemberBatch(members=[message])), end(1)]
    assert [member.status for member in sidecar.list_members(ENDPOINT)] == [MemberStatus.UNSPECIFIED]


def test_an_empty_roster(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: [batch(0, 0, context=True), pb.ListMembersResponse(), end(0)]
    roster = sidecar.list_members(ENDPOINT)
    assert list(roster) == []
    assert roster.member_count == 0
    assert roster.differences_uri == ""


@pytest.mark.parametrize(
    "parts",
    [
        [batch(0, 3)],
        [batch(0, 3), end(4)],
        [batch(0, 3), end(2)],
        [batch(0, 3), end(3), batch(3, 4)],
        [batch(0, 3), end(3), end(3)],
    ],
)
def test_a_roster_that_is_not_whole_raises_each_time(
    server: ScriptedSidecar, sidecar: Sidecar, parts: list[pb.ListMembersResponse]
) -> None:
    server.answer = lambda *_: parts
    roster = sidecar.list_members(ENDPOINT)
    for _ in range(2):
        with pytest.raises(Incomplete):
            list(roster)
    with pytest.raises(RuntimeError):
        roster.member_count  # noqa: B018


def test_a_stream_without_anything_raises_at_once(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: []
    with pytest.raises(Incomplete):
        sidecar.list_members(ENDPOINT)


def test_a_refusal_raises_at_once(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda _, context: refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "SERVICE_NOT_OFFERED")
    with pytest.raises(PlatformError) as caught:
        sidecar.list_members(ENDPOINT)
    assert caught.value.reason is Reason.SERVICE_NOT_OFFERED


@pytest.mark.parametrize("parts", [[batch(0, 3)], [batch(0, 3), end(3)]])
def test_a_failing_page_raises_after_the_members_before_it(
    server: ScriptedSidecar, sidecar: Sidecar, parts: list[pb.ListMembersResponse]
) -> None:
    def answer(_: Any, context: grpc.ServicerContext) -> Iterator[pb.ListMembersResponse]:
        yield from parts
        refuse(context, grpc.StatusCode.UNAVAILABLE, "PLATFORM_UNREACHABLE")

    server.answer = answer
    roster = sidecar.list_members(ENDPOINT)
    assert [next(roster).user_id for _ in range(3)] == ["0", "1", "2"]
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            next(roster)
        assert caught.value.reason is Reason.PLATFORM_UNREACHABLE


def test_a_roster_that_stops_coming_raises(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    ended = threading.Event()

    def answer(_: Any, context: grpc.ServicerContext) -> Iterator[pb.ListMembersResponse]:
        context.add_callback(ended.set)
        yield batch(0, 1)
        ended.wait(30)

    server.answer = answer
    roster = sidecar.list_members(ENDPOINT, idle_timeout=0.2)
    with pytest.raises(Unavailable, match=r"nothing came for 0\.2 seconds") as caught:
        list(roster)
    assert caught.value.code == "DEADLINE_EXCEEDED"
    assert ended.wait(10)


def test_closing_ends_the_call(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    ended = threading.Event()

    def answer(_: Any, context: grpc.ServicerContext) -> Iterator[pb.ListMembersResponse]:
        context.add_callback(ended.set)
        yield batch(0, 2)
        ended.wait(30)

    server.answer = answer
    with sidecar.list_members(ENDPOINT) as roster:
        assert next(roster).user_id == "0"
    assert ended.wait(10)
    with pytest.raises(Incomplete, match="closed"):
        next(roster)
