# SPDX-License-Identifier: Apache-2.0
"""The LTI routes of a Flask application.

    sidecar = Sidecar()
    lti = LTIBlueprint(sidecar)

    @lti.on_launch
    def launched(launch):
        return redirect("/home", 303)

    app.register_blueprint(lti)

Routes: /lti/login (GET and POST), /lti/launch (POST), /lti/content (POST, with on_content), /lti/notices (POST, with
on_notice) and /lti/jwks (GET). Extensions that add X-Frame-Options, Cross-Origin-Opener-Policy or a
Content-Security-Policy must leave them alone, and so must CSRF protection: with Flask-WTF, `csrf.exempt(lti)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Blueprint, Response, make_response, request
from flask.sansio.app import App
from flask.typing import ResponseReturnValue

from ltisidecar import _web
from ltisidecar._browser import BrowserReply, BrowserRequest
from ltisidecar._content import ContentItem
from ltisidecar._error import SidecarError
from ltisidecar._launch import Launch, MessageType
from ltisidecar._notice import Notice
from ltisidecar._sidecar import Sidecar
from ltisidecar._web import MAX_NOTICES_BYTES, MAX_REQUEST_BYTES

OnLaunch = Callable[[Launch], ResponseReturnValue]
OnContent = Callable[[], "Iterable[ContentItem]"]
OnNotice = Callable[[Notice], None]
OnError = Callable[[SidecarError], "ResponseReturnValue | None"]


def browser_request(csp_nonce: str = "") -> BrowserRequest:
    """Returns the present Flask request as the sidecar takes it."""
    parameters = (*request.args.items(multi=True), *request.form.items(multi=True))
    return _web.browser_request(request.method, parameters, request.headers.get, csp_nonce)


def to_response(reply: BrowserReply) -> Response:
    """Returns the sidecar's answer to the browser as a Flask response, unchanged."""
    response = Response(reply.body, status=reply.status, headers=list(reply.headers))
    if not any(name.lower() == "content-type" for name, _ in reply.headers):
        del response.headers["Content-Type"]
    return response


def error_response(error: SidecarError) -> Response:
    """Returns the page that an error shows to the browser's user, and logs the error as `ltisidecar`.

    Where the sidecar sent no page, because it did not answer or the call was not for a browser, it is a plain one.
    Usable as it is: `app.register_error_handler(SidecarError, error_response)`.
    """
    return to_response(_web.error_reply(error))


class LTIBlueprint(Blueprint):
    """The routes of a tool that speaks LTI through the sidecar."""

    def __init__(
        self,
        sidecar: Sidecar,
        *,
        name: str = "lti",
        url_prefix: str = "/lti",
        launch_uri: str = "",
        registration: str = "",
        accept_message_types: Iterable[MessageType] = (),
        csp_nonce: Callable[[], str] | None = None,
    ) -> None:
        """Takes what `Sidecar.build_auth_request` and `Sidecar.validate_launch` take, for every login and launch.

        csp_nonce returns the nonce of the application's own Content-Security-Policy; None where it sends none.
        """
        super().__init__(name, __name__, url_prefix=url_prefix)
        self._sidecar = sidecar
        self._launch_uri = launch_uri
        self._registration = registration
        self._accept_message_types = tuple(accept_message_types)
        self._csp_nonce = csp_nonce or (lambda: "")
        self._launched: OnLaunch | None = None
        self._deep_linked: OnLaunch | None = None
        self._failed: OnError | None = None
        self.add_url_rule("/login", "login", self._login, methods=["GET", "POST"])
        self.add_url_rule("/launch", "launch", self._launch, methods=["POST"])
        self.add_url_rule("/jwks", "jwks", self._jwks, methods=["GET"])

    def on_launch(self, function: OnLaunch) -> OnLaunch:
        """Registers the function that answers an accepted launch. Required; best answered by a redirect with 303."""
        self._launched = function
        return function

    def on_deep_linking(self, function: OnLaunch) -> OnLaunch:
        """Registers the function that lets an author pick content: it answers a launch of type DEEP_LINKING, which the
        launch route then accepts. Its page posts a form to /lti/content, whose hidden field deep_linking_token has
        `launch.deep_linking.deep_linking_token`."""
        self._deep_linked = function
        return function

    def on_content(self, function: OnContent) -> OnContent:
        """Registers the function that makes content items of the form that was posted to /lti/content (flask.request);
        none where the author cancelled. The route signs them and sends the author back to the platform."""

        def content() -> ResponseReturnValue:
            token = request.form.get("deep_linking_token", "")
            try:
                items = function()
                answer = self._sidecar.build_deep_linking_response(token or "none", items, csp_nonce=self._csp_nonce())
            except SidecarError as error:
                return self._answer_error(error)
            return to_response(answer.reply)

        self.add_url_rule("/content", "content", content, methods=["POST"])
        return function

    def on_notice(self, function: OnNotice) -> OnNotice:
        """Registers the function that gets each notice that a platform posts to /lti/notices. It may get one twice:
        see `Notice.duplicate`. Notices that are refused are logged."""

        def notices() -> ResponseReturnValue:
            _limit(MAX_NOTICES_BYTES)
            try:
                accepted, reply = _web.accepted_notices(self._sidecar.validate_notices(request.get_data()))
            except SidecarError as error:
                return error_response(error)
            for notice in accepted:
                function(notice)
            return to_response(reply)

        self.add_url_rule("/notices", "notices", notices, methods=["POST"])
        return function

    def on_error(self, function: OnError) -> OnError:
        """Registers a function that may answer a login or launch that failed; where it returns None, error_response
        answers."""
        self._failed = function
        return function

    def register(self, app: App, options: dict[str, Any]) -> None:
        if self._launched is None:
            raise RuntimeError("LTIBlueprint has no on_launch function")
        super().register(app, options)

    def _login(self) -> ResponseReturnValue:
        _limit(MAX_REQUEST_BYTES)
        try:
            answer = self._sidecar.build_auth_request(
                browser_request(self._csp_nonce()), launch_uri=self._launch_uri, registration=self._registration
            )
        except SidecarError as error:
            return self._answer_error(error)
        return to_response(answer.reply)

    def _launch(self) -> ResponseReturnValue:
        _limit(MAX_REQUEST_BYTES)
        try:
            outcome = self._sidecar.validate_launch(
                browser_request(self._csp_nonce()),
                launch_uri=self._launch_uri,
                accept_message_types=_web.message_types(self._accept_message_types, self._deep_linked is not None),
            )
        except SidecarError as error:
            return self._answer_error(error)
        if isinstance(outcome, BrowserReply):
            return to_response(outcome)
        launched = self._launched
        if self._deep_linked is not None and outcome.launch.message_type is MessageType.DEEP_LINKING:
            launched = self._deep_linked
        assert launched is not None  # register saw it
        response = make_response(launched(outcome.launch))
        for name, value in outcome.headers:
            response.headers.add(name, value)
        return response

    def _jwks(self) -> ResponseReturnValue:
        try:
            return to_response(_web.key_set_reply(self._sidecar.get_tool_key_set()))
        except SidecarError as error:
            return error_response(error)

    def _answer_error(self, error: SidecarError) -> ResponseReturnValue:
        answer = self._failed(error) if self._failed else None
        return error_response(error) if answer is None else answer


def _limit(size: int) -> None:
    request.max_content_length = min(request.max_content_length or size, size)
