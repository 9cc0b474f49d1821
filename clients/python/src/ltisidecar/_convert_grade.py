# SPDX-License-Identifier: Apache-2.0
"""Between the messages of the API and the types of the client: grades, line items and content items."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ltisidecar._content import (
    AssetProcessorItem,
    ContentIframe,
    ContentImage,
    ContentItem,
    ContentWindow,
    FileItem,
    HtmlItem,
    ImageItem,
    LinkItem,
    OtherItem,
    ResourceLinkItem,
    TimeWindow,
)
from ltisidecar._convert import named
from ltisidecar._convert_message import optional_time
from ltisidecar._grade import CanvasSubmission, DeliveryState, Result, Score, ScoreDelivery
from ltisidecar._line_item import LineItem, SubmissionReview
from ltisidecar._reason import Reason
from ltisidecar.v1 import content_item_pb2, grade_service_pb2, line_item_pb2


def timestamp(time: datetime | None) -> Timestamp | None:
    """Returns the message, or None for None. A time without a zone would be taken as UTC: that is a ValueError."""
    if time is None:
        return None
    if time.tzinfo is None:
        raise ValueError(f"{time!r} needs a time zone, such as datetime.now(timezone.utc)")
    message = Timestamp()
    message.FromDatetime(time.astimezone(timezone.utc))
    return message


def json_text(members: Mapping[str, Any]) -> str:
    """Returns JSON text, compact; empty for no members."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")) if members else ""


def members(text: str) -> dict[str, Any]:
    """Returns what json_text wrote."""
    parsed: dict[str, Any] = json.loads(text or "{}")
    return parsed


def _flags(**flags: bool | None) -> dict[str, bool]:
    return {name: flag for name, flag in flags.items() if flag is not None}


def score_message(score: Score) -> grade_service_pb2.Score:
    canvas = score.canvas_submission
    return grade_service_pb2.Score(
        user_id=score.user_id,
        score_given=score.score_given,
        score_maximum=score.score_maximum,
        activity_progress=f"ACTIVITY_PROGRESS_{score.activity_progress.name}",
        grading_progress=f"GRADING_PROGRESS_{score.grading_progress.name}",
        score_time=timestamp(score.score_time),
        comment=score.comment,
        scoring_user_id=score.scoring_user_id,
        submission_start_time=timestamp(score.submission_start_time),
        submission_time=timestamp(score.submission_time),
        canvas_submission=None if canvas is None else _canvas_submission_message(canvas),
        extensions_json=json_text(score.extensions),
    )


def _canvas_submission_message(submission: CanvasSubmission) -> grade_service_pb2.CanvasSubmission:
    return grade_service_pb2.CanvasSubmission(
        submission_type=submission.submission_type,
        submission_data=submission.submission_data,
        submission_time=timestamp(submission.submission_time),
        files=[
            grade_service_pb2.CanvasFile(uri=file.uri, title=file.title, media_type=file.media_type)
            for file in submission.files
        ],
        **_flags(
            new_submission=submission.new_submission,
            prioritize_non_tool_grade=submission.prioritize_non_tool_grade,
            preserve_score=submission.preserve_score,
        ),
    )


def score_delivery(message: grade_service_pb2.ScoreDelivery) -> ScoreDelivery:
    def time(name: str) -> datetime | None:
        return optional_time(message.HasField(name), getattr(message, name))

    return ScoreDelivery(
        state=named(
            DeliveryState, grade_service_pb2.DeliveryState, "DELIVERY_STATE_", message.state, DeliveryState.QUEUED
        ),
        sent_time=time("sent_time"),
        result_uri=message.result_uri,
        delivery_id=message.delivery_id,
        registration=message.registration,
        deployment_id=message.deployment_id,
        line_item_uri=message.line_item_uri,
        user_id=message.user_id,
        request_id=message.request_id,
        score_time=time("score_time"),
        create_time=time("create_time"),
        update_time=time("update_time"),
        attempts=message.attempts,
        next_attempt_time=time("next_attempt_time"),
        reason=Reason(message.reason) if message.reason else None,
        platform_status=message.platform_status,
        platform_error=message.platform_error,
    )


def result(message: line_item_pb2.Result) -> Result:
    return Result(
        uri=message.uri,
        line_item_uri=message.line_item_uri,
        user_key=message.user_key,
        user_id=message.user_id,
        score=message.score if message.HasField("score") else None,
        score_maximum=message.score_maximum,
        scoring_user_id=message.scoring_user_id,
        comment=message.comment,
        extensions=members(message.extensions_json),
    )


def line_item(message: line_item_pb2.LineItem) -> LineItem:
    review = message.submission_review
    return LineItem(
        uri=message.uri,
        label=message.label,
        score_maximum=message.score_maximum if message.HasField("score_maximum") else None,
        resource_link_id=message.resource_link_id,
        resource_id=message.resource_id,
        tag=message.tag,
        start_time=optional_time(message.HasField("start_time"), message.start_time),
        end_time=optional_time(message.HasField("end_time"), message.end_time),
        grades_released=message.grades_released if message.HasField("grades_released") else None,
        submission_review=(
            SubmissionReview(
                reviewable_status=tuple(review.reviewable_status),
                label=review.label,
                uri=review.uri,
                custom=dict(review.custom),
            )
            if message.HasField("submission_review")
            else None
        ),
        extensions=members(message.extensions_json),
    )


def line_item_message(item: LineItem) -> line_item_pb2.LineItem:
    review = item.submission_review
    return line_item_pb2.LineItem(
        uri=item.uri,
        label=item.label,
        score_maximum=item.score_maximum,
        resource_link_id=item.resource_link_id,
        resource_id=item.resource_id,
        tag=item.tag,
        start_time=timestamp(item.start_time),
        end_time=timestamp(item.end_time),
        **_flags(grades_released=item.grades_released),
        submission_review=(
            None
            if review is None
            else line_item_pb2.SubmissionReview(
                reviewable_status=review.reviewable_status, label=review.label, uri=review.uri, custom=review.custom
            )
        ),
        extensions_json=json_text(item.extensions),
    )


def content_item_message(item: ContentItem) -> content_item_pb2.ContentItem:
    if not isinstance(item, ContentItem):
        raise TypeError(f"not a content item: {type(item).__name__}")
    message = content_item_pb2.ContentItem(
        title=item.title,
        text=item.text,
        icon=_image_message(item.icon),
        thumbnail=_image_message(item.thumbnail),
        extensions_json=json_text(item.extensions),
    )
    pb = content_item_pb2
    match item:
        case LinkItem():
            link = pb.LinkItem(
                uri=item.uri,
                embed_html=item.embed_html,
                window=_window_message(item.window),
                iframe=_iframe_message(item.iframe),
            )
            message.link.CopyFrom(link)
        case ResourceLinkItem():
            resource_link = pb.ResourceLinkItem(
                uri=item.uri,
                custom=item.custom,
                window=_window_message(item.window),
                iframe=_iframe_message(item.iframe),
                line_item=line_item_message(item.line_item) if item.line_item else None,
                available=_time_window_message(item.available),
                submission=_time_window_message(item.submission),
            )
            message.resource_link.CopyFrom(resource_link)
        case FileItem():
            file = pb.FileItem(uri=item.uri, expire_time=timestamp(item.expire_time), media_type=item.media_type)
            message.file.CopyFrom(file)
        case HtmlItem():
            message.html.CopyFrom(pb.HtmlItem(html=item.html))
        case ImageItem():
            message.image.CopyFrom(pb.ImageItem(uri=item.uri, width=item.width, height=item.height))
        case AssetProcessorItem():
            processor = pb.AssetProcessorItem(uri=item.uri, custom=item.custom, report_json=json_text(item.report))
            message.asset_processor.CopyFrom(processor)
        case OtherItem():
            message.other.CopyFrom(pb.OtherItem(type=item.type, members_json=json_text(item.members)))
    return message


def _image_message(image: ContentImage | None) -> content_item_pb2.ContentImage | None:
    if image is None:
        return None
    return content_item_pb2.ContentImage(uri=image.uri, width=image.width, height=image.height)


def _window_message(window: ContentWindow | None) -> content_item_pb2.ContentWindow | None:
    if window is None:
        return None
    return content_item_pb2.ContentWindow(
        target_name=window.target_name,
        width=window.width,
        height=window.height,
        window_features=window.window_features,
    )


def _iframe_message(iframe: ContentIframe | None) -> content_item_pb2.ContentIframe | None:
    if iframe is None:
        return None
    return content_item_pb2.ContentIframe(src_uri=iframe.src_uri, width=iframe.width, height=iframe.height)


def _time_window_message(window: TimeWindow | None) -> content_item_pb2.TimeWindow | None:
    if window is None:
        return None
    return content_item_pb2.TimeWindow(start_time=timestamp(window.start_time), end_time=timestamp(window.end_time))
