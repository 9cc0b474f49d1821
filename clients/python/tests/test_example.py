# SPDX-License-Identifier: Apache-2.0
"""The example tool against a scripted sidecar."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from flask.testing import FlaskClient
from scripted_sidecar import ScriptedSidecar, refuse

from ltisidecar.v1 import browser_pb2, endpoint_pb2, grade_service_pb2, launch_pb2, launch_service_pb2
from ltisidecar.v1 import roster_service_pb2 as roster_pb

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "python" / "app.py"
SCRIPT = "<script>alert(1)</script>"
ORIGIN = "https://localhost:8443"


class Platform:
    """Answers for one launch, whose launch token is `token`."""

    def __init__(self) -> None:
        self.launch = launch_pb2.Launch(
            launch_id="1" * 32,
            launch_token="token",
            user=launch_pb2.User(id="u", name=f"Ada {SCRIPT}"),
            role_summary=launch_pb2.RoleSummary(learner=True),
            grades=endpoint_pb2.GradeEndpoint(registration="canvas", can_post_score=True),
            memberships=endpoint_pb2.MembershipEndpoint(registration="canvas"),
            browser_binding="BROWSER_BINDING_COOKIE",
        )
        self.redeemed = False
        self.replayed = self.launch.launch_id

    def answer(self, request: Any, context: grpc.ServicerContext) -> Any:
        page = browser_pb2.BrowserReply(status=403, body="Please open the link again.")
        if isinstance(request, launch_service_pb2.ValidateLaunchRequest):
            if self.redeemed:
                metadata = {"launch_id": self.replayed}
                refuse(context, grpc.StatusCode.PERMISSION_DENIED, "NONCE_REPLAYED", page, metadata=metadata)
            self.redeemed = True
            return launch_service_pb2.ValidateLaunchResponse(launch=self.launch)
        if isinstance(request, launch_service_pb2.CheckLaunchTokenRequest):
            if request.launch_token != self.launch.launch_token:
                refuse(context, grpc.StatusCode.PERMISSION_DENIED, "LAUNCH_TOKEN_INVALID", page)
            return launch_service_pb2.CheckLaunchTokenResponse(launch=self.launch)
        if isinstance(request, grade_service_pb2.PostScoreRequest):
            delivery = grade_service_pb2.ScoreDelivery(state="DELIVERY_STATE_DELIVERED")
            return grade_service_pb2.PostScoreResponse(delivery=delivery)
        members = [roster_pb.Member(user_id="1", name="Grace"), roster_pb.Member(user_id="2")]
        return [
            roster_pb.ListMembersResponse(batch=roster_pb.MemberBatch(members=members)),
            roster_pb.ListMembersResponse(end=roster_pb.RosterEnd(member_count=2)),
        ]


@pytest.fixture
def platform(server: ScriptedSidecar) -> Platform:
    platform = Platform()
    server.answer = platform.answer
    return platform


@pytest.fixture
def browser(server: ScriptedSidecar, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setenv("LTISIDECAR_ADDRESS", server.address)
    spec = importlib.util.spec_from_file_location("example_app", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    client: FlaskClient = module.app.test_client()
    return client


def launch(browser: FlaskClient) -> Any:
    return browser.post("/lti/launch", base_url=ORIGIN, data={"id_token": "t", "state": "s"})


def test_a_launch_leads_home(platform: Platform, browser: FlaskClient) -> None:
    answer = launch(browser)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/home")
    cookie = set(answer.headers["Set-Cookie"].split("; "))
    assert cookie == {"__Host-lti-launch=token", "Path=/", "Secure", "HttpOnly", "SameSite=None", "Partitioned"}
    home = browser.get("/home", base_url=ORIGIN)
    assert home.headers["Cache-Control"] == "no-store"
    assert "Hello Ada" in home.text
    assert "a learner" in home.text
    assert SCRIPT not in home.text
    assert re.findall(r'formaction="(.*?)"', home.text) == ["/score", "/deliveries"]


def test_the_same_launch_again_leads_home_in_its_own_browser_only(platform: Platform, browser: FlaskClient) -> None:
    launch(browser)
    again = launch(browser)
    assert (again.status_code, again.headers["Location"]) == (303, "/home")
    other = launch(browser.application.test_client())
    assert (other.status_code, other.text) == (403, "Please open the link again.")


def test_a_replay_of_another_launch_is_refused(platform: Platform, browser: FlaskClient) -> None:
    launch(browser)
    platform.replayed = "2" * 32
    answer = launch(browser)
    assert (answer.status_code, answer.text) == (403, "Please open the link again.")


def test_home_without_a_session(platform: Platform, browser: FlaskClient) -> None:
    answer = browser.get("/home", base_url=ORIGIN)
    assert (answer.status_code, answer.text) == (403, "Please open the link again.")


@pytest.mark.parametrize(("binding", "token"), [("PLATFORM_STORAGE", "token"), ("COOKIE", "t" * 3500), ("COOKIE", "")])
def test_a_launch_without_a_cookie_shows_the_page_at_once(
    platform: Platform, browser: FlaskClient, binding: str, token: str
) -> None:
    platform.launch.browser_binding = f"BROWSER_BINDING_{binding}"  # type: ignore[assignment]
    platform.launch.launch_token = token
    answer = launch(browser)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert f'name="launch_token" value="{token}"' in answer.text


def test_the_button_posts_a_score(server: ScriptedSidecar, platform: Platform, browser: FlaskClient) -> None:
    answer = browser.post("/score", base_url=ORIGIN, data={"launch_token": "token"})
    assert answer.status_code == 200
    assert "Your score of 8 of 10 is delivered." in answer.text
    score = server.requests[-1].score
    assert (score.user_id, score.score_given, score.score_maximum) == ("u", 8, 10)


@pytest.mark.parametrize("path", ["/score", "/roster"])
def test_another_site_cannot_press_the_buttons(
    server: ScriptedSidecar, platform: Platform, browser: FlaskClient, path: str
) -> None:
    launch(browser)  # the cookie is there
    assert browser.post(path, base_url=ORIGIN).status_code == 403
    assert isinstance(server.requests[-1], launch_service_pb2.CheckLaunchTokenRequest)


def test_a_launch_without_grades_posts_no_score(platform: Platform, browser: FlaskClient) -> None:
    platform.launch.ClearField("grades")
    assert browser.post("/score", base_url=ORIGIN, data={"launch_token": "token"}).status_code == 403


def test_only_teachers_see_the_roster(platform: Platform, browser: FlaskClient) -> None:
    assert browser.post("/roster", base_url=ORIGIN, data={"launch_token": "token"}).status_code == 403
    platform.launch.role_summary.instructor = True
    answer = browser.post("/roster", base_url=ORIGIN, data={"launch_token": "token"})
    assert re.findall("<li>(.*?)</li>", answer.text) == ["Grace", "2"]
    assert 'formaction="/roster"' in answer.text
