# SPDX-License-Identifier: Apache-2.0
"""Grade books, deliveries, groups and deep links of the simulated platforms, through the real sidecar."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import flask
import pytest

from ltisidecar import (
    DeliveryState,
    HtmlItem,
    InvalidRequest,
    Launch,
    LineItem,
    PlatformError,
    Reason,
    ResourceLinkItem,
    Score,
    Sidecar,
)
from ltisidecar.flask import LTIBlueprint
from ltisidecar.testing import PLATFORMS, Stack, run_stack, wsgi_tool


@pytest.fixture(params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["grpc", "http"])
def real(request: pytest.FixtureRequest, lti: Stack) -> Iterator[Sidecar]:
    with Sidecar(lti.address if request.param == "grpc" else lti.http_address) as sidecar:
        yield sidecar


def launched(lti: Stack, sidecar: Sidecar, platform: str, user: str = "student", message: str = "") -> Launch:
    launches: list[Launch] = []
    routes = LTIBlueprint(sidecar)

    def keep(launch: Launch) -> Any:
        launches.append(launch)
        return "launched"

    routes.on_launch(keep)
    routes.on_deep_linking(keep)
    app = flask.Flask(__name__)
    app.register_blueprint(routes)
    page = lti.browser(platform, tool=wsgi_tool(app)).launch(user, message=message)
    assert page.text == "launched"
    return launches[0]


def test_a_line_item_from_its_making_to_its_end(lti: Stack, real: Sidecar, platform: str) -> None:
    launch = launched(lti, real, platform)
    assert launch.grades is not None
    assert launch.user is not None
    sidecar = real
    wanted = LineItem(label="Essay", score_maximum=20, resource_id="essay-1", tag="final")
    made = sidecar.ensure_line_item(launch.grades, wanted)
    assert made.created
    assert (made.item.label, made.item.score_maximum, made.item.resource_id) == ("Essay", 20, "essay-1")
    again = sidecar.ensure_line_item(launch.grades, LineItem(label="Essay", score_maximum=30, resource_id="essay-1"))
    assert (again.created, again.item.uri, again.differing_fields) == (False, made.item.uri, ("score_maximum",))
    changed = sidecar.update_line_item(launch.grades, LineItem(uri=made.item.uri, label="Essay 1"), ["label"])
    assert (changed.label, changed.score_maximum) == ("Essay 1", 20)
    assert sidecar.get_line_item(launch.grades, made.item.uri).label == "Essay 1"
    found = sidecar.list_line_items(launch.grades, resource_id="essay-1")
    assert [item.uri for item in found] == [made.item.uri]

    endpoint = launch.grades.with_line_item(made.item.uri)
    assert endpoint.can_post_score
    sidecar.post_score(endpoint, Score(launch.user.id, 17, 20))
    (result,) = sidecar.list_results(endpoint, user_id=launch.user.id)
    assert (result.user_id, result.user_key) == (launch.user.id, launch.user.key)
    assert result.score is not None
    assert result.score / result.score_maximum == 17 / 20

    sidecar.delete_line_item(launch.grades, made.item.uri)
    with pytest.raises(PlatformError) as caught:
        sidecar.get_line_item(launch.grades, made.item.uri)
    assert caught.value.reason is Reason.LINE_ITEM_NOT_FOUND


def test_deliveries_are_listed_watched_and_tried_again(lti: Stack, real: Sidecar, platform: str) -> None:
    launch = launched(lti, real, platform, "student6")
    assert launch.grades is not None
    assert launch.user is not None
    sidecar = real
    before = sidecar.list_score_deliveries(platform)
    while not before.complete:
        before = sidecar.list_score_deliveries(platform, cursor=before.cursor)
    with sidecar.watch_score_deliveries(platform, cursor=before.cursor) as watch:
        score, name = Score(launch.user.id, 8, 10), str(uuid.uuid4())
        delivered = sidecar.post_score(launch.grades, score, request_id=name)
        assert delivered.state is DeliveryState.DELIVERED
        assert sidecar.post_score(launch.grades, score, request_id=name).delivery_id == delivered.delivery_id
        with pytest.raises(InvalidRequest) as caught:
            sidecar.post_score(launch.grades, Score(launch.user.id, 9, 10), request_id=name)
        assert caught.value.reason is Reason.REQUEST_ID_REUSED
        stop = threading.Timer(20, watch.close)  # so that a test that fails does not hang
        stop.start()
        for change in watch:
            assert change.delivery_id == delivered.delivery_id
            if change.state is DeliveryState.DELIVERED:
                break
        else:
            pytest.fail("the watch never saw it delivered")
        stop.cancel()
    teacher = lti.simulator.person(platform, "teacher")
    with pytest.raises(PlatformError):
        sidecar.post_score(launch.grades, Score(teacher["id"], 8, 10))
    refused = sidecar.list_score_deliveries(platform, user_id=teacher["id"], states=[DeliveryState.REFUSED]).deliveries
    assert refused[-1].platform_error
    again = sidecar.retry_score_delivery(platform, refused[-1].delivery_id)
    assert again.delivery_id == refused[-1].delivery_id


def test_content_is_checked_before_it_is_signed(lti: Stack, real: Sidecar, platform: str) -> None:
    launch = launched(lti, real, platform, "teacher", "LtiDeepLinkingRequest")
    settings = launch.deep_linking
    assert settings is not None
    assert "ltiResourceLink" in settings.accept_types
    answer = real.build_deep_linking_response(settings.deep_linking_token, [ResourceLinkItem(title="Quiz")])
    assert answer.return_uri == settings.return_uri
    assert answer.jwt in answer.reply.body
    with pytest.raises(InvalidRequest) as caught:
        real.build_deep_linking_response(settings.deep_linking_token, [HtmlItem("<p>", title="x" * 20_000)])
    assert caught.value.metadata["field"].startswith("items[0]")
    assert settings.deep_linking_token not in repr(launch)


@pytest.fixture(scope="module")
def sakai(lti_programs: None) -> Iterator[Stack]:
    with run_stack(platforms=["sakai"]) as stack:
        yield stack


def test_the_groups_of_a_course(sakai: Stack) -> None:
    launch = launched(sakai, sakai.sidecar, "sakai", "teacher")
    assert launch.groups is not None
    groups = sakai.sidecar.list_groups(launch.groups)
    assert len(groups.groups) == len(sakai.simulator.get("sakai", "groups")) > 0
    assert all(group.id and group.name for group in groups.groups)


def test_a_service_that_was_not_offered(sidecar: Sidecar) -> None:
    for call in (sidecar.list_groups, sidecar.list_members, sidecar.list_results):
        with pytest.raises(TypeError, match="the platform did not offer the service"):
            call(None)  # type: ignore[arg-type]
