# SPDX-License-Identifier: Apache-2.0
"""A browser of a page: cookies with their partitions, redirects, forms, and the platform's postMessage storage."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

Fields = tuple[tuple[str, str], ...]

PLAIN = "plain"
PARTITIONED = "partitioned"


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    fields: Fields = ()
    """Form body of a POST."""
    headers: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def parameters(self) -> Fields:
        """Query, then form."""
        return (*parse_qsl(urlsplit(self.url).query, keep_blank_values=True), *self.fields)


@dataclass
class Form:
    method: str
    action: str
    automatic: bool = False
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: dict[str, str] = field(default_factory=dict)
    """Text of each button, with the address that it posts to."""


@dataclass
class Page:
    request: Request
    status: int
    headers: tuple[tuple[str, str], ...]
    text: str
    forms: list[Form] = field(init=False)
    links: list[tuple[str, str]] = field(init=False)
    """Address and target of each link."""
    items: list[str] = field(init=False)
    """Texts of the list items."""

    def __post_init__(self) -> None:
        reader = _Reader()
        reader.feed(self.text)
        reader.close()
        self.forms, self.links, self.items = reader.forms, reader.links, reader.items
        self.data = reader.data
        if self.forms and "document.forms[0].submit()" in self.text:
            self.forms[0].automatic = True

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


class _Reader(HTMLParser):
    """Takes from a page what a user could press and what the storage script would read."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.items: list[str] = []
        self.data = ""
        self._select = ""
        self._take: Callable[[str], None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            automatic = "data-auto-submit" in values
            self.forms.append(Form(values.get("method", "get").upper(), values.get("action", ""), automatic))
        elif tag == "input" and self.forms and values.get("name"):
            self.forms[-1].fields.append((values["name"], values.get("value", "")))
        elif tag == "select":
            self._select = values.get("name", "")
        elif tag == "option" and self._select:
            # A select that nobody touched sends its first option.
            if all(name != self._select for name, _ in self.forms[-1].fields):
                if "value" in values:
                    self.forms[-1].fields.append((self._select, values["value"]))
                else:
                    name = self._select
                    self._take = lambda text: self.forms[-1].fields.append((name, text))
        elif tag == "button" and self.forms:
            action = values.get("formaction", self.forms[-1].action)
            self._take = lambda text: self.forms[-1].buttons.update({text: action})
        elif tag == "a":
            self.links.append((values.get("href", ""), values.get("target", "")))
        elif tag == "li":
            self._take = self.items.append
        elif tag == "script" and values.get("id") == "ltisidecar":
            self._take = self._set_data

    def handle_endtag(self, tag: str) -> None:
        self._take = None
        if tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._take is not None:
            self._take(data)
            self._take = None

    def _set_data(self, data: str) -> None:
        self.data = data


Tool = Callable[[Request], Page]
"""What answers in place of a server."""


class Browser:
    """One person at one machine, who looks at one platform.

    In a frame the platform's page is around the tool's; in a window it is not. Which of the tool's cookies come back
    is what browsers differ in: `cookies` holds PLAIN, PARTITIONED, both, or neither. Cookies of the platform itself
    always come back: its pages are on top.
    """

    def __init__(
        self,
        platform_url: str,
        trust: ssl.SSLContext,
        *,
        cookies: tuple[str, ...] = (PLAIN, PARTITIONED),
        window: bool = False,
        scripts: bool = True,
        storage_answers: bool = True,
        tool: Tool | None = None,
    ) -> None:
        """Takes which server is the platform. tool answers in its place whatever goes to another server; None: those
        are asked over HTTPS."""
        self.platform_url = platform_url
        self.platform_origin = origin(platform_url)
        self.window = window
        self.jar: dict[tuple[str, str, str, bool], str] = {}  # host, path, name, partitioned
        self.storage: dict[tuple[str, str], str] = {}  # key of the tool's origin
        self._trust = trust
        self._cookies = cookies
        self._scripts = scripts
        self._storage_answers = storage_answers
        self._tool = tool

    # What a person does.

    def open(self, url: str) -> Page:
        """Opens an address and goes where it leads, up to the page where a person would read."""
        return self.run(Request("GET", url), "none")

    def press(self, page: Page, text: str, form: int = 0, **choices: str) -> Page:
        """Presses a button of a form, after choosing in it."""
        return self.run(self.pressed(page, text, form, **choices), self._site(page, page.request.url))

    def pressed(self, page: Page, text: str, form: int = 0, **choices: str) -> Request:
        """Returns what pressing a button would send."""
        pressed = page.forms[form]
        names = [name for name, _ in pressed.fields]
        assert set(choices) <= set(names), f"the form has {names}"
        fields = tuple((name, choices.get(name, value)) for name, value in pressed.fields)
        return _submission(page, pressed.method, pressed.buttons[text], fields)

    def run(self, request: Request, site: str) -> Page:
        for _ in range(20):
            page = self.send(request, site)
            following = self.next(page)
            if following is None:
                return page
            site = self._site(page, following.url)
            request = following
        raise AssertionError(f"{request.url}: goes in circles")

    def run_to(self, request: Request, path: str, site: str = "none") -> Request:
        """Goes on like run, but stops before it sends something to this path."""
        while request.path != path:
            page = self.send(request, site)
            following = self.next(page)
            assert following is not None, f"{page.request.url} answered {page.status}: {page.text}"
            site = self._site(page, following.url)
            request = following
        return self._complete(request, site)

    def launch_request(self, user: str = "student", storage: bool = False, message: str = "") -> Request:
        """Returns the click on the tool's link in the course."""
        choices = {"tool": "quiz", "user": user, "view": "window" if self.window else "iframe"}
        if message:
            choices["message"] = message
        if not storage:
            choices["storage"] = "off"
        return Request("GET", f"{self.platform_url}/course/launch?{urlencode(choices)}")

    def launch(self, user: str = "student", storage: bool = False, message: str = "") -> Page:
        """Clicks on the tool in the course, and goes where that leads. storage: the platform offers its own. message:
        empty, or `LtiDeepLinkingRequest` to pick content."""
        return self.run(self.launch_request(user, storage, message), "none")

    def reload(self, page: Page) -> Page:
        """Sends what led to this page once more, as a reload does."""
        return self.run(page.request, "same-origin")

    # What a browser does.

    def send(self, request: Request, site: str = "none") -> Page:
        """Sends one request. Of an answer, cookies are kept; nothing is followed."""
        request = self._complete(request, site)
        if self._tool is not None and origin(request.url) != self.platform_origin:
            page = self._tool(request)
        else:
            page = self._exchange(request)
        for name, value in page.headers:
            if name.lower() == "set-cookie":
                self._keep(request.url, value)
        return page

    def next(self, page: Page) -> Request | None:
        """Returns what the browser sends by itself after this page, if anything."""
        here = page.request.url
        if page.status in (301, 302, 303):
            return Request("GET", urljoin(here, page.header("Location")))
        for form in page.forms:
            if form.automatic and self._scripts:
                return _submission(page, form.method, form.action, tuple(form.fields))
        if page.data and self._scripts:
            return self._run_storage_script(page)
        return None

    def cookie_header(self, url: str) -> str:
        """Returns the cookies for an address; of one name, the plain one first."""
        parts = urlsplit(url)
        kinds = (PLAIN, PARTITIONED) if self._first_party(url) else self._cookies
        found = [
            (partitioned, f"{name}={value}")
            for (host, path, name, partitioned), value in self.jar.items()
            if host == parts.hostname
            and parts.path.startswith(path)
            and (PARTITIONED if partitioned else PLAIN) in kinds
        ]
        return "; ".join(pair for _, pair in sorted(found, key=lambda one: one[0]))

    def _first_party(self, url: str) -> bool:
        return origin(url) == self.platform_origin

    def _keep(self, url: str, text: str) -> None:
        pair, *rest = [part.strip() for part in text.split(";")]
        name, value = pair.split("=", 1)
        attributes = {key.lower(): setting for key, _, setting in (part.partition("=") for part in rest)}
        path = attributes.get("path", "/")
        if name.startswith("__Host-"):
            assert "secure" in attributes, text
            assert path == "/", text
            assert "domain" not in attributes, text
        if not self._first_party(url) and (attributes.get("samesite") != "None" or "secure" not in attributes):
            return  # in a frame it would be neither kept nor sent
        key = (urlsplit(url).hostname or "", path, name, "partitioned" in attributes)
        if attributes.get("max-age") == "0":
            self.jar.pop(key, None)
        else:
            self.jar[key] = value

    def _run_storage_script(self, page: Page) -> Request:
        """Does what the page's script does: puts a value and goes on, or gets one and posts it with the form."""
        data = json.loads(page.data)
        assert data["origin"] == self.platform_origin
        key = (origin(page.request.url), data["key"])
        if data.get("value"):
            if self._storage_answers:
                self.storage[key] = data["value"]
            return Request("GET", data["next"])
        proof = self.storage.get(key, "")
        fields = [(parameter["Name"], parameter["Value"]) for parameter in data["parameters"]]
        return Request("POST", page.request.url, (*fields, (data["proof_name"], proof)))

    def _site(self, page: Page, url: str) -> str:
        return "same-origin" if origin(page.request.url) == origin(url) else "cross-site"

    def _complete(self, request: Request, site: str) -> Request:
        """Adds the headers that a browser adds."""
        headers = [
            ("Sec-Fetch-Site", site),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "document" if self.window else "iframe"),
        ]
        if request.method == "POST":
            sender = origin(request.url) if site == "same-origin" else self.platform_origin
            headers.append(("Origin", sender))
        if cookie := self.cookie_header(request.url):
            headers.append(("Cookie", cookie))
        return Request(request.method, request.url, request.fields, tuple(headers))

    def _exchange(self, request: Request) -> Page:
        parts = urlsplit(request.url)
        headers = dict(request.headers)
        body = None
        if request.method == "POST":
            body = urlencode(request.fields)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=30, context=self._trust)
        try:
            connection.request(request.method, urlunsplit(("", "", parts.path, parts.query, "")), body, headers)
            answer = connection.getresponse()
            return Page(request, answer.status, tuple(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()


def _submission(page: Page, method: str, action: str, fields: Fields) -> Request:
    url = urljoin(page.request.url, action)
    if method == "POST":
        return Request("POST", url, fields)
    return Request("GET", urljoin(url, "?" + urlencode(fields)))


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
