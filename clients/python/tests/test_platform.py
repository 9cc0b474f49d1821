# SPDX-License-Identifier: Apache-2.0
"""The client against the real sidecar and the simulated platforms, with a scripted browser between them."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ltisidecar import (
    AcceptedLaunch,
    BrowserBinding,
    BrowserReply,
    BrowserRequest,
    DeliveryState,
    GradeEndpoint,
    InvalidRequest,
    Launch,
    LaunchRejected,
    LimitReached,
    MembershipEndpoint,
    MessageType,
    PlatformError,
    Reason,
    Score,
    Sidecar,
    SidecarError,
    Unavailable,
)
from ltisidecar.testing import PARTITIONED, PLAIN, PLATFORMS, Browser, Page, Request, Stack

TOOL = "https://localhost:8443"
SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
SCORE_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"


World = Stack


@pytest.fixture
def world(lti: Stack) -> Stack:
    return lti


class Tool:
    """What a tool's routes are, without a web server: it relays, and keeps what came of it."""

    def __init__(self, sidecar: Sidecar) -> None:
        self.sidecar = sidecar
        self.launches: list[AcceptedLaunch] = []
        self.steps: list[BrowserReply] = []
        self.errors: list[SidecarError] = []

    @property
    def launch(self) -> Launch:
        assert not self.errors, self.errors
        (accepted,) = self.launches
        return accepted.launch

    @property
    def error(self) -> SidecarError:
        assert not self.launches
        (error,) = self.errors
        return error

    def answer(self, request: Request) -> Page:
        browser = BrowserRequest(
            method=request.method,
            parameters=request.parameters,
            cookie_header=request.header("Cookie"),
            origin=request.header("Origin"),
            sec_fetch_site=request.header("Sec-Fetch-Site"),
            sec_fetch_dest=request.header("Sec-Fetch-Dest"),
        )
        try:
            if request.path == "/lti/login":
                return page(request, self.sidecar.build_auth_request(browser).reply)
            if request.path != "/lti/launch":
                return Page(request, 200, (), "the tool")
            outcome = self.sidecar.validate_launch(browser)
        except SidecarError as error:
            self.errors.append(error)
            return page(request, error.reply or BrowserReply(500, (), "no page"))
        if isinstance(outcome, BrowserReply):
            self.steps.append(outcome)
            return page(request, outcome)
        self.launches.append(outcome)
        return Page(request, 303, (*outcome.headers, ("Location", "/home")), "")


def page(request: Request, reply: BrowserReply) -> Page:
    return Page(request, reply.status, reply.headers, reply.body)


class Seat:
    """A person before a browser, with a tool of their own."""

    def __init__(self, world: World, profile: str, **browser: Any) -> None:
        self.tool = Tool(world.sidecar)
        self.url = world.simulator.platform_url(profile)
        self.browser = Browser(self.url, world.simulator.trust, tool=self.tool.answer, **browser)

    def launch(self, user: str = "student", storage: bool = False) -> Page:
        return self.browser.launch(user, storage)

    def launch_form(self, user: str = "student", storage: bool = False) -> Request:
        """Returns the form that the platform wants posted to the tool's launch route."""
        return self.browser.run_to(self.browser.launch_request(user, storage), "/lti/launch")


def launched(world: World, profile: str, user: str = "student") -> Launch:
    seat = Seat(world, profile)
    assert seat.launch(user).request.path == "/home"
    return seat.tool.launch


@pytest.fixture(params=PLATFORMS)
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_launch_has_typed_contents(world: World, profile: str) -> None:
    launch = launched(world, profile)
    student = world.simulator.person(profile, "student")
    (known,) = world.simulator.get(profile, "registrations")
    assert launch.user is not None
    assert launch.user.id == student["id"]
    assert launch.user.name == f"{student['given_name']} {student['family_name']}"
    assert launch.user.email == student["email"]
    assert len(launch.user.key) >= 32
    assert (launch.registration, launch.issuer) == (profile, known["issuer"])
    assert (launch.client_id, launch.deployment_id) == (known["client_id"], known["deployment_id"])
    assert launch.message_type is MessageType.RESOURCE_LINK
    assert launch.target_link_uri == f"{TOOL}/lti/launch"
    assert launch.role_summary.learner
    assert not launch.role_summary.instructor
    assert launch.context is not None
    assert launch.context.title
    assert launch.resource_link is not None
    assert launch.resource_link.id == known["resource_link_id"]
    assert launch.custom["chapter"] == "3"
    assert launch.tool_platform is not None
    assert launch.tool_platform.product_family_code == profile
    assert launch.launch_presentation is not None
    assert launch.launch_presentation.document_target == "iframe"
    assert launch.grades is not None
    assert launch.grades.line_item_uri == known["line_item_uri"]
    assert launch.grades.can_post_score
    assert launch.memberships is not None
    assert launch.memberships.context_memberships_uri == known["memberships_uri"]
    assert launch.launch_time is not None
    assert abs(datetime.now(timezone.utc) - launch.launch_time) < timedelta(minutes=1)
    assert launch.claims()["sub"] == student["id"]


def test_roles_are_summed_up(world: World, profile: str) -> None:
    teacher = launched(world, profile, "teacher").role_summary
    assert (teacher.instructor, teacher.learner, teacher.administrator_elsewhere) == (True, False, False)
    admin = launched(world, profile, "admin").role_summary
    assert admin.administrator_elsewhere


@pytest.mark.parametrize("window", [False, True])
@pytest.mark.parametrize(
    ("cookies", "binding"),
    [
        ((PLAIN, PARTITIONED), BrowserBinding.COOKIE),
        ((PARTITIONED,), BrowserBinding.PARTITIONED_COOKIE),
        ((PLAIN,), BrowserBinding.COOKIE),
    ],
)
def test_any_login_cookie_is_enough(
    world: World, profile: str, cookies: tuple[str, ...], binding: BrowserBinding, window: bool
) -> None:
    seat = Seat(world, profile, cookies=cookies, window=window)
    assert seat.launch().request.path == "/home"
    assert seat.tool.launch.browser_binding is binding
    assert not [key for key in seat.browser.jar if "lti" in key[2]], "the login's cookies are deleted"


def test_without_a_cookie_a_window_from_the_course_helps(world: World, profile: str) -> None:
    frame = Seat(world, profile, cookies=())
    refused = frame.launch()
    error = frame.tool.error
    assert isinstance(error, LaunchRejected)
    assert error.reason is Reason.BINDING_MISSING
    assert (error.code, error.metadata["sec_fetch_dest"]) == ("PERMISSION_DENIED", "iframe")
    # Both platforms take a login's hint once, so no link can begin this login anew: the page says what helps instead.
    assert (refused.status, refused.forms, refused.links) == (403, [], [])
    assert "open the activity again from your course" in refused.text

    window = Seat(world, profile, cookies=(PLAIN,), window=True)
    window.browser.jar = {key: value for key, value in frame.browser.jar.items() if "lti" not in key[2]}
    window.launch()
    assert window.tool.launch.browser_binding is BrowserBinding.COOKIE


def test_the_platforms_storage_proves_the_browser(world: World) -> None:
    seat = Seat(world, "canvas", cookies=())
    assert seat.launch(storage=True).request.path == "/home"
    assert seat.tool.launch.browser_binding is BrowserBinding.PLATFORM_STORAGE
    (step,) = seat.tool.steps
    policy = dict(step.headers)["Content-Security-Policy"]
    assert step.status == 200
    assert "script-src 'sha256-" in policy
    assert "form-action 'self'" in policy


def test_a_cookie_beats_the_platforms_storage(world: World) -> None:
    seat = Seat(world, "canvas", storage_answers=False)
    seat.launch(storage=True)
    assert seat.tool.launch.browser_binding is BrowserBinding.COOKIE
    assert not seat.tool.steps


def test_storage_that_does_not_answer(world: World) -> None:
    seat = Seat(world, "canvas", cookies=(), storage_answers=False)
    refused = seat.launch(storage=True)
    assert seat.tool.error.reason is Reason.BINDING_MISSING
    assert (refused.status, refused.links) == (403, [])


def test_a_proof_counts_from_the_sidecars_own_page_only(world: World) -> None:
    seat = Seat(world, "canvas", cookies=())
    step = seat.browser.send(seat.launch_form(storage=True), "cross-site")
    repost = seat.browser.next(step)
    assert repost is not None
    seat.browser.send(repost, "cross-site")
    assert seat.tool.errors[0].reason is Reason.BINDING_MISSING
    other = replace(
        repost, fields=tuple((name, f"{value}x" if "proof" in name else value) for name, value in repost.fields)
    )
    seat.browser.send(other, "same-origin")
    assert seat.tool.errors[1].reason is Reason.BINDING_MISMATCH
    assert seat.browser.send(repost, "same-origin").status == 303


def test_three_logins_at_once_in_one_browser(world: World, profile: str) -> None:
    seat = Seat(world, profile)
    forms = [seat.launch_form() for _ in range(3)]
    assert sum("lti" in key[2] for key in seat.browser.jar) == 6
    for form in (forms[1], forms[2], forms[0]):
        assert seat.browser.send(form, "cross-site").status == 303
    assert not seat.tool.errors
    assert len({accepted.launch.launch_id for accepted in seat.tool.launches}) == 3


def test_another_browsers_launch(world: World, profile: str) -> None:
    form = Seat(world, profile).launch_form()
    other = Seat(world, profile)
    other.launch_form()
    other.browser.send(form, "cross-site")
    assert other.tool.error.reason is Reason.BINDING_MISSING


def test_a_reload_names_the_launch_it_repeats(world: World, profile: str) -> None:
    seat = Seat(world, profile)
    form = seat.launch_form()
    accepted = seat.browser.send(form, "cross-site")
    seat.browser.reload(accepted)
    (error,) = seat.tool.errors
    assert isinstance(error, LaunchRejected)
    assert error.reason is Reason.NONCE_REPLAYED
    assert error.launch_id == seat.tool.launches[0].launch.launch_id
    assert error.reply is not None
    assert "already used" in error.reply.body


def test_a_tampered_launch(world: World, profile: str) -> None:
    seat = Seat(world, profile)
    form = seat.launch_form()
    changed = tuple((name, value[:-9] + "AAAAAAAAA" if name == "id_token" else value) for name, value in form.fields)
    seat.browser.send(replace(form, fields=changed), "cross-site")
    assert seat.tool.errors[0].reason is Reason.SIGNATURE_INVALID
    assert seat.browser.send(form, "cross-site").status == 303, "the refusal has used nothing up"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("expired", Reason.TOKEN_EXPIRED),
        ("clock_ahead", Reason.TOKEN_NOT_YET_VALID),
        ("wrong_issuer", Reason.ISSUER_MISMATCH),
        ("wrong_audience", Reason.AUDIENCE_MISMATCH),
        ("altered_nonce", Reason.NONCE_MISMATCH),
        ("unknown_kid", Reason.KID_UNKNOWN),
        ("bad_signature", Reason.SIGNATURE_INVALID),
        ("alg_none", Reason.ALGORITHM_NOT_ALLOWED),
        ("wrong_deployment", Reason.DEPLOYMENT_MISMATCH),
        ("missing_claim", Reason.CLAIM_MISSING),
        ("wrong_state", Reason.STATE_FORGED),
        ("missing_state", Reason.PARAMETER_MISSING),
        ("launch_error", Reason.PLATFORM_DENIED),
    ],
)
def test_what_is_wrong_with_a_launch_is_named(world: World, profile: str, fault: str, reason: Reason) -> None:
    world.simulator.fault(profile, fault)
    seat = Seat(world, profile)
    shown = seat.launch()
    error = seat.tool.error
    assert type(error) is LaunchRejected
    assert error.reason is reason
    assert error.request_id
    assert (error.launch_id or error.request_id) in shown.text
    assert reason.value not in shown.text


def test_an_anonymous_visitor_is_refused(world: World) -> None:
    seat = Seat(world, "canvas")
    seat.launch("anonymous")
    assert seat.tool.error.reason is Reason.ANONYMOUS_NOT_ALLOWED


def test_a_launch_token_opens_its_launch_and_is_renewed(world: World, profile: str) -> None:
    launch = launched(world, profile)
    first = world.sidecar.check_launch_token(launch.launch_token)
    assert first.launch == replace(launch, launch_token=first.launch.launch_token, claims_json="")
    assert first.launch.launch_token != launch.launch_token
    assert first.expire_time is not None
    left = first.expire_time - datetime.now(timezone.utc)
    assert timedelta(minutes=55) < left <= timedelta(hours=1)
    second = world.sidecar.check_launch_token(first.launch.launch_token)
    assert second.launch.launch_id == launch.launch_id
    for forged in (launch.launch_token[:-1], launch.launch_token + "A", "forged"):
        with pytest.raises(LaunchRejected) as caught:
            world.sidecar.check_launch_token(forged)
        assert caught.value.reason is Reason.LAUNCH_TOKEN_INVALID


def test_a_score_stands_in_the_grade_book(world: World, profile: str) -> None:
    launch = launched(world, profile, "student2")
    assert launch.grades is not None
    assert launch.user is not None
    stored = GradeEndpoint.from_json(launch.grades.to_json())  # as a tool does that grades days later
    score = Score(launch.user.id, 8, 10, comment="Well done & good")
    delivery = world.sidecar.post_score(stored, score)
    assert delivery.state is DeliveryState.DELIVERED
    assert delivery.sent_time is not None
    grade = world.simulator.grade(profile, launch.user.id)
    assert grade is not None
    assert (grade["score"], grade["of"], grade["comment"]) == (80, 100, "Well done & good")
    assert (grade["activity_progress"], grade["grading_progress"]) == ("Completed", "FullyGraded")
    # The same Score again is harmless, and a newer one counts.
    assert world.sidecar.post_score(stored, score).state in (DeliveryState.DELIVERED, DeliveryState.SUPERSEDED)
    assert world.sidecar.post_score(stored, Score(launch.user.id, 9, 10)).state is DeliveryState.DELIVERED
    grade = world.simulator.grade(profile, launch.user.id)
    assert grade is not None
    assert grade["score"] == 90


def test_a_score_for_somebody_who_is_no_student(world: World, profile: str) -> None:
    launch = launched(world, profile, "teacher")
    assert launch.grades is not None
    assert launch.user is not None
    with pytest.raises(PlatformError) as caught:
        world.sidecar.post_score(launch.grades, Score(launch.user.id, 8, 10))
    error = caught.value
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", Reason.SCORE_REFUSED)
    assert error.reply is None
    assert world.simulator.grade(profile, launch.user.id) is None


def test_a_score_for_a_line_item_that_is_gone(world: World, profile: str) -> None:
    grades = launched(world, profile).grades
    assert grades is not None
    (known,) = world.simulator.get(profile, "registrations")
    number = world.simulator.get(profile, "gradebook")[0]["id"]
    gone = replace(grades, line_item_uri=known["line_item_uri"].replace(f"/{number}", "/99999"))
    with pytest.raises(PlatformError) as caught:
        world.sidecar.post_score(gone, Score("1", 8, 10))
    assert caught.value.reason is Reason.LINE_ITEM_NOT_FOUND


def test_a_score_to_another_server_is_not_sent(world: World, profile: str) -> None:
    grades = launched(world, profile).grades
    assert grades is not None
    elsewhere = replace(grades, line_item_uri="https://elsewhere.example/items/1")
    before = world.simulator.get(profile, "hits").get("token", 0)
    with pytest.raises(PlatformError) as caught:
        world.sidecar.post_score(elsewhere, Score("1", 8, 10))
    assert caught.value.reason is Reason.SERVICE_ORIGIN_PENDING
    assert world.simulator.get(profile, "hits").get("token", 0) == before


def test_the_roster_is_complete(world: World, profile: str) -> None:
    launch = launched(world, profile, "teacher")
    assert launch.memberships is not None
    roster = world.sidecar.list_members(MembershipEndpoint.from_json(launch.memberships.to_json()))
    members = {member.user_id: member for member in roster}
    assert len(members) == roster.member_count == 62
    assert roster.context is not None
    assert launch.context is not None
    assert roster.context.id == launch.context.id
    assert launch.user is not None
    assert members[launch.user.id].user_key == launch.user.key
    for person in world.simulator.get(profile, "people"):
        enrolled = person["key"] not in ("admin", "anonymous")
        assert (person["id"] in members) == enrolled
        if enrolled:
            member = members[person["id"]]
            assert member.name == f"{person['given_name']} {person['family_name']}"
            assert member.email == person["email"]
    if profile == "canvas":
        assert sum(1 for _ in world.sidecar.list_members(launch.memberships, page_size_hint=10)) == 62


def test_the_roster_of_one_role(world: World, profile: str) -> None:
    memberships = launched(world, profile, "teacher").memberships
    assert memberships is not None
    student = world.simulator.person(profile, "student")["id"]
    learners = [member.user_id for member in world.sidecar.list_members(memberships, role="Learner")]
    teachers = [member.user_id for member in world.sidecar.list_members(memberships, role="Instructor")]
    assert student in learners
    assert world.simulator.person(profile, "teacher")["id"] in teachers
    # Canvas has its teaching assistant as an instructor; Moodle has everybody but the teacher as a learner.
    assert (len(learners), len(teachers)) == ((60, 2) if profile == "canvas" else (61, 1))
    assert not set(learners) & set(teachers)


def test_a_service_token_opens_the_platforms_services(world: World, profile: str) -> None:
    launch = launched(world, profile, "teacher")
    assert launch.memberships is not None
    token = world.sidecar.get_service_token(launch.registration, launch.deployment_id, [SCOPE])
    assert SCOPE in token.scopes
    assert token.allowed_origins == (world.simulator.url,)
    assert token.expire_time is not None
    assert token.expire_time > datetime.now(timezone.utc) + timedelta(minutes=30)
    headers = {
        "Authorization": f"Bearer {token.access_token}",
        "Accept": "application/vnd.ims.lti-nrps.v2.membershipcontainer+json",
    }
    request = urllib.request.Request(launch.memberships.context_memberships_uri, headers=headers)
    with urllib.request.urlopen(request, timeout=30, context=world.simulator.trust) as answer:
        assert json.load(answer)["context"]["id"] == (launch.context and launch.context.id)
    assert token.access_token not in repr(token)


def test_a_scope_that_the_platform_does_not_grant(world: World, profile: str) -> None:
    launch = launched(world, profile)
    scopes = [SCORE_SCOPE, "https://example.org/scope/all"]
    with pytest.raises(PlatformError) as caught:
        world.sidecar.get_service_token(launch.registration, launch.deployment_id, scopes)
    if profile == "canvas":
        assert caught.value.reason is Reason.TOKEN_REQUEST_REFUSED
        assert caught.value.metadata["platform_error"].startswith("invalid_scope: ")
    else:  # grants what it knows of them
        assert caught.value.reason is Reason.SCOPE_NOT_GRANTED
        assert caught.value.metadata["actual"] == SCORE_SCOPE


def test_the_key_set_is_what_signs_for_the_tool(world: World, profile: str) -> None:
    launch = launched(world, profile)
    world.sidecar.get_service_token(launch.registration, launch.deployment_id, [SCORE_SCOPE])
    kids = {key["kid"] for key in json.loads(world.sidecar.get_tool_key_set().jwks)["keys"]}
    good = [request for request in world.simulator.get(profile, "tokens") if "error" not in request]
    assert good
    assert {request["header"]["kid"] for request in good} <= kids


def test_a_service_that_is_out_of_reach(world: World, profile: str) -> None:
    memberships = launched(world, profile, "teacher").memberships
    assert memberships is not None
    list(world.sidecar.list_members(memberships))  # the service token is there
    for fault, kind, reason in (
        ("service_unavailable", Unavailable, Reason.PLATFORM_UNAVAILABLE),
        ("rate_limited", LimitReached, Reason.PLATFORM_THROTTLED),
    ):
        world.simulator.post(profile, "faults", {"fault": fault, "sticky": True})
        try:
            with pytest.raises(SidecarError) as caught:
                world.sidecar.list_members(memberships, idle_timeout=20)
        finally:
            world.simulator.clear_faults(profile)
        assert type(caught.value) is kind
        assert caught.value.reason is reason
        assert caught.value.retry_after is not None
    assert sum(1 for _ in world.sidecar.list_members(memberships)) == 62


def test_what_only_the_tool_itself_sets(world: World) -> None:
    with pytest.raises(InvalidRequest) as caught:
        world.sidecar.get_service_token("unknown", "1", [SCOPE])
    assert caught.value.reason is Reason.REGISTRATION_UNKNOWN
