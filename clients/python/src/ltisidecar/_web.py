# SPDX-License-Identifier: Apache-2.0
"""What the integrations of web frameworks share: they relay requests and replies, and decide nothing themselves."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable

from ltisidecar._browser import BrowserReply, BrowserRequest
from ltisidecar._error import Incomplete, LaunchRejected, LimitReached, PlatformError, SidecarError, Unavailable
from ltisidecar._launch import MessageType
from ltisidecar._notice import Notice, NoticeRefusal
from ltisidecar._reason import Reason
from ltisidecar._service import ToolKeySet

MAX_REQUEST_BYTES = 192 * 1024
"""Size of the largest login or launch that is read: what the sidecar takes. A larger one is answered with 413."""

MAX_NOTICES_BYTES = 256 * 1024
"""Size of the largest body of notices that is read: what the sidecar takes. A larger one is answered with 413."""

KEPT_OUT = frozenset({"x-frame-options", "cross-origin-opener-policy", "content-security-policy"})
"""Headers that a framework must not add to a reply, in lower case: they would keep its page from working in a frame."""

_logger = logging.getLogger("ltisidecar")

_APOLOGY = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>This tool cannot be opened now</title>
<p>This tool cannot be opened now. Please go back to your course and open it again.</p>
"""

_STATUS: dict[type[SidecarError], int] = {
    LaunchRejected: 403,
    PlatformError: 502,
    Incomplete: 502,
    Unavailable: 503,
    LimitReached: 503,
}

# A refusal of these kinds passes: the platform shall send the notice again.
_PASSING = frozenset(
    {
        Reason.JWKS_UNREACHABLE,
        Reason.OVERLOADED,
        Reason.STORE_CLOCK_SKEW,
        Reason.STORE_FULL,
        Reason.STORE_UNAVAILABLE,
    }
)


def browser_request(
    method: str, parameters: Iterable[tuple[str, str]], header: Callable[[str], str | None], csp_nonce: str
) -> BrowserRequest:
    """Returns a request as the sidecar takes it. header returns one of its headers, or None."""
    return BrowserRequest(
        method=method,
        parameters=tuple(parameters),
        cookie_header=header("Cookie") or "",
        origin=header("Origin") or "",
        sec_fetch_site=header("Sec-Fetch-Site") or "",
        sec_fetch_dest=header("Sec-Fetch-Dest") or "",
        sec_fetch_storage_access=header("Sec-Fetch-Storage-Access") or "",
        csp_nonce=csp_nonce,
    )


def message_types(accept: Iterable[MessageType], deep_linking: bool) -> tuple[MessageType, ...]:
    """Returns what the launch route serves: what the tool names, or resource links; and deep linking where the tool
    has a function for it."""
    named = tuple(accept) or (MessageType.RESOURCE_LINK,)
    if deep_linking and MessageType.DEEP_LINKING not in named:
        named = (*named, MessageType.DEEP_LINKING)
    return named


def error_reply(error: SidecarError) -> BrowserReply:
    """Returns the page that an error shows to the browser's user, and logs the error. Where the sidecar sent no page,
    because it did not answer or the call was not for a browser, it is a plain one."""
    _logger.warning("%s %r", error.reason or error.code, [error.message, error.metadata])
    if error.reply is not None:
        return error.reply
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]
    if error.retry_after is not None:
        headers.append(("Retry-After", str(math.ceil(error.retry_after))))
    return BrowserReply(_STATUS.get(type(error), 500), tuple(headers), _APOLOGY)


def key_set_reply(key_set: ToolKeySet) -> BrowserReply:
    """Returns the answer of a JWKS route."""
    max_age = int(key_set.cache_lifetime.total_seconds())
    headers = (("Content-Type", key_set.content_type), ("Cache-Control", f"public, max-age={max_age}"))
    return BrowserReply(200, headers, key_set.jwks)


def accepted_notices(results: Iterable[Notice | NoticeRefusal]) -> tuple[tuple[Notice, ...], BrowserReply]:
    """Returns the notices to hand to the tool, and the answer for the platform: 503 where it shall send again.
    Refusals are logged."""
    notices: list[Notice] = []
    status = 200
    for result in results:
        if isinstance(result, Notice):
            notices.append(result)
            continue
        _logger.warning("notice: %s %r", result.reason, [result.message, dict(result.metadata)])
        if result.reason in _PASSING:
            status = 503
    return tuple(notices), BrowserReply(status, (("Cache-Control", "no-store"),), "")
