# SPDX-License-Identifier: Apache-2.0
"""Grades, line items, deliveries, groups, events and content items, each field of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from scripted_sidecar import ScriptedSidecar, refuse
from test_sidecar import ENDPOINT, NOON, fill, timestamp

from ltisidecar import (
    AssetProcessorItem,
    CanvasFile,
    CanvasSubmission,
    ContentIframe,
    ContentImage,
    ContentItem,
    ContentWindow,
    CourseGroups,
    DeepLinkingResponse,
    DeliveryState,
    EnsuredLineItem,
    EventDelivery,
    EventDeliveryState,
    EventEndpoint,
    FileItem,
    Group,
    GroupEndpoint,
    GroupSet,
    HtmlItem,
    ImageItem,
    Incomplete,
    InvalidRequest,
    LineItem,
    LinkItem,
    OtherItem,
    Reason,
    ResourceLinkItem,
    Score,
    ScoreDelivery,
    Sidecar,
    SubmissionReview,
    TimeWindow,
    Unavailable,
)
from ltisidecar.v1 import (
    browser_pb2,
    content_item_pb2,
    endpoint_pb2,
    event_service_pb2,
    grade_service_pb2,
    launch_service_pb2,
    line_item_pb2,
    roster_service_pb2,
)

EXTENSIONS = {"https://canvas.example/x": {"é": [1, None]}}
TEXT = '{"https://canvas.example/x":{"é":[1,null]}}'


def delivery_message(**changes: Any) -> grade_service_pb2.ScoreDelivery:
    message: grade_service_pb2.ScoreDelivery = fill(grade_service_pb2.ScoreDelivery(), attempts=3, platform_status=422)
    message.reason = "PLATFORM_REFUSED"
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_every_field_of_a_delivery(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: grade_service_pb2.RetryScoreDeliveryResponse(delivery=delivery_message())
    delivery = sidecar.retry_score_delivery("canvas", "d1")
    assert delivery == ScoreDelivery(
        state=DeliveryState.DELIVERED,
        sent_time=NOON,
        result_uri="ScoreDelivery result_uri",
        delivery_id="ScoreDelivery delivery_id",
        registration="ScoreDelivery registration",
        deployment_id="ScoreDelivery deployment_id",
        line_item_uri="ScoreDelivery line_item_uri",
        user_id="ScoreDelivery user_id",
        request_id="ScoreDelivery request_id",
        score_time=NOON,
        create_time=NOON,
        update_time=NOON,
        attempts=3,
        next_attempt_time=NOON,
        reason=Reason("PLATFORM_REFUSED"),
        platform_status=422,
        platform_error="ScoreDelivery platform_error",
    )
    assert (server.requests[0].registration, server.requests[0].delivery_id) == ("canvas", "d1")
    server.answer = lambda *_: grade_service_pb2.RetryScoreDeliveryResponse()
    assert sidecar.retry_score_delivery("canvas", "d1") == ScoreDelivery(DeliveryState.QUEUED)


def test_every_delivery_state_has_a_name() -> None:
    names = {name.removeprefix("DELIVERY_STATE_") for name in grade_service_pb2.DeliveryState.DESCRIPTOR.values_by_name}
    assert names - {"UNSPECIFIED"} == {state.name for state in DeliveryState}


def test_every_field_of_a_score(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: grade_service_pb2.PostScoreResponse()
    canvas = CanvasSubmission(
        new_submission=False,
        submission_type="online_upload",
        submission_data="https://tool.example/1",
        submission_time=NOON,
        files=(CanvasFile("https://tool.example/f", "f.pdf", "application/pdf"),),
        prioritize_non_tool_grade=True,
        preserve_score=False,
    )
    score = Score(
        "u",
        8,
        10,
        submission_start_time=NOON - timedelta(hours=1),
        submission_time=NOON,
        canvas_submission=canvas,
        extensions=EXTENSIONS,
    )
    sidecar.post_score(ENDPOINT, score, request_id="r1", max_wait=0.25)
    request = server.requests[0]
    assert (request.request_id, request.max_wait) == ("r1", Duration(nanos=250_000_000))
    sent = request.score
    assert (sent.submission_start_time, sent.submission_time) == (
        timestamp(NOON - timedelta(hours=1)),
        timestamp(NOON),
    )
    assert sent.extensions_json == TEXT
    file = grade_service_pb2.CanvasFile(uri="https://tool.example/f", title="f.pdf", media_type="application/pdf")
    assert sent.canvas_submission == grade_service_pb2.CanvasSubmission(
        new_submission=False,
        submission_type="online_upload",
        submission_data="https://tool.example/1",
        submission_time=timestamp(NOON),
        files=[file],
        prioritize_non_tool_grade=True,
        preserve_score=False,
    )
    assert server.deadlines[0] == pytest.approx(10.25, abs=1)
    sidecar.post_score(ENDPOINT, Score("u", 8, 10, canvas_submission=CanvasSubmission()), max_wait=0)
    request = server.requests[1]
    assert request.HasField("max_wait")
    for name in ("new_submission", "prioritize_non_tool_grade", "preserve_score", "submission_time"):
        assert not request.score.canvas_submission.HasField(name)
    sidecar.post_score(ENDPOINT, Score("u", 8, 10))
    assert not server.requests[2].HasField("max_wait")


def test_a_score_without_a_number_has_to_be_said() -> None:
    with pytest.raises(TypeError, match="score_given"):
        Score("u")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="submission_time needs a time zone"):
        Score("u", 1, 1, submission_time=datetime(2026, 11, 23))


def test_list_score_deliveries(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: grade_service_pb2.ListScoreDeliveriesResponse(
        deliveries=[delivery_message(delivery_id="1"), delivery_message(delivery_id="2")], cursor="c2", complete=True
    )
    page = sidecar.list_score_deliveries(
        "canvas",
        deployment_id="1:d",
        line_item_uri="https://lms.example/items/7",
        user_id="u",
        states=[DeliveryState.REFUSED, DeliveryState.UNCONFIRMED],
        page_size=2,
        cursor="c1",
    )
    assert [delivery.delivery_id for delivery in page.deliveries] == ["1", "2"]
    assert (page.cursor, page.complete) == ("c2", True)
    assert server.requests[0] == grade_service_pb2.ListScoreDeliveriesRequest(
        registration="canvas",
        deployment_id="1:d",
        line_item_uri="https://lms.example/items/7",
        user_id="u",
        states=["DELIVERY_STATE_REFUSED", "DELIVERY_STATE_UNCONFIRMED"],
        page_size=2,
        cursor="c1",
    )


def change(cursor: str, **delivery: Any) -> grade_service_pb2.WatchScoreDeliveriesResponse:
    if not delivery:
        return grade_service_pb2.WatchScoreDeliveriesResponse(cursor=cursor)
    return grade_service_pb2.WatchScoreDeliveriesResponse(cursor=cursor, delivery=delivery_message(**delivery))


def test_a_watch_has_the_cursor_of_what_came_last(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    ended = threading.Event()

    def answer(_: Any, context: Any) -> Iterator[grade_service_pb2.WatchScoreDeliveriesResponse]:
        context.add_callback(ended.set)
        yield from (change("c0"), change("c1", delivery_id="1"), change("c2", delivery_id="2"))
        ended.wait(30)

    server.answer = answer
    watch = sidecar.watch_score_deliveries("canvas", cursor="stored")
    assert watch.cursor == "c0"
    seen = []
    for delivery in watch:
        seen.append((delivery.delivery_id, watch.cursor))
        if len(seen) == 2:
            watch.close()
    assert seen == [("1", "c1"), ("2", "c2")]
    assert ended.wait(10)
    assert (server.requests[0].registration, server.requests[0].cursor) == ("canvas", "stored")
    assert server.deadlines[0] is None or server.deadlines[0] > 1e9


def test_a_watch_may_be_closed_from_another_thread(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    ended = threading.Event()

    def answer(_: Any, context: Any) -> Iterator[grade_service_pb2.WatchScoreDeliveriesResponse]:
        context.add_callback(ended.set)
        yield change("c0")
        ended.wait(30)

    server.answer = answer
    watch = sidecar.watch_score_deliveries("canvas")
    threading.Timer(0.05, watch.close).start()
    assert list(watch) == []


def test_a_watch_that_the_sidecar_ends_is_an_error(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: [change("c0"), change("c1", delivery_id="1")]
    watch = sidecar.watch_score_deliveries("canvas")
    assert next(watch).delivery_id == "1"
    with pytest.raises(Unavailable, match="watch again"):
        next(watch)
    assert watch.cursor == "c1"


def result(user: str, **more: Any) -> line_item_pb2.Result:
    return line_item_pb2.Result(user_id=user, user_key=f"k{user}", score_maximum=10, **more)


def test_results_are_whole_or_an_error(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    pb = grade_service_pb2
    first = pb.ListResultsResponse(
        batch=pb.ResultBatch(results=[result("1", score=0, comment="c", extensions_json=TEXT), result("2")])
    )
    end = pb.ListResultsResponse(end=pb.ResultsEnd(result_count=2))
    server.answer = lambda *_: [first, end]
    results = list(sidecar.list_results(ENDPOINT, "https://lms.example/items/8", user_id="u", page_size_hint=5))
    assert [(one.user_id, one.user_key, one.score, one.score_maximum) for one in results] == [
        ("1", "k1", 0, 10),
        ("2", "k2", None, 10),
    ]
    assert (results[0].comment, results[0].extensions, results[1].extensions) == ("c", EXTENSIONS, {})
    request = server.requests[0]
    assert request.endpoint.line_item_uri == ENDPOINT.line_item_uri
    assert (request.line_item_uri, request.user_id, request.page_size_hint) == ("https://lms.example/items/8", "u", 5)
    for parts in ([first], [first, pb.ListResultsResponse(end=pb.ResultsEnd(result_count=3))]):
        server.answer = lambda *_, parts=parts: parts
        with pytest.raises(Incomplete):
            list(sidecar.list_results(ENDPOINT))


ITEM = LineItem(
    uri="LineItem uri",
    label="LineItem label",
    score_maximum=3.5,
    resource_link_id="LineItem resource_link_id",
    resource_id="LineItem resource_id",
    tag="LineItem tag",
    start_time=NOON,
    end_time=NOON,
    grades_released=True,
    submission_review=SubmissionReview(
        reviewable_status=("reviewable_status 1", "reviewable_status 2"),
        label="SubmissionReview label",
        uri="SubmissionReview uri",
        custom={"key": "custom value"},
    ),
    extensions=EXTENSIONS,
)


def item_message() -> line_item_pb2.LineItem:
    message: line_item_pb2.LineItem = fill(line_item_pb2.LineItem())
    message.extensions_json = TEXT
    return message


def test_a_line_item_goes_there_and_back(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: grade_service_pb2.EnsureLineItemResponse(
        item=item_message(), created=True, differing_fields=["score_maximum"]
    )
    assert sidecar.ensure_line_item(ENDPOINT, ITEM) == EnsuredLineItem(ITEM, True, ("score_maximum",))
    assert server.requests[0].wanted == item_message()
    server.answer = lambda *_: grade_service_pb2.GetLineItemResponse(item=line_item_pb2.LineItem())
    assert sidecar.get_line_item(ENDPOINT) == LineItem()
    assert server.requests[1].line_item_uri == ""
    server.answer = lambda *_: grade_service_pb2.ListLineItemsResponse(items=[item_message()])
    listed = sidecar.list_line_items(ENDPOINT, resource_link_id="l", resource_id="r", tag="t", page_size_hint=7)
    assert listed == (ITEM,)
    request = server.requests[2]
    assert (request.resource_link_id, request.resource_id, request.tag, request.page_size_hint) == ("l", "r", "t", 7)
    server.answer = lambda *_: grade_service_pb2.UpdateLineItemResponse(item=item_message())
    assert sidecar.update_line_item(ENDPOINT, ITEM, ["score_maximum", "extensions"]) == ITEM
    assert list(server.requests[3].update_mask.paths) == ["score_maximum", "extensions_json"]
    sidecar.update_line_item(ENDPOINT, LineItem(uri="u", label="l"))
    assert not server.requests[4].HasField("update_mask")
    assert server.requests[4].item == line_item_pb2.LineItem(uri="u", label="l")
    server.answer = lambda *_: grade_service_pb2.DeleteLineItemResponse()
    sidecar.delete_line_item(ENDPOINT, "https://lms.example/items/7")
    assert server.requests[5].line_item_uri == "https://lms.example/items/7"


def test_an_update_mask_has_the_names_of_the_proto() -> None:
    fields = {field.name for field in line_item_pb2.LineItem.DESCRIPTOR.fields}
    assert {"extensions_json" if name == "extensions" else name for name in LineItem.__dataclass_fields__} == fields


def test_the_endpoint_of_another_line_item() -> None:
    scope = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
    without = ENDPOINT.with_line_item("https://lms.example/items/8")
    assert (without.line_item_uri, without.can_post_score) == ("https://lms.example/items/8", False)
    assert type(without)("r", "d", scopes=(scope,)).with_line_item("i").can_post_score


def test_list_groups(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    pb = roster_service_pb2
    server.answer = lambda *_: pb.ListGroupsResponse(
        groups=[pb.Group(id="g", name="Red", tag="t", set_ids=["s"], hidden=True)],
        sets=[pb.GroupSet(id="s", name="Teams", tag="u", hidden=True)],
    )
    endpoint = GroupEndpoint(
        "canvas", "1:d", "https://lms.example/groups", "https://lms.example/sets", ("1.0",), ("s",)
    )
    groups = sidecar.list_groups(endpoint, user_id="u", page_size_hint=9)
    assert groups == CourseGroups((Group("g", "Red", "t", ("s",), True),), (GroupSet("s", "Teams", "u", True),))
    request = server.requests[0]
    assert (request.user_id, request.page_size_hint) == ("u", 9)
    assert request.endpoint == endpoint_pb2.GroupEndpoint(
        registration="canvas",
        deployment_id="1:d",
        context_groups_uri="https://lms.example/groups",
        context_group_sets_uri="https://lms.example/sets",
        service_versions=["1.0"],
        scopes=["s"],
    )
    assert GroupEndpoint.from_json(endpoint.to_json()) == endpoint


def test_send_events(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    pb = event_service_pb2
    server.answer = lambda *_: pb.SendEventsResponse(
        state="EVENT_DELIVERY_STATE_DELIVERED", deliver_time=timestamp(NOON)
    )
    endpoint = EventEndpoint("canvas", "1:d", "https://lms.example/caliper", "session", ("s",))
    assert sidecar.send_events(endpoint, "{}", durable=True) == EventDelivery(EventDeliveryState.DELIVERED, NOON)
    request = server.requests[0]
    assert (request.envelope_json, request.durable) == ("{}", True)
    assert request.endpoint == endpoint_pb2.EventEndpoint(
        registration="canvas",
        deployment_id="1:d",
        caliper_endpoint_uri="https://lms.example/caliper",
        federated_session_id="session",
        scopes=["s"],
    )
    server.answer = lambda *_: pb.SendEventsResponse()
    assert sidecar.send_events(endpoint, "{}").state is EventDeliveryState.QUEUED
    assert EventEndpoint.from_json(endpoint.to_json()) == endpoint


PB = content_item_pb2
COMMON: dict[str, Any] = {
    "title": "ContentItem title",
    "text": "ContentItem text",
    "icon": ContentImage("ContentImage uri", 2, 3),
    "thumbnail": ContentImage("ContentImage uri", 2, 3),
    "extensions": EXTENSIONS,
}
WINDOW = ContentWindow("ContentWindow target_name", 2, 3, "ContentWindow window_features")
IFRAME = ContentIframe("ContentIframe src_uri", 2, 3)
SPAN = TimeWindow(NOON, NOON)
CUSTOM = {"key": "custom value"}
ITEMS: dict[str, ContentItem] = {
    "link": LinkItem("LinkItem uri", "LinkItem embed_html", WINDOW, IFRAME, **COMMON),
    "resource_link": ResourceLinkItem("ResourceLinkItem uri", CUSTOM, WINDOW, IFRAME, ITEM, SPAN, SPAN, **COMMON),
    "file": FileItem("FileItem uri", NOON, "FileItem media_type", **COMMON),
    "html": HtmlItem("HtmlItem html", **COMMON),
    "image": ImageItem("ImageItem uri", 2, 3, **COMMON),
    "asset_processor": AssetProcessorItem("AssetProcessorItem uri", CUSTOM, EXTENSIONS, **COMMON),
    "other": OtherItem("OtherItem type", EXTENSIONS, **COMMON),
}


def test_there_is_a_type_for_each_kind_of_content() -> None:
    (kinds,) = PB.ContentItem.DESCRIPTOR.oneofs
    assert [field.name for field in kinds.fields] == list(ITEMS)


@pytest.mark.parametrize("kind", ITEMS)
def test_every_field_of_a_content_item(server: ScriptedSidecar, sidecar: Sidecar, kind: str) -> None:
    server.answer = lambda *_: launch_service_pb2.BuildDeepLinkingResponseResponse(
        reply=browser_pb2.BrowserReply(status=200, body="<!doctype html>"),
        return_uri="https://lms.example/return",
        jwt="a.b.c",
    )
    answer = sidecar.build_deep_linking_response(
        "sealed", [ITEMS[kind]], message="m", log="l", error_message="e", error_log="f", csp_nonce="bm9u"
    )
    assert isinstance(answer, DeepLinkingResponse)
    assert (answer.reply.body, answer.return_uri, answer.jwt) == (
        "<!doctype html>",
        "https://lms.example/return",
        "a.b.c",
    )
    assert "a.b.c" not in repr(answer)
    request = server.requests[0]
    assert (request.deep_linking_token, request.message, request.log) == ("sealed", "m", "l")
    assert (request.error_message, request.error_log, request.csp_nonce) == ("e", "f", "bm9u")
    wanted = fill(PB.ContentItem(), skip_oneof=True)
    for image in (wanted.icon, wanted.thumbnail):
        image.CopyFrom(PB.ContentImage(uri="ContentImage uri", width=2, height=3))
    wanted.extensions_json = TEXT
    part = fill(getattr(wanted, kind))
    for name in ("report_json", "members_json"):
        if hasattr(part, name):
            setattr(part, name, TEXT)
    if kind == "resource_link":
        part.line_item.extensions_json = TEXT
    assert list(request.items) == [wanted]


def test_cancel_and_a_refused_item(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: launch_service_pb2.BuildDeepLinkingResponseResponse()
    sidecar.build_deep_linking_response("sealed")
    assert list(server.requests[0].items) == []
    server.answer = lambda _, context: refuse(
        context, grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", metadata={"field": "items[0].link"}
    )
    with pytest.raises(InvalidRequest) as caught:
        sidecar.build_deep_linking_response("sealed", [LinkItem("https://tool.example/")])
    assert caught.value.metadata == {"field": "items[0].link"}
    with pytest.raises(TypeError, match="not a content item"):
        sidecar.build_deep_linking_response("sealed", ["link"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="time zone"):
        sidecar.build_deep_linking_response("sealed", [FileItem("https://x", datetime(2026, 1, 1))])


def test_times_of_any_zone(server: ScriptedSidecar, sidecar: Sidecar) -> None:
    server.answer = lambda *_: grade_service_pb2.EnsureLineItemResponse()
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    sidecar.ensure_line_item(ENDPOINT, LineItem(label="l", start_time=elsewhere))
    assert server.requests[0].wanted.start_time == timestamp(NOON)
