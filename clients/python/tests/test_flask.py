# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import grpc
import pytest
from flask import Flask, redirect
from flask.typing import ResponseReturnValue
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from scripted_sidecar import ScriptedSidecar, refuse

from ltisidecar import Launch, MessageType, Reason, Sidecar, SidecarError
from ltisidecar._web import MAX_REQUEST_BYTES
from ltisidecar.flask import LTIBlueprint, error_response
from ltisidecar.v1 import browser_pb2, key_service_pb2, launch_pb2, launch_service_pb2

LAUNCH_URI = "https://tool.example/lti/launch"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def launches() -> list[Launch]:
    return []


@pytest.fixture
def lti(sidecar: Sidecar, launches: list[Launch]) -> LTIBlueprint:
    lti = LTIBlueprint(
        sidecar,
        launch_uri=LAUNCH_URI,
        registration="canvas",
        accept_message_types=[MessageType.RESOURCE_LINK],
        csp_nonce=lambda: "bm9uY2U=",
    )

    @lti.on_launch
    def launched(launch: Launch) -> ResponseReturnValue:
        launches.append(launch)
        return redirect("/home", 303)

    return lti


@pytest.fixture
def app(lti: LTIBlueprint) -> Flask:
    app = Flask(__name__)
    app.register_blueprint(lti)
    return app


def header(name: str, value: str) -> browser_pb2.Header:
    return browser_pb2.Header(name=name, value=value)


def test_login_relays_what_the_browser_sent(server: ScriptedSidecar, app: Flask) -> None:
    server.answer = lambda *_: launch_service_pb2.BuildAuthRequestResponse(
        reply=browser_pb2.BrowserReply(
            status=302,
            headers=[
                header("Location", "https://lms.example/auth?a=1&b=%20"),
                header("Set-Cookie", "__Host-lti-1=x; Path=/; Secure; HttpOnly; SameSite=None"),
                header("Set-Cookie", "__Host-ltip-1=x; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"),
                header("Cache-Control", "no-store"),
            ],
        )
    )
    answer = app.test_client(use_cookies=False).post(
        "/lti/login?iss=https%3A%2F%2Flms.example&x=1&x=2&empty=",
        data="login_hint=a+b%C3%A9&x=3",
        content_type=FORM,
        headers={
            "Cookie": "a=1; __Host-lti-0=y",
            "Origin": "https://lms.example",
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Dest": "iframe",
            "Sec-Fetch-Storage-Access": "none",
        },
    )
    assert answer.status_code == 302
    assert answer.data == b""
    assert [pair for pair in answer.headers if pair[0] != "Content-Length"] == [
        ("Location", "https://lms.example/auth?a=1&b=%20"),
        ("Set-Cookie", "__Host-lti-1=x; Path=/; Secure; HttpOnly; SameSite=None"),
        ("Set-Cookie", "__Host-ltip-1=x; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"),
        ("Cache-Control", "no-store"),
    ]
    (request,) = server.requests
    assert (request.launch_uri, request.registration) == (LAUNCH_URI, "canvas")
    assert [(p.name, p.value) for p in request.browser.parameters] == [
        ("iss", "https://lms.example"),
        ("x", "1"),
        ("x", "2"),
        ("empty", ""),
        ("login_hint", "a bé"),
        ("x", "3"),
    ]
    browser = request.browser
    assert (browser.method, browser.cookie_header) == ("POST", "a=1; __Host-lti-0=y")
    assert (browser.origin, browser.sec_fetch_site) == ("https://lms.example", "cross-site")
    assert (browser.sec_fetch_dest, browser.sec_fetch_storage_access) == ("iframe", "none")
    assert browser.csp_nonce == "bm9uY2U="


def test_login_by_get(server: ScriptedSidecar, app: Flask) -> None:
    page = "<!doctype html><title>é</title>"
    server.answer = lambda *_: launch_service_pb2.BuildAuthRequestResponse(
        reply=browser_pb2.BrowserReply(
            status=200, headers=[header("Content-Type", "text/html; charset=utf-8")], body=page
        )
    )
    answer = app.test_client().get("/lti/login?iss=i")
    assert (answer.status_code, answer.text) == (200, page)
    assert answer.headers.getlist("Content-Type") == ["text/html; charset=utf-8"]
    assert server.requests[0].browser.method == "GET"


def test_a_launch_is_handed_over(server: ScriptedSidecar, app: Flask, launches: list[Launch]) -> None:
    server.answer = lambda *_: launch_service_pb2.ValidateLaunchResponse(
        launch=launch_pb2.Launch(launch_id="l"),
        headers=[header("Set-Cookie", "a=; Max-Age=0"), header("Set-Cookie", "b=; Max-Age=0; Partitioned")],
    )
    answer = app.test_client().post("/lti/launch", data="id_token=t&state=s", content_type=FORM)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/home")
    assert answer.headers.getlist("Set-Cookie") == ["a=; Max-Age=0", "b=; Max-Age=0; Partitioned"]
    assert [launch.launch_id for launch in launches] == ["l"]
    (request,) = server.requests
    assert request.launch_uri == LAUNCH_URI
    assert list(request.accept_message_types) == [launch_pb2.MESSAGE_TYPE_RESOURCE_LINK]
    assert [(p.name, p.value) for p in request.browser.parameters] == [("id_token", "t"), ("state", "s")]


def test_a_step_of_the_browser_is_no_launch(server: ScriptedSidecar, app: Flask, launches: list[Launch]) -> None:
    step = browser_pb2.BrowserReply(status=200, headers=[header("Content-Security-Policy", "x")], body="step")
    server.answer = lambda *_: launch_service_pb2.ValidateLaunchResponse(browser_step=step)
    answer = app.test_client().post("/lti/launch")
    assert (answer.status_code, answer.text, answer.headers["Content-Security-Policy"]) == (200, "step", "x")
    assert launches == []


def test_a_launch_by_get_is_not_served(server: ScriptedSidecar, app: Flask) -> None:
    assert app.test_client().get("/lti/launch").status_code == 405
    assert server.requests == []


@pytest.mark.parametrize("path", ["/lti/login", "/lti/launch"])
def test_the_page_of_an_error_is_shown(server: ScriptedSidecar, app: Flask, launches: list[Launch], path: str) -> None:
    page = browser_pb2.BrowserReply(status=403, headers=[header("Referrer-Policy", "origin")], body="refused")
    server.answer = lambda _, context: refuse(context, grpc.StatusCode.PERMISSION_DENIED, "STATE_FORGED", page)
    answer = app.test_client().post(path)
    assert (answer.status_code, answer.text, answer.headers["Referrer-Policy"]) == (403, "refused", "origin")
    assert launches == []


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, 403),
        (grpc.StatusCode.FAILED_PRECONDITION, 502),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 503),
        (grpc.StatusCode.INVALID_ARGUMENT, 500),
        (grpc.StatusCode.INTERNAL, 500),
    ],
)
def test_an_error_without_a_page_gets_a_plain_one(
    server: ScriptedSidecar, app: Flask, caplog: pytest.LogCaptureFixture, code: grpc.StatusCode, status: int
) -> None:
    wait = RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000))
    server.answer = lambda _, context: refuse(context, code, "INTERNAL", wait, metadata={"actual": "a\nb"})
    answer = app.test_client().post("/lti/launch")
    assert answer.status_code == status
    assert "open it again" in answer.text
    assert "what was compared" not in answer.text
    assert (answer.headers["Cache-Control"], answer.headers["Retry-After"]) == ("no-store", "2")
    (record,) = caplog.records
    assert record.getMessage() == "INTERNAL ['what was compared', {'actual': 'a\\nb'}]"


def test_the_tool_may_answer_an_error(server: ScriptedSidecar, app: Flask, lti: LTIBlueprint) -> None:
    seen: list[SidecarError] = []

    @lti.on_error
    def failed(error: SidecarError) -> ResponseReturnValue | None:
        seen.append(error)
        return redirect("/home", 303) if error.reason is Reason.NONCE_REPLAYED else None

    server.answer = lambda _, context: refuse(context, grpc.StatusCode.PERMISSION_DENIED, "NONCE_REPLAYED")
    assert app.test_client().post("/lti/launch").status_code == 303
    server.answer = lambda _, context: refuse(context, grpc.StatusCode.PERMISSION_DENIED, "STATE_EXPIRED")
    assert app.test_client().post("/lti/launch").status_code == 403
    assert [error.reason for error in seen] == [Reason.NONCE_REPLAYED, Reason.STATE_EXPIRED]


@pytest.mark.parametrize("path", ["/lti/login", "/lti/launch"])
def test_a_large_request_is_not_read(server: ScriptedSidecar, app: Flask, path: str) -> None:
    answer = app.test_client().post(path, data="x=" + "y" * MAX_REQUEST_BYTES, content_type=FORM)
    assert answer.status_code == 413
    assert server.requests == []


def test_the_key_set_is_served(server: ScriptedSidecar, app: Flask) -> None:
    server.answer = lambda *_: key_service_pb2.GetToolKeySetResponse(
        jwks='{"keys": []}', content_type="application/json", cache_lifetime=Duration(seconds=600)
    )
    answer = app.test_client().get("/lti/jwks")
    assert (answer.status_code, answer.text) == (200, '{"keys": []}')
    assert answer.headers.getlist("Content-Type") == ["application/json"]
    assert answer.headers["Cache-Control"] == "public, max-age=600"


def test_no_key_set_without_the_sidecar(server: ScriptedSidecar, app: Flask) -> None:
    server.stop()
    assert app.test_client().get("/lti/jwks").status_code == 503


def test_the_error_page_serves_the_whole_application(server: ScriptedSidecar, sidecar: Sidecar, app: Flask) -> None:
    app.register_error_handler(SidecarError, error_response)

    @app.get("/home")
    def home() -> Any:
        return sidecar.check_launch_token("t").launch.launch_id

    page = browser_pb2.BrowserReply(status=403, body="again, please")
    server.answer = lambda _, context: refuse(context, grpc.StatusCode.PERMISSION_DENIED, "LAUNCH_TOKEN_EXPIRED", page)
    answer = app.test_client().get("/home")
    assert (answer.status_code, answer.text) == (403, "again, please")


def test_a_blueprint_needs_a_function_for_launches(sidecar: Sidecar) -> None:
    with pytest.raises(RuntimeError, match="on_launch"):
        Flask(__name__).register_blueprint(LTIBlueprint(sidecar))
