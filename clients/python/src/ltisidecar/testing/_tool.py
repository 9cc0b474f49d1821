# SPDX-License-Identifier: Apache-2.0
"""A tool in the test's own process, asked by a browser as a web server would ask it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from ltisidecar.testing._browser import Page, Request, Tool

_FORM = "application/x-www-form-urlencoded"


def wsgi_tool(app: Callable[..., Iterable[bytes]]) -> Tool:
    """Returns what a browser asks in place of a server: a Flask, Django or other WSGI application."""

    def answer(request: Request) -> Page:
        url = urlsplit(request.url)
        body = urlencode(request.fields).encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(url.path, "latin-1"),
            "QUERY_STRING": url.query,
            "SERVER_NAME": url.hostname,
            "SERVER_PORT": str(url.port or 443),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": url.netloc,
            "CONTENT_TYPE": _FORM if request.method == "POST" else "",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": url.scheme,
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in request.headers:
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., None]:
            begun.append((status, headers))
            return lambda _: None

        parts = app(environ, start_response)
        text = b"".join(parts).decode()
        if close := getattr(parts, "close", None):
            close()
        status, headers = begun[-1]
        return Page(request, int(status.split()[0]), tuple(headers), text)

    return answer


def asgi_tool(app: Callable[..., Any]) -> Tool:
    """Returns what a browser asks in place of a server: a FastAPI, Starlette or other ASGI application. Each request
    has an event loop of its own."""

    def answer(request: Request) -> Page:
        url = urlsplit(request.url)
        body = urlencode(request.fields).encode()
        headers = [(b"host", url.netloc.encode())]
        if request.method == "POST":
            headers += [(b"content-type", _FORM.encode()), (b"content-length", str(len(body)).encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in request.headers]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": unquote(url.path),
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": (url.hostname, url.port or 443),
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(app(scope, receive, send))
        start, *rest = sent
        lines = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
        return Page(request, start["status"], lines, b"".join(part.get("body", b"") for part in rest).decode())

    return answer
