# SPDX-License-Identifier: Apache-2.0
"""What the browser sent, and what it gets."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BrowserRequest:
    """What a browser sent to the tool, relayed whole. The tool interprets none of it.

    `ltisidecar.flask.browser_request` makes one from a Flask request.
    """

    method: str
    """`GET` or `POST`."""
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names and values of the query string, then of the form body, repeats kept."""
    cookie_header: str = field(default="", repr=False)
    """Cookie request header, raw; empty where none came."""
    origin: str = ""
    sec_fetch_site: str = ""
    sec_fetch_dest: str = ""
    sec_fetch_storage_access: str = ""
    csp_nonce: str = field(default="", repr=False)
    """Nonce of the tool's own Content-Security-Policy, for tools that send one with every answer; empty for none."""


@dataclass(frozen=True, slots=True)
class BrowserReply:
    """A complete answer for the browser.

    Send status, headers and body unchanged, and add no X-Frame-Options, Cross-Origin-Opener-Policy or
    Content-Security-Policy. `ltisidecar.flask.to_response` makes a Flask response of it.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names and values, in order; names may repeat: add each, replace none."""
    body: str = field(repr=False)
