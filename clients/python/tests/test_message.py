# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import grpc
import pytest
from scripted_sidecar import ScriptedSidecar, refuse
from test_sidecar import BROWSER, accepted, fill, same

from ltisidecar import (
    BrowserReply,
    LaunchRejected,
    MessageType,
    Notice,
    NoticeRefusal,
    Reason,
    Sidecar,
    SidecarError,
    StartAssessment,
    VerifiedUser,
)
from ltisidecar.v1 import browser_pb2, launch_message_pb2, launch_pb2, launch_service_pb2, notice_pb2


def test_every_message_type_has_a_name(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    names = {name.removeprefix("MESSAGE_TYPE_") for name in launch_pb2.MessageType.DESCRIPTOR.values_by_name}
    assert names == {kind.name for kind in MessageType}
    server.answer = lambda *_: launch_service_pb2.ValidateLaunchResponse(launch=launch_pb2.Launch(launch_id="l"))
    kinds = [kind for kind in MessageType if kind is not MessageType.UNSPECIFIED]
    sidecar.validate_launch(BROWSER, accept_message_types=kinds)
    assert list(server.requests[0].accept_message_types) == [
        launch_pb2.MessageType.Value(f"MESSAGE_TYPE_{kind.name}") for kind in kinds
    ]


def test_what_a_platform_did_not_say_is_none(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    settings = launch_message_pb2.DeepLinkingSettings(return_uri="https://lms.example/", accept_line_item=False)
    launch = accepted(sidecar, server, launch_pb2.Launch(launch_id="l", deep_linking=settings))
    assert launch.deep_linking is not None
    assert launch.deep_linking.accept_multiple is None
    assert launch.deep_linking.accept_line_item is False


def test_a_printed_launch_tells_nobody(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    message = fill(launch_pb2.Launch())
    printed = repr(accepted(sidecar, server, message))
    for secret in (
        message.proctoring.proctoring_token,
        message.for_user.name,
        message.for_user.given_name,
        message.for_user.family_name,
        message.for_user.email,
        message.for_user.person_sourcedid,
    ):
        assert secret not in printed
    assert message.for_user.id in printed


def test_build_start_assessment(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: launch_service_pb2.BuildStartAssessmentResponse(
        reply=browser_pb2.BrowserReply(status=200, body="<!doctype html>"),
        start_assessment_uri="https://lms.example/start",
        jwt="a.b.c",
    )
    user = VerifiedUser("Ada", "K", "Lovelace", "Ada K Lovelace", "https://x/p")
    answer = sidecar.build_start_assessment(
        "sealed", end_assessment_return=True, verified_user=user, csp_nonce="bm9u", timeout=3
    )
    assert answer == StartAssessment(BrowserReply(200, (), "<!doctype html>"), "https://lms.example/start", "a.b.c")
    assert "a.b.c" not in repr(answer)
    assert "Ada" not in repr(user)
    request = server.requests[0]
    assert (request.proctoring_token, request.end_assessment_return, request.csp_nonce) == ("sealed", True, "bm9u")
    same(user, request.verified_user)
    deadline = server.deadlines[0]
    assert deadline is not None
    assert 1 < deadline < 4  # gRPC rounds it up
    sidecar.build_start_assessment("sealed")
    assert not server.requests[1].HasField("verified_user")

    def refusal(_: object, context: grpc.ServicerContext) -> None:
        refuse(context, grpc.StatusCode.PERMISSION_DENIED, "LAUNCH_TOKEN_EXPIRED")

    server.answer = refusal
    with pytest.raises(LaunchRejected) as caught:
        sidecar.build_start_assessment("sealed")
    assert caught.value.reason is Reason.LAUNCH_TOKEN_EXPIRED


def test_validate_notices(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    notice = fill(notice_pb2.Notice())
    notice.claims_json = '{"iss": "x"}'
    refusals = [
        notice_pb2.NoticeRefusal(reason="KID_UNKNOWN", message="m", metadata={"kid": "k"}),
        notice_pb2.NoticeRefusal(reason="OF_A_LATER_VERSION"),
    ]
    server.answer = lambda *_: launch_service_pb2.ValidateNoticesResponse(
        results=[
            notice_pb2.NoticeResult(notice=notice),
            notice_pb2.NoticeResult(refusal=refusals[0]),
            notice_pb2.NoticeResult(refusal=refusals[1]),
            notice_pb2.NoticeResult(notice=notice_pb2.Notice(id="bare")),
        ]
    )
    first, second, third, bare = sidecar.validate_notices(b'{"notices": []}')
    assert server.requests[0].body == b'{"notices": []}'
    assert isinstance(first, Notice)
    same(first, notice)
    assert first.claims() == {"iss": "x"}
    assert second == NoticeRefusal(Reason.KID_UNKNOWN, "m", {"kid": "k"})
    assert isinstance(third, NoticeRefusal)
    assert third.reason == "OF_A_LATER_VERSION"
    assert isinstance(bare, Notice)
    assert (bare.user, bare.context, bare.notice_time, bare.asset_service, bare.claims()) == (
        None,
        None,
        None,
        None,
        {},
    )


def test_a_result_of_a_later_version_is_no_notice(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: launch_service_pb2.ValidateNoticesResponse(results=[notice_pb2.NoticeResult()])
    with pytest.raises(SidecarError, match="does not know"):
        sidecar.validate_notices(b"{}")
