# SPDX-License-Identifier: Apache-2.0
"""The LTI routes of a Django project.

    # tool/lti.py
    lti = LTI(Sidecar())

    @lti.on_launch
    def launched(request, launch):
        return HttpResponseRedirect("/home", status=303)

    # urls.py
    urlpatterns = [path("lti/", include(lti.urls))]

Routes: login (GET and POST), launch (POST), content (POST, with on_content), notices (POST, with on_notice) and jwks
(GET). They are exempt from CSRF protection, because the sidecar ties each launch to its browser, and from the headers
that Django's middleware would add. The tool's own pages in a frame need `xframe_options_exempt`, and
`SECURE_CROSS_ORIGIN_OPENER_POLICY = None` where they open windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http.cookies import Morsel
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from ltisidecar import _web
from ltisidecar._browser import BrowserReply, BrowserRequest
from ltisidecar._content import ContentItem
from ltisidecar._error import SidecarError
from ltisidecar._launch import Launch, MessageType
from ltisidecar._notice import Notice
from ltisidecar._sidecar import Sidecar
from ltisidecar._web import KEPT_OUT, MAX_NOTICES_BYTES, MAX_REQUEST_BYTES

OnLaunch = Callable[[HttpRequest, Launch], HttpResponseBase]
OnContent = Callable[[HttpRequest], Iterable[ContentItem]]
OnNotice = Callable[[Notice], None]
OnError = Callable[[HttpRequest, SidecarError], "HttpResponseBase | None"]
View = Callable[[HttpRequest], HttpResponseBase]


def browser_request(request: HttpRequest, csp_nonce: str = "") -> BrowserRequest:
    """Returns a Django request as the sidecar takes it."""
    parameters = [
        (name, value) for query in (request.GET, request.POST) for name, all in query.lists() for value in all
    ]
    return _web.browser_request(request.method or "", parameters, request.headers.get, csp_nonce)


def to_response(reply: BrowserReply) -> HttpResponse:
    """Returns the sidecar's answer to the browser as a Django response. Middleware adds no header to it that would
    keep its page from working in a frame."""
    response = _Reply(reply.body.encode(), status=reply.status)
    del response.headers["Content-Type"]
    add_headers(response, reply.headers)
    return response


def add_headers(response: HttpResponseBase, headers: Iterable[tuple[str, str]]) -> None:
    """Adds header lines to a response. Django keeps one line of a name, but of Set-Cookie any number."""
    for name, value in headers:
        if name.lower() == "set-cookie":
            response.cookies[value] = _Line(value)
        else:
            response.headers[name] = value


def error_response(error: SidecarError) -> HttpResponse:
    """Returns the page that an error shows to the browser's user, and logs the error as `ltisidecar`.

    Where the sidecar sent no page, because it did not answer or the call was not for a browser, it is a plain one.
    """
    return to_response(_web.error_reply(error))


class _Reply(HttpResponse):
    """A response to which middleware adds nothing that would break it: Django's does so by setdefault."""

    xframe_options_exempt = True

    def setdefault(self, key: str, value: Any) -> None:
        if key.lower() not in KEPT_OUT:
            super().setdefault(key, value)


class _Line(Morsel[str]):
    """A Set-Cookie line as it came. Morsel knows neither every attribute nor two cookies of one name."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self._line = line
        name, _, value = line.partition(";")[0].partition("=")
        self.set(name, value, value)

    def OutputString(self, attrs: Any = None) -> str:
        return self._line


class LTI:
    """The routes of a tool that speaks LTI through the sidecar."""

    def __init__(
        self,
        sidecar: Sidecar,
        *,
        launch_uri: str = "",
        registration: str = "",
        accept_message_types: Iterable[MessageType] = (),
        csp_nonce: Callable[[HttpRequest], str] | None = None,
    ) -> None:
        """Takes what `Sidecar.build_auth_request` and `Sidecar.validate_launch` take, for every login and launch.

        csp_nonce returns the nonce of the project's own Content-Security-Policy; None where it sends none.
        """
        self._sidecar = sidecar
        self._launch_uri = launch_uri
        self._registration = registration
        self._accept_message_types = tuple(accept_message_types)
        self._csp_nonce = csp_nonce or (lambda _: "")
        self._launched: OnLaunch | None = None
        self._deep_linked: OnLaunch | None = None
        self._chosen: OnContent | None = None
        self._noticed: OnNotice | None = None
        self._failed: OnError | None = None

    @property
    def urls(self) -> list[URLPattern]:
        """What `include` takes. Only routes whose function is registered by then are there."""
        if self._launched is None:
            raise RuntimeError("LTI has no on_launch function")
        routes = [
            ("login", self._login, ["GET", "POST"]),
            ("launch", self._launch, ["POST"]),
            ("jwks", self._jwks, ["GET"]),
        ]
        if self._chosen is not None:
            routes.append(("content", self._content, ["POST"]))
        if self._noticed is not None:
            routes.append(("notices", self._notices, ["POST"]))
        return [path(name, csrf_exempt(require_http_methods(methods)(view))) for name, view, methods in routes]

    def on_launch(self, function: OnLaunch) -> OnLaunch:
        """Registers the function that answers an accepted launch. Required; best answered by a redirect with 303."""
        self._launched = function
        return function

    def on_deep_linking(self, function: OnLaunch) -> OnLaunch:
        """Registers the function that lets an author pick content: it answers a launch of type DEEP_LINKING, which the
        launch route then accepts. Its page posts a form to the content route, whose hidden field deep_linking_token
        has `launch.deep_linking.deep_linking_token`."""
        self._deep_linked = function
        return function

    def on_content(self, function: OnContent) -> OnContent:
        """Registers the function that makes content items of the form that was posted to the content route; none where
        the author cancelled. The route signs them and sends the author back to the platform."""
        self._chosen = function
        return function

    def on_notice(self, function: OnNotice) -> OnNotice:
        """Registers the function that gets each notice that a platform posts to the notices route. It may get one
        twice: see `Notice.duplicate`. Notices that are refused are logged."""
        self._noticed = function
        return function

    def on_error(self, function: OnError) -> OnError:
        """Registers a function that may answer a login or launch that failed; where it returns None, error_response
        answers."""
        self._failed = function
        return function

    def _login(self, request: HttpRequest) -> HttpResponseBase:
        if _is_larger(request, MAX_REQUEST_BYTES):
            return _too_large()
        try:
            browser = browser_request(request, self._csp_nonce(request))
            answer = self._sidecar.build_auth_request(
                browser, launch_uri=self._launch_uri, registration=self._registration
            )
        except SidecarError as error:
            return self._answer_error(request, error)
        return to_response(answer.reply)

    def _launch(self, request: HttpRequest) -> HttpResponseBase:
        if _is_larger(request, MAX_REQUEST_BYTES):
            return _too_large()
        try:
            outcome = self._sidecar.validate_launch(
                browser_request(request, self._csp_nonce(request)),
                launch_uri=self._launch_uri,
                accept_message_types=_web.message_types(self._accept_message_types, self._deep_linked is not None),
            )
        except SidecarError as error:
            return self._answer_error(request, error)
        if isinstance(outcome, BrowserReply):
            return to_response(outcome)
        launched = self._launched
        if self._deep_linked is not None and outcome.launch.message_type is MessageType.DEEP_LINKING:
            launched = self._deep_linked
        assert launched is not None  # urls saw it
        response = launched(request, outcome.launch)
        add_headers(response, outcome.headers)
        return response

    def _content(self, request: HttpRequest) -> HttpResponseBase:
        assert self._chosen is not None  # urls saw it
        token = str(request.POST.get("deep_linking_token") or "none")
        try:
            answer = self._sidecar.build_deep_linking_response(
                token, self._chosen(request), csp_nonce=self._csp_nonce(request)
            )
        except SidecarError as error:
            return self._answer_error(request, error)
        return to_response(answer.reply)

    def _notices(self, request: HttpRequest) -> HttpResponseBase:
        assert self._noticed is not None  # urls saw it
        if _is_larger(request, MAX_NOTICES_BYTES):
            return _too_large()
        try:
            accepted, reply = _web.accepted_notices(self._sidecar.validate_notices(request.body))
        except SidecarError as error:
            return error_response(error)
        for notice in accepted:
            self._noticed(notice)
        return to_response(reply)

    def _jwks(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return to_response(_web.key_set_reply(self._sidecar.get_tool_key_set()))
        except SidecarError as error:
            return error_response(error)

    def _answer_error(self, request: HttpRequest, error: SidecarError) -> HttpResponseBase:
        answer = self._failed(request, error) if self._failed else None
        return error_response(error) if answer is None else answer


def _is_larger(request: HttpRequest, limit: int) -> bool:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return not length.isdigit() or int(length) > limit


def _too_large() -> HttpResponse:
    return HttpResponse(status=413)
