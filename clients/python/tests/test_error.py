# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
import threading
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from scripted_sidecar import ScriptedSidecar, refuse

from ltisidecar import (
    BrowserReply,
    BrowserRequest,
    InvalidRequest,
    LaunchRejected,
    LimitReached,
    PlatformError,
    Reason,
    Sidecar,
    SidecarError,
    Unavailable,
)
from ltisidecar.v1 import browser_pb2

POST = BrowserRequest(method="POST")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequest),
        (grpc.StatusCode.PERMISSION_DENIED, LaunchRejected),
        (grpc.StatusCode.FAILED_PRECONDITION, PlatformError),
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Unavailable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, LimitReached),
        (grpc.StatusCode.INTERNAL, SidecarError),
        (grpc.StatusCode.UNAUTHENTICATED, SidecarError),
        (grpc.StatusCode.UNIMPLEMENTED, SidecarError),
    ],
)
def test_each_code_has_its_exception_and_is_sent_once(
    server: ScriptedSidecar, sidecar: Sidecar, code: grpc.StatusCode, kind: type[SidecarError]
) -> None:
    server.answer = lambda _, context: refuse(context, code, "INTERNAL")
    with pytest.raises(SidecarError) as caught:
        sidecar.validate_launch(POST)
    assert type(caught.value) is kind
    assert caught.value.code == code.name
    assert len(server.requests) == 1


def test_details_are_decoded(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    page = browser_pb2.BrowserReply(
        status=403,
        headers=[
            browser_pb2.Header(name="Set-Cookie", value="a=1"),
            browser_pb2.Header(name="Set-Cookie", value="b=2"),
        ],
        body="x" * 30_000,
    )
    wait = RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000))
    metadata = {"launch_id": "0a" * 16, "first_used_time": "2026-11-23T10:00:00Z", "request_id": "9f"}
    server.answer = lambda _, context: refuse(
        context, grpc.StatusCode.PERMISSION_DENIED, "NONCE_REPLAYED", page, wait, metadata=metadata
    )
    with pytest.raises(LaunchRejected) as caught:
        sidecar.validate_launch(POST)
    error = caught.value
    assert error.reason is Reason.NONCE_REPLAYED
    assert error.message == "what was compared"
    assert error.metadata == metadata
    assert error.launch_id == "0a" * 16
    assert error.request_id == "9f"
    assert error.retry_after == 1.5
    assert error.reply == BrowserReply(403, (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")), "x" * 30_000)
    assert str(error) == "NONCE_REPLAYED: what was compared"

    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is LaunchRejected
    assert vars(copy) == vars(error)


def test_a_reason_of_a_later_version_is_kept(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda _, context: refuse(context, grpc.StatusCode.PERMISSION_DENIED, "OF_A_LATER_VERSION")
    with pytest.raises(LaunchRejected) as caught:
        sidecar.validate_launch(POST)
    assert caught.value.reason == "OF_A_LATER_VERSION"
    assert caught.value.launch_id == caught.value.request_id == ""


def test_a_reason_of_another_domain_is_not_ours(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda _, context: refuse(
        context,
        grpc.StatusCode.PERMISSION_DENIED,
        "NONCE_REPLAYED",
        domain="proxy.example",
        metadata={"launch_id": "x"},
    )
    with pytest.raises(LaunchRejected) as caught:
        sidecar.validate_launch(POST)
    assert caught.value.reason is None
    assert caught.value.metadata == {}


def test_details_that_are_no_status_do_not_hide_the_error(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    def answer(_: object, context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff"),))
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "refused")

    server.answer = answer
    with pytest.raises(LaunchRejected) as caught:
        sidecar.validate_launch(POST)
    assert caught.value.reason is None
    assert str(caught.value) == "PERMISSION_DENIED: refused"


def test_no_sidecar_is_unavailable_without_a_reason(socket_directory: Path) -> None:
    with Sidecar(f"unix://{socket_directory}/none.sock") as sidecar, pytest.raises(Unavailable) as caught:
        sidecar.get_tool_key_set()
    assert caught.value.code == "UNAVAILABLE"
    assert caught.value.reason is None
    assert caught.value.reply is None


def test_a_slow_sidecar_is_unavailable(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    release = threading.Event()
    server.answer = lambda *_: release.wait(30)
    with pytest.raises(Unavailable) as caught:
        sidecar.get_tool_key_set(timeout=0.05)
    release.set()
    assert caught.value.code == "DEADLINE_EXCEEDED"
    assert caught.value.reason is None
