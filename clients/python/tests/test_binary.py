# SPDX-License-Identifier: Apache-2.0
"""The client against the real sidecar, which LTISIDECAR_BIN names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from ltisidecar import (
    BrowserRequest,
    GradeEndpoint,
    InvalidRequest,
    LaunchRejected,
    MembershipEndpoint,
    Reason,
    Score,
    Sidecar,
    SidecarError,
)
from ltisidecar.testing import run_sidecar

LAUNCH_URI = "https://localhost:8443/lti/launch"


@pytest.fixture(scope="module")
def real(lti_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    registration = {
        "name": "canvas",
        "issuer": "https://canvas.instructure.com",
        "client_id": "10000000000001",
        "deployments": ["1:d"],
        "authorization_uri": "https://lms.example/api/lti/authorize_redirect",
        "token_uri": "https://lms.example/login/oauth2/token",
        "jwks_uri": "https://lms.example/api/lti/security/jwks",
        "launch_uris": [LAUNCH_URI],
        "login_uri": "https://localhost:8443/lti/login",
        "dialect": "canvas",
    }
    with run_sidecar(tmp_path_factory.mktemp("sidecar"), [registration]) as client:
        yield client


def login(**parameters: str) -> BrowserRequest:
    known = {
        "iss": "https://canvas.instructure.com",
        "client_id": "10000000000001",
        "login_hint": "hint",
        "target_link_uri": LAUNCH_URI,
    }
    return BrowserRequest(method="GET", parameters=tuple((known | parameters).items()), sec_fetch_dest="iframe")


def test_a_login_leads_to_the_platform(real: Sidecar) -> None:
    answer = real.build_auth_request(login())
    assert answer.registration == "canvas"
    assert answer.reply.status == 302
    headers = dict(answer.reply.headers)
    assert headers["Location"] == answer.authorization_uri
    query = parse_qs(urlsplit(answer.authorization_uri).query)
    assert query["redirect_uri"] == [LAUNCH_URI]
    assert query["state"] == [answer.state]
    assert [name for name, _ in answer.reply.headers].count("Set-Cookie") == 2
    assert answer.expire_time is not None


def test_a_login_of_an_unknown_issuer(real: Sidecar) -> None:
    with pytest.raises(LaunchRejected) as caught:
        real.build_auth_request(login(iss="https://evil.example"))
    error = caught.value
    assert error.reason is Reason.ISSUER_UNKNOWN
    assert error.metadata["issuer"] == "https://evil.example"
    assert error.request_id
    assert error.reply is not None
    assert "ISSUER" not in error.reply.body.upper()


def test_a_launch_uri_that_is_not_listed(real: Sidecar) -> None:
    with pytest.raises(InvalidRequest) as caught:
        real.build_auth_request(login(), launch_uri="https://localhost:8443/elsewhere")
    assert caught.value.reason is Reason.LAUNCH_URI_NOT_LISTED
    assert caught.value.metadata["expected"] == LAUNCH_URI


def test_a_forged_launch(real: Sidecar) -> None:
    parameters = (("id_token", "e30.e30.e30"), ("state", "forged"))
    with pytest.raises(LaunchRejected) as caught:
        real.validate_launch(BrowserRequest(method="POST", parameters=parameters))
    assert caught.value.reason is Reason.STATE_FORGED
    assert caught.value.reply is not None


def test_a_launch_from_another_browser(real: Sidecar) -> None:
    parameters = (("id_token", "e30.e30.e30"), ("state", real.build_auth_request(login()).state))
    with pytest.raises(LaunchRejected) as caught:
        real.validate_launch(BrowserRequest(method="POST", parameters=parameters))
    assert caught.value.reason is Reason.BINDING_MISSING
    assert caught.value.reply is not None


def test_a_forged_launch_token(real: Sidecar) -> None:
    with pytest.raises(LaunchRejected) as caught:
        real.check_launch_token("forged")
    assert caught.value.reason is Reason.LAUNCH_TOKEN_INVALID
    with pytest.raises(InvalidRequest) as required:
        real.check_launch_token("")
    assert required.value.reason is Reason.REQUEST_INVALID


def test_the_key_set(real: Sidecar) -> None:
    key_set = real.get_tool_key_set()
    (key, *_) = json.loads(key_set.jwks)["keys"]
    assert (key["kty"], key["alg"]) == ("RSA", "RS256")
    assert "d" not in key
    assert key_set.content_type.startswith("application/")
    assert key_set.cache_lifetime.total_seconds() > 0


def test_services_of_an_unknown_registration(real: Sidecar) -> None:
    endpoint = GradeEndpoint("unknown", "1:d", "https://lms.example/items/7", "", ("score",), True)
    for call in (
        lambda: real.post_score(endpoint, Score("u", 8, 10)),
        lambda: real.list_members(MembershipEndpoint("unknown", "1:d", "https://lms.example/names", ("2.0",))),
        lambda: real.get_service_token("unknown", "1:d", ["score"]),
    ):
        with pytest.raises(SidecarError) as caught:
            call()
        assert caught.value.reason is Reason.REGISTRATION_UNKNOWN
        assert type(caught.value) is InvalidRequest
