# SPDX-License-Identifier: Apache-2.0
"""Which address leads where, and what is no address."""

from __future__ import annotations

import grpc
import pytest
from scripted_http import ScriptedHttp

from ltisidecar import Sidecar, SidecarError, Unavailable
from ltisidecar._grpc import GrpcTransport
from ltisidecar._http import HttpTransport


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("unix:///run/s.sock", GrpcTransport),
        ("127.0.0.1:1", GrpcTransport),
        ("http+unix:///run/s.sock", HttpTransport),
        ("http://127.0.0.1:1", HttpTransport),
        ("http://[::1]:1/", HttpTransport),
    ],
)
def test_the_address_chooses_the_transport(address: str, kind: type) -> None:
    with Sidecar(address) as sidecar:
        assert type(sidecar._connection()) is kind


@pytest.mark.parametrize("address", ["http+unix://s.sock", "http://localhost", "http://localhost:1/path", "http://:1"])
def test_what_is_no_http_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"http\+unix:///path or http://host:port"):
        Sidecar(address)


def test_http_stays_on_this_machine() -> None:
    with pytest.raises(ValueError, match="not on this machine: use gRPC"):
        Sidecar("http://10.0.0.1:80")
    with pytest.raises(ValueError, match="takes no credentials"):
        Sidecar("http://127.0.0.1:80", credentials=grpc.ssl_channel_credentials())


def test_a_server_that_is_no_sidecar(socket_directory: object) -> None:
    import http.server
    import threading

    class Other(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Sidecar(f"http://127.0.0.1:{server.server_port}") as sidecar, pytest.raises(SidecarError) as caught:
            sidecar.get_tool_key_set()
        server.shutdown()
    assert caught.value.code == "UNIMPLEMENTED"
    assert "is this the sidecar's HTTP listener" in str(caught.value)


def test_a_connection_that_was_closed_meanwhile_is_replaced(socket_directory: object) -> None:
    from pathlib import Path

    from ltisidecar.v1 import key_service_pb2

    server = ScriptedHttp(Path(str(socket_directory)) / "s.sock")
    server.answer = lambda *_: key_service_pb2.GetToolKeySetResponse(jwks="{}")
    with Sidecar(server.address) as sidecar:
        assert sidecar.get_tool_key_set().jwks == "{}"
        server.stop()
        with pytest.raises(Unavailable, match="out of reach"):
            sidecar.get_tool_key_set()
        server.start()
        assert sidecar.get_tool_key_set().jwks == "{}"
    server.stop()
    assert len(server.requests) == 2
