# SPDX-License-Identifier: Apache-2.0
"""The LTI routes of a Flask application.

    sidecar = Sidecar()
    lti = LTIBlueprint(sidecar)

    @lti.on_launch
    def launched(launch):
        return redirect("/home", 303)

    app.register_blueprint(lti)

Routes: /lti/login (GET and POST), /lti/launch (POST) and /lti/jwks (GET). Extensions that add X-Frame-Options,
Cross-Origin-Opener-Policy or a Content-Security-Policy must leave them alone, and so must CSRF protection: with
Flask-WTF, `csrf.exempt(lti)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from flask import Blueprint, Response, current_app, make_response, request
from flask.sansio.app import App
from flask.typing import ResponseReturnValue

from ltisidecar._browser import BrowserReply, BrowserRequest
from ltisidecar._error import (
    LaunchRejected,
    LimitReached,
    PlatformError,
    RosterIncomplete,
    SidecarError,
    Unavailable,
)
from ltisidecar._launch import Launch, MessageType
from ltisidecar._sidecar import Sidecar

MAX_REQUEST_BYTES = 192 * 1024
"""Size of the largest login or launch that is read: what the sidecar takes. A larger one is answered with 413."""

_APOLOGY = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>This tool cannot be opened now</title>
<p>This tool cannot be opened now. Please go back to your course and open it again.</p>
"""

_STATUS: dict[type[SidecarError], int] = {
    LaunchRejected: 403,
    PlatformError: 502,
    RosterIncomplete: 502,
    Unavailable: 503,
    LimitReached: 503,
}

OnLaunch = Callable[[Launch], ResponseReturnValue]
OnError = Callable[[SidecarError], "ResponseReturnValue | None"]


def browser_request(csp_nonce: str = "") -> BrowserRequest:
    """Returns the present Flask request as the sidecar takes it."""
    return BrowserRequest(
        method=request.method,
        parameters=(*request.args.items(multi=True), *request.form.items(multi=True)),
        cookie_header=request.headers.get("Cookie", ""),
        origin=request.headers.get("Origin", ""),
        sec_fetch_site=request.headers.get("Sec-Fetch-Site", ""),
        sec_fetch_dest=request.headers.get("Sec-Fetch-Dest", ""),
        sec_fetch_storage_access=request.headers.get("Sec-Fetch-Storage-Access", ""),
        csp_nonce=csp_nonce,
    )


def to_response(reply: BrowserReply) -> Response:
    """Returns the sidecar's answer to the browser as a Flask response, unchanged."""
    response = Response(reply.body, status=reply.status, headers=list(reply.headers))
    if not any(name.lower() == "content-type" for name, _ in reply.headers):
        del response.headers["Content-Type"]
    return response


def error_response(error: SidecarError) -> Response:
    """Returns the page that an error shows to the browser's user, and logs the error.

    Where the sidecar sent no page, because it did not answer or the call was not for a browser, it is a plain one.
    Usable as it is: `app.register_error_handler(SidecarError, error_response)`.
    """
    current_app.logger.warning("ltisidecar: %s %r", error.reason or error.code, [error.message, error.metadata])
    if error.reply is not None:
        return to_response(error.reply)
    headers = {"Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    return Response(_APOLOGY, status=_STATUS.get(type(error), 500), headers=headers)


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
        self._csp_nonce = csp_nonce
        self._launched: OnLaunch | None = None
        self._failed: OnError | None = None
        self.add_url_rule("/login", "login", self._login, methods=["GET", "POST"])
        self.add_url_rule("/launch", "launch", self._launch, methods=["POST"])
        self.add_url_rule("/jwks", "jwks", self._jwks, methods=["GET"])

    def on_launch(self, function: OnLaunch) -> OnLaunch:
        """Registers the function that answers an accepted launch. Required; best answered by a redirect with 303."""
        self._launched = function
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

    def _browser_request(self) -> BrowserRequest:
        request.max_content_length = min(request.max_content_length or MAX_REQUEST_BYTES, MAX_REQUEST_BYTES)
        return browser_request(self._csp_nonce() if self._csp_nonce else "")

    def _login(self) -> ResponseReturnValue:
        browser = self._browser_request()
        try:
            answer = self._sidecar.build_auth_request(
                browser, launch_uri=self._launch_uri, registration=self._registration
            )
        except SidecarError as error:
            return self._answer_error(error)
        return to_response(answer.reply)

    def _launch(self) -> ResponseReturnValue:
        browser = self._browser_request()
        try:
            outcome = self._sidecar.validate_launch(
                browser, launch_uri=self._launch_uri, accept_message_types=self._accept_message_types
            )
        except SidecarError as error:
            return self._answer_error(error)
        if isinstance(outcome, BrowserReply):
            return to_response(outcome)
        assert self._launched is not None  # register saw it
        response = make_response(self._launched(outcome.launch))
        for name, value in outcome.headers:
            response.headers.add(name, value)
        return response

    def _jwks(self) -> ResponseReturnValue:
        try:
            key_set = self._sidecar.get_tool_key_set()
        except SidecarError as error:
            return error_response(error)
        max_age = int(key_set.cache_lifetime.total_seconds())
        headers = {"Content-Type": key_set.content_type, "Cache-Control": f"public, max-age={max_age}"}
        return Response(key_set.jwks, headers=headers)

    def _answer_error(self, error: SidecarError) -> ResponseReturnValue:
        answer = self._failed(error) if self._failed else None
        return error_response(error) if answer is None else answer
