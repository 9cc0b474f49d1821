# SPDX-License-Identifier: Apache-2.0
"""The golden launches of testdata/launches against the real sidecar, which LTISIDECAR_BIN names.

A platform of a page publishes key sets over HTTPS and signs each file's claims; testdata/launches/README.md describes
the files. Files that need the sidecar's clock to move are for the Go tests alone.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import os
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from ltisidecar import AcceptedLaunch, BrowserRequest, Launch, MessageType, Sidecar, SidecarError

BINARY = os.environ.get("LTISIDECAR_BIN", "")
DIRECTORY = Path(__file__).parents[3] / "testdata" / "launches"

pytestmark = pytest.mark.skipif(not BINARY, reason="LTISIDECAR_BIN names no sidecar")

Parameters = list[tuple[str, str]]


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Case:
    """One file."""

    def __init__(self, path: Path) -> None:
        facts, self.header, self.claims = path.read_text(encoding="utf-8").split("\n\n", 2)
        self.name = path.stem
        lines = [line.split(": ", 1) for line in facts.splitlines()]
        self.given = [value.partition(" ")[::2] for name, value in lines if name == "given"]
        one = {name: value for name, value in lines if name != "given"}
        self.expect, self.platform, self.launch = one["expect"], one["platform"], one.get("launch", "")

    def sign(self, key: rsa.RSAPrivateKey, nonce: str) -> str:
        now = int(time.time())

        def instant(match: re.Match[str]) -> str:
            offset = float(match[2]) if "." in match[2] else int(match[2])
            return f'"{match[1]}": {now + offset}'

        claims = re.sub(r'"(exp|iat|nbf)": "([+-][0-9.]+)"', instant, padded(self.claims.strip()))
        claims = claims.replace('"NONCE"', json.dumps(nonce))
        signed = encode(self.header.strip().encode()) + "." + encode(claims.encode())
        return signed + "." + encode(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))


CASES = [case for case in map(Case, sorted(DIRECTORY.glob("*.txt"))) if all(verb != "delay" for verb, _ in case.given)]


def padded(text: str) -> str:
    return re.sub(r"PADDING-([0-9]+)", lambda match: "x" * int(match[1]), text)


def change(parameters: Parameters, text: str) -> Parameters:
    """Applies NAME=VALUE (set), +NAME=VALUE (add) or NAME (remove)."""
    name, equals, value = text.partition("=")
    if name.startswith("+"):
        return [*parameters, (name[1:], padded(value))]
    kept = [parameter for parameter in parameters if parameter[0] != name]
    return [*kept, (name, padded(value))] if equals else kept


class Platforms:
    """The platforms of platforms.json: one key that signs, one that does not, and their key sets over HTTPS."""

    def __init__(self, directory: Path) -> None:
        self.all: dict[str, Any] = json.loads((DIRECTORY / "platforms.json").read_text(encoding="utf-8"))
        self.own, self.foreign = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        self.documents = {f"/jwks/{name}": self.key_set(platform) for name, platform in self.all.items()}
        self.certificate = directory / "platform.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Golden platforms")])
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
            .sign(key, hashes.SHA256())
        )
        self.certificate.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        documents = self.documents

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = documents[self.path]
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def key_set(self, platform: dict[str, Any]) -> bytes:
        if "key_set" in platform:
            return str(platform["key_set"]).encode()
        fill = [{"kid": f"fill-{i}", "material": "foreign"} for i in range(platform.get("fill", 0))]
        keys = []
        for members in platform["keys"] + fill:
            key = self.foreign if members.get("material") == "foreign" else self.own
            n, e = key.public_key().public_numbers().n, key.public_key().public_numbers().e
            number = {"kty": "RSA", "n": encode(n.to_bytes(256, "big")), "e": encode(e.to_bytes(3, "big"))}
            keys.append(number | {name: value for name, value in members.items() if name != "material"})
        return json.dumps({"keys": keys}).encode()

    def registrations(self) -> list[dict[str, Any]]:
        base = f"https://127.0.0.1:{self.server.server_port}/jwks/"
        return [
            {"name": name, "jwks_uri": platform.get("jwks_uri", base + name), **platform["registration"]}
            for name, platform in self.all.items()
        ]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sidecar, Platforms]]:
    directory = tmp_path_factory.mktemp("golden")
    platforms = Platforms(directory)
    socket, log = directory / "s.sock", directory / "log"
    (directory / "data").mkdir(mode=0o700)
    config = {
        "listen": {"socket": str(socket)},
        "data_dir": str(directory / "data"),
        "keys": {"directory": str(directory / "keys")},
        "nonce": {"store": "memory"},
        "outbound": {"ca_file": str(platforms.certificate), "allow_cidrs": ["127.0.0.0/8"]},
        "registrations": platforms.registrations(),
    }
    (directory / "sidecar.yaml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    command = [BINARY, "serve", "--config", str(directory / "sidecar.yaml")]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as run:
        try:
            with grpc.insecure_channel(f"unix://{socket}", [("grpc.max_reconnect_backoff_ms", 200)]) as channel:
                grpc.channel_ready_future(channel).result(timeout=30)
            with Sidecar(f"unix://{socket}") as sidecar:
                yield sidecar, platforms
        except grpc.FutureTimeoutError:
            pytest.fail(log.read_text(encoding="utf-8"))
        finally:
            run.terminate()
            platforms.server.shutdown()
            platforms.server.server_close()
    assert run.returncode == 0


def play(sidecar: Sidecar, platforms: Platforms, case: Case) -> str:
    """Plays a case and returns what became of it, in the words of `expect:`, with the facts of an accepted launch."""
    login = platforms.all[case.platform]["login"]
    given = dict(case.given)
    names = given.get("accept", "").split()
    if any(name not in MessageType.__members__ for name in names):
        pytest.skip("this client does not know the message type")
    accept = [MessageType[name] for name in names]
    begin: Parameters = [(name, value) for name, value in login["parameters"]]
    for verb, text in case.given:
        begin = change(begin, text) if verb == "login" else begin
    method = given.get("login-method", login["method"])
    browser = BrowserRequest(method=method, parameters=tuple(begin), sec_fetch_dest="iframe")
    answer = sidecar.build_auth_request(browser, registration=given.get("registration", ""))
    nonce = parse_qs(urlsplit(answer.authorization_uri).query)["nonce"][0]
    set_cookies = [value.partition(";")[0] for name, value in answer.reply.headers if name == "Set-Cookie"]

    state = bytearray(base64.urlsafe_b64decode(answer.state + "=" * (-len(answer.state) % 4)))
    if "state" in given:
        state[int(given["state"].removeprefix("byte "))] ^= 1
    key = platforms.foreign if given.get("key") == "foreign" else platforms.own
    form: Parameters = [("id_token", case.sign(key, nonce)), ("state", encode(bytes(state)))]
    for verb, text in case.given:
        form = change(form, text) if verb == "form" else form
    plain, partitioned = set_cookies[:2]
    proof = given.get("proof")
    cookies = {"plain": f"other=1; {plain}", "partitioned": partitioned, "altered": plain + "x", "none": ""}
    if proof is not None:
        form.append(("lti_storage_proof", plain.partition("=")[2] + ("x" if proof == "altered" else "")))
    own_page = proof is not None and proof != "cross-site"
    browser = BrowserRequest(
        method=given.get("method", "POST"),
        parameters=tuple(form),
        cookie_header=cookies.get("none" if proof else given.get("cookies", ""), f"{plain}; {partitioned}"),
        origin="https://tool.example" if own_page else "https://lms.example",
        sec_fetch_site="same-origin" if own_page else "cross-site",
        sec_fetch_dest="iframe",
    )
    if "repeat" in given:
        assert isinstance(sidecar.validate_launch(browser), AcceptedLaunch)
    outcome = sidecar.validate_launch(browser, launch_uri=given.get("launch-uri", ""), accept_message_types=accept)
    return f"ACCEPTED {facts(outcome.launch)}" if isinstance(outcome, AcceptedLaunch) else "BROWSER_STEP "


def facts(launch: Launch) -> str:
    roles = sorted(name for name, flag in vars_of(launch.role_summary).items() if flag)
    user, context, link = (part.id if part else "-" for part in (launch.user, launch.context, launch.resource_link))
    return f"user={user} context={context} link={link} roles={'+'.join(roles) or '-'}"


def vars_of(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_launch(running: tuple[Sidecar, Platforms], case: Case) -> None:
    try:
        got = play(*running, case)
    except SidecarError as error:
        got = f"{error.reason} "
    assert got == f"{case.expect} {case.launch}"
