# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from dataclasses import FrozenInstanceError, fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from scripted_sidecar import ScriptedSidecar

from ltisidecar import (
    AcceptedLaunch,
    ActivityProgress,
    AsyncSidecar,
    BrowserBinding,
    BrowserReply,
    BrowserRequest,
    DeliveryState,
    GradeEndpoint,
    GradingProgress,
    Launch,
    MessageType,
    Score,
    Sidecar,
    SidecarError,
    Unavailable,
)
from ltisidecar._grpc import GrpcTransport
from ltisidecar.v1 import (
    browser_pb2,
    endpoint_pb2,
    grade_service_pb2,
    key_service_pb2,
    launch_pb2,
    launch_service_pb2,
    token_service_pb2,
)

NOON = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=timezone.utc)
BROWSER = BrowserRequest(
    method="POST",
    parameters=(("state", "s"), ("id_token", "t"), ("x", "1"), ("x", "2")),
    cookie_header="a=1; b=2",
    origin="https://lms.example",
    sec_fetch_site="cross-site",
    sec_fetch_dest="iframe",
    sec_fetch_storage_access="none",
    csp_nonce="bm9uY2U=",
)


def timestamp(time: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(time)
    return message


def repeated(field: Any) -> bool:
    """Says whether a field repeats, also with the oldest protobuf that the package admits."""
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED)


def fill(message: Any, *, skip_oneof: bool = False, **values: Any) -> Any:
    """Sets every field of a message to something of its own, or to a value given; not those of a oneof where that is
    said."""
    for number, field in enumerate(message.DESCRIPTOR.fields, start=1):
        if field.name in values:
            setattr(message, field.name, values[field.name])
        elif skip_oneof and field.containing_oneof is not None:
            continue
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)["key"] = f"{field.name} value"
        elif field.message_type is not None and field.message_type.name == "Timestamp":
            getattr(message, field.name).CopyFrom(timestamp(NOON))
        elif field.message_type is not None and repeated(field):
            fill(getattr(message, field.name).add())
        elif field.message_type is not None:
            fill(getattr(message, field.name))
        elif repeated(field):
            getattr(message, field.name).extend([f"{field.name} 1", f"{field.name} 2"])
        elif field.enum_type is not None:
            setattr(message, field.name, 1)
        elif field.cpp_type == field.CPPTYPE_BOOL:
            setattr(message, field.name, True)
        elif field.cpp_type == field.CPPTYPE_DOUBLE:
            setattr(message, field.name, number + 0.5)
        elif field.cpp_type == field.CPPTYPE_INT32:
            setattr(message, field.name, number)
        elif field.cpp_type == field.CPPTYPE_INT64:
            setattr(message, field.name, number + 2**40)
        else:
            setattr(message, field.name, f"{message.DESCRIPTOR.name} {field.name}")
    return message


def same(value: Any, message: Any) -> None:
    """Fails unless each field of the message has the same value in the dataclass, and none is left over."""
    assert {field.name for field in fields(value)} == {field.name for field in message.DESCRIPTOR.fields}
    for field in message.DESCRIPTOR.fields:
        mine, theirs = getattr(value, field.name), getattr(message, field.name)
        if isinstance(mine, datetime):
            assert mine == theirs.ToDatetime(tzinfo=timezone.utc)
        elif hasattr(mine, "__dataclass_fields__"):
            same(mine, theirs)
        elif field.enum_type is not None:
            assert field.enum_type.values_by_number[theirs].name.endswith(f"_{mine.name}")
        elif field.message_type is not None and isinstance(mine, tuple):
            assert len(mine) == len(theirs) > 0
            for part, other in zip(mine, theirs, strict=True):
                same(part, other)
        elif isinstance(mine, tuple):
            assert mine == tuple(theirs)
        elif isinstance(mine, dict):
            assert mine == dict(theirs)
        else:
            assert mine == theirs
            assert mine, field.name


def accepted(sidecar: Sidecar, server: ScriptedSidecar, message: launch_pb2.Launch) -> Launch:
    server.answer = lambda *_: launch_service_pb2.ValidateLaunchResponse(launch=message)
    outcome = sidecar.validate_launch(BROWSER)
    assert isinstance(outcome, AcceptedLaunch)
    return outcome.launch


def test_build_auth_request(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    reply = browser_pb2.BrowserReply(
        status=302,
        headers=[browser_pb2.Header(name="Location", value="https://lms.example/auth")],
    )
    server.answer = lambda *_: launch_service_pb2.BuildAuthRequestResponse(
        reply=reply,
        authorization_uri="https://lms.example/auth",
        state="sealed",
        expire_time=timestamp(NOON),
        registration="canvas",
    )
    answer = sidecar.build_auth_request(BROWSER, launch_uri="https://tool.example/lti/launch", registration="canvas")
    assert answer.reply == BrowserReply(302, (("Location", "https://lms.example/auth"),), "")
    assert answer.authorization_uri == "https://lms.example/auth"
    assert (answer.state, answer.expire_time, answer.registration) == ("sealed", NOON, "canvas")
    (request,) = server.requests
    assert (request.launch_uri, request.registration) == ("https://tool.example/lti/launch", "canvas")
    assert [(p.name, p.value) for p in request.browser.parameters] == list(BROWSER.parameters)
    for name in {field.name for field in request.browser.DESCRIPTOR.fields} - {"parameters"}:
        assert getattr(request.browser, name) == getattr(BROWSER, name) != ""
    assert server.deadlines[0] == pytest.approx(5, abs=1)


def test_validate_launch_accepts(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    message = fill(launch_pb2.Launch())
    message.claims_json = '{"sub": "u"}'
    server.answer = lambda *_: launch_service_pb2.ValidateLaunchResponse(
        launch=message,
        headers=[
            browser_pb2.Header(name="Set-Cookie", value="a=; Max-Age=0"),
            browser_pb2.Header(name="Set-Cookie", value="b=; Max-Age=0"),
        ],
    )
    outcome = sidecar.validate_launch(
        BROWSER, launch_uri="https://tool.example/lti/launch", accept_message_types=[MessageType.RESOURCE_LINK]
    )
    assert isinstance(outcome, AcceptedLaunch)
    assert outcome.headers == (("Set-Cookie", "a=; Max-Age=0"), ("Set-Cookie", "b=; Max-Age=0"))
    same(outcome.launch, message)
    assert outcome.launch.claims() == {"sub": "u"}
    assert outcome.launch.message_type is MessageType.RESOURCE_LINK
    assert outcome.launch.browser_binding is BrowserBinding.COOKIE
    assert pickle.loads(pickle.dumps(outcome)) == outcome
    (request,) = server.requests
    assert request.launch_uri == "https://tool.example/lti/launch"
    assert list(request.accept_message_types) == [launch_pb2.MESSAGE_TYPE_RESOURCE_LINK]
    assert [(p.name, p.value) for p in request.browser.parameters] == list(BROWSER.parameters)
    assert server.deadlines[0] == pytest.approx(10, abs=1)


def test_a_launch_shows_no_secret_and_no_person(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    launch = accepted(sidecar, server, fill(launch_pb2.Launch()))
    assert launch.user is not None
    assert launch.user.id in repr(launch)
    for hidden in ("launch_token", "claims_json", " name value", "User name", "given_name", "family_name", "User email",
                   "picture", "custom", "person_sourcedid", "contact_email"):  # fmt: skip
        assert hidden not in repr(launch), hidden


def test_a_launch_cannot_be_changed(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    launch = accepted(sidecar, server, launch_pb2.Launch(launch_id="l"))
    with pytest.raises(FrozenInstanceError):
        launch.launch_id = "m"  # type: ignore[misc]


def test_what_did_not_come_is_none(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    launch = accepted(sidecar, server, launch_pb2.Launch(launch_id="l"))
    assert launch.user is None
    assert launch.context is None
    assert launch.resource_link is None
    assert launch.launch_presentation is None
    assert launch.tool_platform is None
    assert launch.lis is None
    assert launch.grades is None
    assert launch.memberships is None
    assert launch.launch_time is None
    assert launch.claims() == {}
    for name in (
        "deep_linking",
        "for_user",
        "proctoring",
        "activity",
        "submission",
        "asset_service",
        "asset_report_service",
        "eula_service",
        "notice_service",
        "migration",
    ):
        assert getattr(launch, name) is None


def test_enums_of_a_later_version(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    message = launch_pb2.Launch()
    message.message_type = message.browser_binding = 77  # type: ignore[assignment]
    launch = accepted(sidecar, server, message)
    assert launch.message_type is MessageType.UNSPECIFIED
    assert launch.browser_binding is BrowserBinding.UNSPECIFIED


def test_validate_launch_asks_for_a_step(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    step = browser_pb2.BrowserReply(status=200, body="<!doctype html>")
    server.answer = lambda *_: launch_service_pb2.ValidateLaunchResponse(browser_step=step)
    assert sidecar.validate_launch(BROWSER) == BrowserReply(200, (), "<!doctype html>")


def test_an_outcome_of_a_later_version_is_no_launch(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: launch_service_pb2.ValidateLaunchResponse()
    with pytest.raises(SidecarError, match="does not know"):
        sidecar.validate_launch(BROWSER)


def test_check_launch_token(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: launch_service_pb2.CheckLaunchTokenResponse(
        launch=launch_pb2.Launch(launch_id="l", launch_token="fresh"), expire_time=timestamp(NOON)
    )
    checked = sidecar.check_launch_token("old")
    assert (checked.launch.launch_id, checked.launch.launch_token, checked.expire_time) == ("l", "fresh", NOON)
    assert server.requests[0].launch_token == "old"


def test_get_service_token(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: token_service_pb2.GetServiceTokenResponse(
        access_token="secret", expire_time=timestamp(NOON), scopes=["a"], allowed_origins=["https://lms.example"]
    )
    token = sidecar.get_service_token("canvas", "1:d", ["a", "b"])
    assert (token.access_token, token.expire_time) == ("secret", NOON)
    assert (token.scopes, token.allowed_origins) == (("a",), ("https://lms.example",))
    assert "secret" not in repr(token) + str(token)
    (request,) = server.requests
    assert (request.registration, request.deployment_id, list(request.scopes)) == ("canvas", "1:d", ["a", "b"])


ENDPOINT = GradeEndpoint("canvas", "1:d", "https://lms.example/items/7", "https://lms.example/items", ("score",), True)


def test_post_score(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: grade_service_pb2.PostScoreResponse(
        delivery=grade_service_pb2.ScoreDelivery(
            state="DELIVERY_STATE_DELIVERED", sent_time=timestamp(NOON), result_uri="https://lms.example/results/1"
        )
    )
    score = Score(
        user_id="u",
        score_given=8,
        score_maximum=10,
        activity_progress=ActivityProgress.SUBMITTED,
        grading_progress=GradingProgress.PENDING_MANUAL,
        score_time=NOON.astimezone(timezone(timedelta(hours=5))),
        comment="well done",
        scoring_user_id="teacher",
    )
    delivery = sidecar.post_score(ENDPOINT, score)
    assert (delivery.state, delivery.sent_time) == (DeliveryState.DELIVERED, NOON)
    assert delivery.result_uri == "https://lms.example/results/1"
    (request,) = server.requests
    assert request.score == grade_service_pb2.Score(
        user_id="u",
        score_given=8,
        score_maximum=10,
        activity_progress="ACTIVITY_PROGRESS_SUBMITTED",
        grading_progress="GRADING_PROGRESS_PENDING_MANUAL",
        score_time=timestamp(NOON),
        comment="well done",
        scoring_user_id="teacher",
    )
    assert request.endpoint == endpoint_pb2.GradeEndpoint(
        registration="canvas",
        deployment_id="1:d",
        line_item_uri="https://lms.example/items/7",
        line_items_uri="https://lms.example/items",
        scopes=["score"],
        can_post_score=True,
    )


def test_a_score_without_a_number_clears(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: grade_service_pb2.PostScoreResponse()
    delivery = sidecar.post_score(ENDPOINT, Score("u", None))
    score = server.requests[0].score
    assert not score.HasField("score_given")
    assert not score.HasField("score_maximum")
    assert score.activity_progress == grade_service_pb2.ACTIVITY_PROGRESS_COMPLETED
    assert score.grading_progress == grade_service_pb2.GRADING_PROGRESS_FULLY_GRADED
    assert delivery.state is DeliveryState.QUEUED  # as for any state that this client does not know


def test_a_score_of_zero_is_sent(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: grade_service_pb2.PostScoreResponse()
    sidecar.post_score(ENDPOINT, Score("u", 0, 10))
    assert server.requests[0].score.HasField("score_given")


def test_a_score_keeps_its_time(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: grade_service_pb2.PostScoreResponse()
    score = Score("u", 8, 10)
    sidecar.post_score(ENDPOINT, score)
    sidecar.post_score(ENDPOINT, score)
    first, second = server.requests
    assert first.score.score_time == second.score.score_time == timestamp(score.score_time)
    with pytest.raises(ValueError, match="time zone"):
        Score("u", 8, 10, score_time=datetime(2026, 11, 23))


def test_get_tool_key_set(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: key_service_pb2.GetToolKeySetResponse(
        jwks='{"keys": []}', content_type="application/json", cache_lifetime=Duration(seconds=600)
    )
    key_set = sidecar.get_tool_key_set()
    assert key_set.jwks == '{"keys": []}'
    assert (key_set.content_type, key_set.cache_lifetime) == ("application/json", timedelta(minutes=10))


def test_timeouts(server: ScriptedSidecar) -> None:
    server.answer = lambda *_: key_service_pb2.GetToolKeySetResponse()
    with Sidecar(server.address, timeout=40) as sidecar:
        sidecar.get_tool_key_set()
        sidecar.get_tool_key_set(timeout=20)
    assert server.deadlines == [pytest.approx(40, abs=1), pytest.approx(20, abs=1)]
    with pytest.raises(ValueError, match="above 0"):
        Sidecar(server.address, timeout=0)


def test_the_address_of_the_environment(server: ScriptedSidecar, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer = lambda *_: key_service_pb2.GetToolKeySetResponse(jwks="{}")
    monkeypatch.setenv("LTISIDECAR_ADDRESS", server.address)
    with Sidecar() as sidecar:
        assert sidecar.get_tool_key_set().jwks == "{}"
    monkeypatch.delenv("LTISIDECAR_ADDRESS")
    assert repr(Sidecar()) == "Sidecar('http+unix:///run/ltisidecar/sidecar-json.sock')"
    assert repr(AsyncSidecar()) == "AsyncSidecar('unix:///run/ltisidecar/sidecar.sock')"


@pytest.mark.parametrize(
    "address", ["localhost:50051", "127.0.0.1:50051", "127.1.2.3:1", "[::1]:50051", "unix:/tmp/s", "unix-abstract:s"]
)
def test_addresses_on_this_machine(address: str) -> None:
    Sidecar(address)


@pytest.mark.parametrize(
    "address", ["sidecar:50051", "10.0.0.1:50051", "0.0.0.0:1", "[2001:db8::1]:1", "localhost.x:1"]
)
def test_addresses_elsewhere_need_credentials(address: str) -> None:
    with pytest.raises(ValueError, match="give credentials"):
        Sidecar(address)
    Sidecar(address, credentials=grpc.ssl_channel_credentials())


@pytest.mark.parametrize("address", ["/run/sidecar.sock", "localhost", ":50051", "ftp://localhost:1", "localhost:"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="unix:///path or host:port"):
        Sidecar(address, credentials=grpc.ssl_channel_credentials())


def test_a_closed_client_does_not_call(server: ScriptedSidecar) -> None:
    sidecar = Sidecar(server.address)
    sidecar.close()
    sidecar.close()
    with pytest.raises(RuntimeError, match="closed"):
        sidecar.get_tool_key_set()
    assert server.requests == []


def test_threads_share_one_connection(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    together = threading.Barrier(3, timeout=30)

    def answer(*_: Any) -> key_service_pb2.GetToolKeySetResponse:
        together.wait()
        return key_service_pb2.GetToolKeySetResponse(jwks="{}")

    server.answer = answer
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(sidecar.get_tool_key_set().jwks)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["{}"] * 3


def test_a_sidecar_that_restarts_is_found_again(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: key_service_pb2.GetToolKeySetResponse(jwks="{}")
    assert sidecar.get_tool_key_set().jwks == "{}"
    server.stop()
    with pytest.raises(Unavailable):
        sidecar.get_tool_key_set()
    server.start()
    connection = sidecar._connection()
    if isinstance(connection, GrpcTransport):
        grpc.channel_ready_future(connection.channel).result(timeout=10)
    assert sidecar.get_tool_key_set().jwks == "{}"


FORKING = """
import os, sys
from ltisidecar import Sidecar
sidecar = Sidecar(sys.argv[1])
print("parent", sidecar.get_tool_key_set().jwks, flush=True)
child = os.fork()
if child == 0:
    print("child", sidecar.get_tool_key_set().jwks, flush=True)
    os._exit(0)
print("exit", os.waitpid(child, 0)[1], flush=True)
print("parent", sidecar.get_tool_key_set().jwks, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_its_own_connection(server: ScriptedSidecar) -> None:
    server.answer = lambda *_: key_service_pb2.GetToolKeySetResponse(jwks="{}")
    run = subprocess.run(
        [sys.executable, "-c", FORKING, server.address], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stdout.splitlines() == ["parent {}", "child {}", "exit 0", "parent {}"], run.stderr


def test_nothing_but_one_package_is_installed() -> None:
    import ltisidecar

    directory = Path(ltisidecar.__file__).parent
    for path in directory.glob("v1/*_pb2*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(("import ", "from ")):
                assert line.split()[1].split(".")[0] in ("google", "grpc", "warnings", "ltisidecar"), line
    assert (directory / "py.typed").exists()
