# SPDX-License-Identifier: Apache-2.0
"""The LTI routes of a Starlette or FastAPI application.

    lti = LTI(AsyncSidecar())

    @lti.on_launch
    async def launched(request, launch):
        return RedirectResponse("/home", 303)

    app = FastAPI()
    app.mount("/lti", lti)

Routes: login (GET and POST), launch (POST), content (POST, with on_content), notices (POST, with on_notice) and jwks
(GET). Middleware that adds X-Frame-Options, Cross-Origin-Opener-Policy or a Content-Security-Policy must leave them
alone, and so must CSRF protection: the sidecar ties each launch to its browser.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router

from ltisidecar import _web
from ltisidecar._async_sidecar import AsyncSidecar
from ltisidecar._browser import BrowserReply, BrowserRequest
from ltisidecar._content import ContentItem
from ltisidecar._error import SidecarError
from ltisidecar._launch import Launch, MessageType
from ltisidecar._notice import Notice
from ltisidecar._web import MAX_NOTICES_BYTES, MAX_REQUEST_BYTES

OnLaunch = Callable[[Request, Launch], Awaitable[Response]]
OnContent = Callable[[Request], Awaitable[Iterable[ContentItem]]]
OnNotice = Callable[[Notice], Awaitable[None]]
OnError = Callable[[Request, SidecarError], Awaitable["Response | None"]]


class _TooLarge(Exception):
    """The body is larger than the route reads."""


async def browser_request(request: Request, csp_nonce: str = "") -> BrowserRequest:
    """Returns a request as the sidecar takes it."""
    return _relayed(request, await request.body(), csp_nonce)


def to_response(reply: BrowserReply) -> Response:
    """Returns the sidecar's answer to the browser as a response, unchanged."""
    response = Response(reply.body, reply.status)
    add_headers(response, reply.headers)
    return response


def add_headers(response: Response, headers: Iterable[tuple[str, str]]) -> None:
    """Adds header lines to a response, and replaces none."""
    response.raw_headers.extend((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers)


def error_response(error: SidecarError) -> Response:
    """Returns the page that an error shows to the browser's user, and logs the error as `ltisidecar`.

    Where the sidecar sent no page, because it did not answer or the call was not for a browser, it is a plain one.
    """
    return to_response(_web.error_reply(error))


async def handle_error(request: Request, error: Exception) -> Response:
    """Is error_response for the whole application: `app.add_exception_handler(SidecarError, handle_error)`."""
    if not isinstance(error, SidecarError):
        raise error
    return error_response(error)


class LTI(Router):
    """The routes of a tool that speaks LTI through the sidecar: an application to mount."""

    def __init__(
        self,
        sidecar: AsyncSidecar,
        *,
        launch_uri: str = "",
        registration: str = "",
        accept_message_types: Iterable[MessageType] = (),
        csp_nonce: Callable[[Request], str] | None = None,
    ) -> None:
        """Takes what `AsyncSidecar.build_auth_request` and `AsyncSidecar.validate_launch` take, for every login and
        launch.

        csp_nonce returns the nonce of the application's own Content-Security-Policy; None where it sends none.
        """
        super().__init__()
        self._sidecar = sidecar
        self._launch_uri = launch_uri
        self._registration = registration
        self._accept_message_types = tuple(accept_message_types)
        self._csp_nonce = csp_nonce or (lambda _: "")
        self._launched: OnLaunch | None = None
        self._deep_linked: OnLaunch | None = None
        self._failed: OnError | None = None
        self.add_route("/login", self._login, methods=["GET", "POST"])
        self.add_route("/launch", self._launch, methods=["POST"])
        self.add_route("/jwks", self._jwks, methods=["GET"])

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

        async def content(request: Request) -> Response:
            try:
                fields = dict(_form(request, await _body(request, MAX_REQUEST_BYTES)))
                token = fields.get("deep_linking_token") or "none"
                answer = await self._sidecar.build_deep_linking_response(
                    token, await function(request), csp_nonce=self._csp_nonce(request)
                )
            except _TooLarge:
                return Response(status_code=413)
            except SidecarError as error:
                return await self._answer_error(request, error)
            return to_response(answer.reply)

        self.add_route("/content", content, methods=["POST"])
        return function

    def on_notice(self, function: OnNotice) -> OnNotice:
        """Registers the function that gets each notice that a platform posts to the notices route. It may get one
        twice: see `Notice.duplicate`. Notices that are refused are logged."""

        async def notices(request: Request) -> Response:
            try:
                body = await _body(request, MAX_NOTICES_BYTES)
                accepted, reply = _web.accepted_notices(await self._sidecar.validate_notices(body))
            except _TooLarge:
                return Response(status_code=413)
            except SidecarError as error:
                return error_response(error)
            for notice in accepted:
                await function(notice)
            return to_response(reply)

        self.add_route("/notices", notices, methods=["POST"])
        return function

    def on_error(self, function: OnError) -> OnError:
        """Registers a function that may answer a login or launch that failed; where it returns None, error_response
        answers."""
        self._failed = function
        return function

    async def _login(self, request: Request) -> Response:
        try:
            browser = _relayed(request, await _body(request, MAX_REQUEST_BYTES), self._csp_nonce(request))
            answer = await self._sidecar.build_auth_request(
                browser, launch_uri=self._launch_uri, registration=self._registration
            )
        except _TooLarge:
            return Response(status_code=413)
        except SidecarError as error:
            return await self._answer_error(request, error)
        return to_response(answer.reply)

    async def _launch(self, request: Request) -> Response:
        if self._launched is None:
            raise RuntimeError("LTI has no on_launch function")
        try:
            outcome = await self._sidecar.validate_launch(
                _relayed(request, await _body(request, MAX_REQUEST_BYTES), self._csp_nonce(request)),
                launch_uri=self._launch_uri,
                accept_message_types=_web.message_types(self._accept_message_types, self._deep_linked is not None),
            )
        except _TooLarge:
            return Response(status_code=413)
        except SidecarError as error:
            return await self._answer_error(request, error)
        if isinstance(outcome, BrowserReply):
            return to_response(outcome)
        launched = self._launched
        if self._deep_linked is not None and outcome.launch.message_type is MessageType.DEEP_LINKING:
            launched = self._deep_linked
        response = await launched(request, outcome.launch)
        add_headers(response, outcome.headers)
        return response

    async def _jwks(self, request: Request) -> Response:
        try:
            return to_response(_web.key_set_reply(await self._sidecar.get_tool_key_set()))
        except SidecarError as error:
            return error_response(error)

    async def _answer_error(self, request: Request, error: SidecarError) -> Response:
        answer = await self._failed(request, error) if self._failed else None
        return error_response(error) if answer is None else answer


async def _body(request: Request, limit: int) -> bytes:
    """Reads the body, which later readers of the same request find again. Raises _TooLarge above the limit."""
    size = 0
    chunks: list[bytes] = []
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _TooLarge
        chunks.append(chunk)
    request._body = b"".join(chunks)  # as request.body() keeps it
    return request._body


def _relayed(request: Request, body: bytes, csp_nonce: str) -> BrowserRequest:
    query = parse_qsl(request.url.query, keep_blank_values=True, max_num_fields=1000)
    return _web.browser_request(request.method, (*query, *_form(request, body)), request.headers.get, csp_nonce)


def _form(request: Request, body: bytes) -> list[tuple[str, str]]:
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if request.method != "POST" or kind != "application/x-www-form-urlencoded":
        return []
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=1000)
