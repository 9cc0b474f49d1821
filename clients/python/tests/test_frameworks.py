# SPDX-License-Identifier: Apache-2.0
"""The integrations of Flask, Django and Starlette behave alike: each test runs with the three of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import django
import flask
import grpc
import pytest
import starlette.applications
import starlette.requests
import starlette.responses
from django.conf import settings
from fastapi import FastAPI
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from scripted_sidecar import ScriptedSidecar, refuse

import ltisidecar.starlette
from ltisidecar import AsyncSidecar, ContentItem, HtmlItem, Launch, LinkItem, Notice, Sidecar
from ltisidecar._web import MAX_REQUEST_BYTES
from ltisidecar.flask import LTIBlueprint
from ltisidecar.testing import Page, Request, asgi_tool, wsgi_tool
from ltisidecar.v1 import browser_pb2, key_service_pb2, launch_pb2, launch_service_pb2, notice_pb2

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="tests",
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
)
django.setup()

import ltisidecar.django  # noqa: E402

urlpatterns: list[Any] = []
"""Of Django: each test puts its own there."""

TOOL = "https://tool.example"


class Tool:
    """One tool, whatever serves it, and what its functions were given."""

    ask: Callable[[Request], Page]

    def __init__(self) -> None:
        self.launches: list[tuple[str, Launch]] = []
        self.forms: list[str] = []
        self.notices: list[Notice] = []
        self.items: list[ContentItem] = []

    def post(self, path: str, *fields: tuple[str, str], headers: Iterable[tuple[str, str]] = ()) -> Page:
        return self.ask(Request("POST", TOOL + path, fields, tuple(headers)))

    def get(self, path: str) -> Page:
        return self.ask(Request("GET", TOOL + path))


def flask_tool(address: str) -> Tool:
    tool = Tool()
    lti = LTIBlueprint(Sidecar(address), csp_nonce=lambda: "bm9uY2U=")

    @lti.on_launch
    def launched(launch: Launch) -> Any:
        tool.launches.append(("link", launch))
        answer = flask.redirect("/home", 303)
        answer.set_cookie("own", "1")
        return answer

    @lti.on_deep_linking
    def pick(launch: Launch) -> Any:
        tool.launches.append(("deep link", launch))
        return "pick"

    @lti.on_content
    def content() -> list[ContentItem]:
        tool.forms.append(flask.request.form["choice"])
        return tool.items

    @lti.on_notice
    def noticed(notice: Notice) -> None:
        tool.notices.append(notice)

    app = flask.Flask(__name__)
    app.register_blueprint(lti)
    tool.ask = wsgi_tool(app)
    return tool


def django_tool(address: str) -> Tool:
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpRequest, HttpResponse
    from django.urls import clear_url_caches, include, path

    tool = Tool()
    lti = ltisidecar.django.LTI(Sidecar(address), csp_nonce=lambda _: "bm9uY2U=")

    @lti.on_launch
    def launched(request: HttpRequest, launch: Launch) -> HttpResponse:
        tool.launches.append(("link", launch))
        answer = HttpResponse(status=303, headers={"Location": "/home"})
        answer.set_cookie("own", "1")
        return answer

    @lti.on_deep_linking
    def pick(request: HttpRequest, launch: Launch) -> HttpResponse:
        tool.launches.append(("deep link", launch))
        return HttpResponse("pick")

    @lti.on_content
    def content(request: HttpRequest) -> list[ContentItem]:
        tool.forms.append(request.POST["choice"])
        return tool.items

    @lti.on_notice
    def noticed(notice: Notice) -> None:
        tool.notices.append(notice)

    urlpatterns[:] = [path("lti/", include(lti.urls))]
    clear_url_caches()
    tool.ask = wsgi_tool(WSGIHandler())
    return tool


def starlette_tool(address: str) -> Tool:
    tool = Tool()
    lti = ltisidecar.starlette.LTI(AsyncSidecar(address), csp_nonce=lambda _: "bm9uY2U=")

    @lti.on_launch
    async def launched(request: starlette.requests.Request, launch: Launch) -> starlette.responses.Response:
        tool.launches.append(("link", launch))
        answer = starlette.responses.RedirectResponse("/home", 303)
        answer.set_cookie("own", "1")
        return answer

    @lti.on_deep_linking
    async def pick(request: starlette.requests.Request, launch: Launch) -> starlette.responses.Response:
        tool.launches.append(("deep link", launch))
        return starlette.responses.PlainTextResponse("pick")

    @lti.on_content
    async def content(request: starlette.requests.Request) -> list[ContentItem]:
        form = (await request.body()).decode()
        tool.forms.append(form.partition("choice=")[2])
        return tool.items

    @lti.on_notice
    async def noticed(notice: Notice) -> None:
        tool.notices.append(notice)

    app = FastAPI()
    app.mount("/lti", lti)
    tool.ask = asgi_tool(app)
    return tool


@pytest.fixture(params=[flask_tool, django_tool, starlette_tool], ids=["flask", "django", "starlette"])
def tool(request: pytest.FixtureRequest, grpc_server: ScriptedSidecar) -> Tool:
    return request.param(grpc_server.address)  # type: ignore[no-any-return]


@pytest.fixture
def server(grpc_server: ScriptedSidecar) -> ScriptedSidecar:
    return grpc_server


def header(name: str, value: str) -> browser_pb2.Header:
    return browser_pb2.Header(name=name, value=value)


REPLY = browser_pb2.BrowserReply(
    status=200,
    headers=[
        header("Content-Type", "text/html; charset=utf-8"),
        header("Set-Cookie", "__Host-lti-1=x; Path=/; Secure; HttpOnly; SameSite=None"),
        header("Set-Cookie", "__Host-lti-1=x; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"),
        header("Content-Security-Policy", "default-src 'none'"),
        header("Referrer-Policy", "origin"),
    ],
    body="<!doctype html><title>é</title>",
)
WANTED = [
    ("content-security-policy", "default-src 'none'"),
    ("content-type", "text/html; charset=utf-8"),
    ("referrer-policy", "origin"),
    ("set-cookie", "__Host-lti-1=x; Path=/; Secure; HttpOnly; SameSite=None"),
    ("set-cookie", "__Host-lti-1=x; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"),
]
ALWAYS = {"content-length", "x-content-type-options"}
"""Headers that frameworks add and that harm nothing."""


def lines(page: Page) -> list[tuple[str, str]]:
    return sorted((name.lower(), value.strip()) for name, value in page.headers if name.lower() not in ALWAYS)


def test_a_reply_goes_out_as_it_came(server: ScriptedSidecar, tool: Tool) -> None:
    server.answer = lambda *_: launch_service_pb2.BuildAuthRequestResponse(reply=REPLY)
    page = tool.post(
        "/lti/login?iss=https%3A%2F%2Flms.example&x=1&x=2&empty=",
        ("login_hint", "a bé"),
        headers=[
            ("Cookie", "a=1; __Host-lti-0=y"),
            ("Origin", "https://lms.example"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Dest", "iframe"),
            ("Sec-Fetch-Storage-Access", "none"),
        ],
    )
    assert (page.status, page.text) == (200, REPLY.body)
    assert lines(page) == WANTED
    browser = server.requests[0].browser
    assert sorted((p.name, p.value) for p in browser.parameters) == [
        ("empty", ""),
        ("iss", "https://lms.example"),
        ("login_hint", "a bé"),
        ("x", "1"),
        ("x", "2"),
    ]
    assert (browser.method, browser.cookie_header, browser.origin) == (
        "POST",
        "a=1; __Host-lti-0=y",
        "https://lms.example",
    )
    assert (browser.sec_fetch_site, browser.sec_fetch_dest) == ("cross-site", "iframe")
    assert (browser.sec_fetch_storage_access, browser.csp_nonce) == ("none", "bm9uY2U=")
    assert tool.get("/lti/login?iss=i").status == 200
    assert server.requests[1].browser.method == "GET"


@pytest.mark.parametrize(
    ("kind", "served", "status"), [("RESOURCE_LINK", "link", 303), ("DEEP_LINKING", "deep link", 200)]
)
def test_a_launch_goes_to_the_function_of_its_type(
    server: ScriptedSidecar, tool: Tool, kind: str, served: str, status: int
) -> None:
    server.answer = lambda *_: launch_service_pb2.ValidateLaunchResponse(
        launch=launch_pb2.Launch(launch_id="l", message_type=f"MESSAGE_TYPE_{kind}"),
        headers=[
            header("Set-Cookie", "a=; Path=/; Max-Age=0"),
            header("Set-Cookie", "a=; Path=/; Max-Age=0; Partitioned"),
            header("Cache-Control", "no-store"),
        ],
    )
    page = tool.post("/lti/launch", ("id_token", "t"), ("state", "s"))
    assert page.status == status
    assert [(name, launch.launch_id) for name, launch in tool.launches] == [(served, "l")]
    cookies = [value.strip() for name, value in page.headers if name.lower() == "set-cookie"]
    assert cookies[-2:] == ["a=; Path=/; Max-Age=0", "a=; Path=/; Max-Age=0; Partitioned"]
    assert len(cookies) == (3 if served == "link" else 2), "the tool's own cookie stays"
    assert page.header("Cache-Control") == "no-store"
    assert list(server.requests[0].accept_message_types) == [
        launch_pb2.MESSAGE_TYPE_RESOURCE_LINK,
        launch_pb2.MESSAGE_TYPE_DEEP_LINKING,
    ]


def test_a_step_of_the_browser_is_no_launch(server: ScriptedSidecar, tool: Tool) -> None:
    server.answer = lambda *_: launch_service_pb2.ValidateLaunchResponse(browser_step=REPLY)
    page = tool.post("/lti/launch")
    assert (page.status, page.text, lines(page)) == (200, REPLY.body, WANTED)
    assert tool.launches == []
    assert tool.get("/lti/launch").status == 405


@pytest.mark.parametrize("path", ["/lti/login", "/lti/launch"])
def test_the_page_of_an_error_is_shown(server: ScriptedSidecar, tool: Tool, path: str) -> None:
    server.answer = lambda _, context: refuse(context, grpc.StatusCode.PERMISSION_DENIED, "STATE_FORGED", REPLY)
    page = tool.post(path)
    assert (page.text, lines(page)) == (REPLY.body, WANTED)
    assert tool.launches == []


def test_an_error_without_a_page_gets_a_plain_one(server: ScriptedSidecar, tool: Tool) -> None:
    wait = RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000))
    server.answer = lambda _, context: refuse(context, grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", wait)
    page = tool.post("/lti/launch")
    assert (page.status, page.header("Retry-After"), page.header("Cache-Control")) == (503, "2", "no-store")
    assert "open it again" in page.text
    assert "what was compared" not in page.text


@pytest.mark.parametrize("path", ["/lti/login", "/lti/launch"])
def test_a_large_request_is_not_read(server: ScriptedSidecar, tool: Tool, path: str) -> None:
    assert tool.post(path, ("x", "y" * MAX_REQUEST_BYTES)).status == 413
    assert server.requests == []


@pytest.mark.parametrize("items", [[], [LinkItem("https://tool.example/1"), HtmlItem("<p>")]])
def test_chosen_content_goes_to_the_platform(server: ScriptedSidecar, tool: Tool, items: list[ContentItem]) -> None:
    server.answer = lambda *_: launch_service_pb2.BuildDeepLinkingResponseResponse(reply=REPLY)
    tool.items = items
    page = tool.post("/lti/content", ("deep_linking_token", "sealed"), ("choice", "3"))
    assert (page.text, lines(page)) == (REPLY.body, WANTED)
    assert tool.forms == ["3"]
    (request,) = server.requests
    assert (request.deep_linking_token, request.csp_nonce) == ("sealed", "bm9uY2U=")
    assert [item.WhichOneof("kind") for item in request.items] == ["link", "html"][: len(items)]


def test_content_without_the_token_of_a_launch(server: ScriptedSidecar, tool: Tool) -> None:
    server.answer = lambda _, context: refuse(context, grpc.StatusCode.PERMISSION_DENIED, "LAUNCH_TOKEN_INVALID")
    assert tool.post("/lti/content", ("choice", "3")).status == 403


def refusal(reason: str) -> notice_pb2.NoticeResult:
    return notice_pb2.NoticeResult(refusal=notice_pb2.NoticeRefusal(reason=reason, message="m"))


@pytest.mark.parametrize(("reason", "status"), [("SIGNATURE_INVALID", 200), ("JWKS_UNREACHABLE", 503)])
def test_notices_are_handed_over(
    server: ScriptedSidecar, tool: Tool, caplog: pytest.LogCaptureFixture, reason: str, status: int
) -> None:
    notices = [notice_pb2.NoticeResult(notice=notice_pb2.Notice(id=name)) for name in "ab"]
    server.answer = lambda *_: launch_service_pb2.ValidateNoticesResponse(
        results=[notices[0], refusal(reason), notices[1]]
    )
    assert tool.post("/lti/notices", ("notices", "x")).status == status
    assert [notice.id for notice in tool.notices] == ["a", "b"]
    assert server.requests[0].body == b"notices=x"
    assert reason in caplog.text


def test_the_key_set_is_served(server: ScriptedSidecar, tool: Tool) -> None:
    server.answer = lambda *_: key_service_pb2.GetToolKeySetResponse(
        jwks='{"keys": []}', content_type="application/json", cache_lifetime=Duration(seconds=600)
    )
    page = tool.get("/lti/jwks")
    assert (page.status, page.text) == (200, '{"keys": []}')
    assert (page.header("Content-Type"), page.header("Cache-Control")) == ("application/json", "public, max-age=600")
    server.stop()
    assert tool.get("/lti/jwks").status == 503


def test_a_function_for_launches_is_required(grpc_server: ScriptedSidecar) -> None:
    with pytest.raises(RuntimeError, match="on_launch"):
        ltisidecar.django.LTI(Sidecar(grpc_server.address)).urls  # noqa: B018
    with pytest.raises(RuntimeError, match="on_launch"):
        flask.Flask(__name__).register_blueprint(LTIBlueprint(Sidecar(grpc_server.address)))
