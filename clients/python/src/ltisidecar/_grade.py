# SPDX-License-Identifier: Apache-2.0
"""Scores, what becomes of them, and results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from ltisidecar._reason import Reason


class ActivityProgress(str, Enum):
    """How far the user has come."""

    INITIALIZED = "INITIALIZED"
    STARTED = "STARTED"
    IN_PROGRESS = "IN_PROGRESS"
    SUBMITTED = "SUBMITTED"
    COMPLETED = "COMPLETED"


class GradingProgress(str, Enum):
    """How far grading has come. Only FULLY_GRADED makes every platform record the score."""

    NOT_READY = "NOT_READY"
    FAILED = "FAILED"
    PENDING = "PENDING"
    PENDING_MANUAL = "PENDING_MANUAL"
    FULLY_GRADED = "FULLY_GRADED"


class DeliveryState(str, Enum):
    """What became of a score."""

    DELIVERED = "DELIVERED"
    """The platform has it."""
    QUEUED = "QUEUED"
    """The sidecar has it durably and goes on trying. A state that this client does not know counts as this one."""
    SUPERSEDED = "SUPERSEDED"
    """A newer score of the same user and line item is already delivered; this one is not sent."""
    UNCONFIRMED = "UNCONFIRMED"
    """The platform may or may not have it, and offers no way to find out."""
    DELIVERING = "DELIVERING"
    """An attempt is under way. Only in lists of deliveries."""
    REFUSED = "REFUSED"
    """The platform refused it, and would refuse it again. Only in lists of deliveries: post_score raises it."""


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True)
class CanvasFile:
    """A file that Canvas fetches for a submission."""

    uri: str
    title: str
    """The file's name."""
    media_type: str = ""
    """Such as `application/pdf`; empty: Canvas guesses it."""


@dataclass(frozen=True, slots=True)
class CanvasSubmission:
    """What Canvas shows as the work that is graded. None and empty texts are not sent."""

    new_submission: bool | None = None
    """Whether the score makes a new attempt; None: Canvas takes it as True."""
    submission_type: str = ""
    """`none`, `basic_lti_launch`, `online_text_entry`, `online_url`, `external_tool` or `online_upload`."""
    submission_data: str = field(default="", repr=False)
    """The text or the URI, as submission_type says."""
    submission_time: datetime | None = None
    files: tuple[CanvasFile, ...] = ()
    """For `online_upload`, at most 20."""
    prioritize_non_tool_grade: bool | None = None
    """Leave a grade that a person gave; None: Canvas takes it as False."""
    preserve_score: bool | None = None
    """Keep the earlier grade where this score has none; None: Canvas takes it as False."""

    def __post_init__(self) -> None:
        _need_zone(submission_time=self.submission_time)


@dataclass(frozen=True, slots=True)
class Score:
    """One user's score for one line item.

    To try again after `Unavailable`, post the same Score object: its score_time stays, so that a repeat is harmless.
    """

    user_id: str
    """`User.id` or `Member.user_id`."""
    score_given: float | None
    """Not negative. None is a score without a number, which clears an earlier one of this tool: it has to be said, and
    cannot be forgotten."""
    score_maximum: float | None = None
    """Above 0. Required with a number in score_given."""
    activity_progress: ActivityProgress = ActivityProgress.COMPLETED
    grading_progress: GradingProgress = GradingProgress.FULLY_GRADED
    score_time: datetime = field(default_factory=_now)
    """When the student earned it; decides which of two scores is the newer one. With a time zone. Default: now."""
    comment: str = field(default="", repr=False)
    scoring_user_id: str = ""
    """Who graded; empty for none."""
    submission_start_time: datetime | None = None
    """When the student began."""
    submission_time: datetime | None = None
    """When the student submitted, not before submission_start_time."""
    canvas_submission: CanvasSubmission | None = None
    """What Canvas shows as the student's work. Other platforms do not get it."""
    extensions: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Members to add to the score, by absolute URIs."""

    def __post_init__(self) -> None:
        _need_zone(
            score_time=self.score_time,
            submission_start_time=self.submission_start_time,
            submission_time=self.submission_time,
        )


def _need_zone(**times: datetime | None) -> None:
    for name, time in times.items():
        if time is not None and time.tzinfo is None:
            raise ValueError(f"{name} needs a time zone, such as datetime.now(timezone.utc)")


@dataclass(frozen=True, slots=True)
class ScoreDelivery:
    """What became of a score."""

    state: DeliveryState
    sent_time: datetime | None = None
    """Timestamp that the platform got."""
    result_uri: str = ""
    """Empty where the platform names none."""
    delivery_id: str = ""
    """What `Sidecar.retry_score_delivery` takes."""
    registration: str = ""
    deployment_id: str = ""
    line_item_uri: str = ""
    user_id: str = ""
    request_id: str = ""
    """As the call gave it; empty where it gave none."""
    score_time: datetime | None = None
    create_time: datetime | None = None
    """When the sidecar took it."""
    update_time: datetime | None = None
    """When it last changed."""
    attempts: int = 0
    """Attempts that were begun."""
    next_attempt_time: datetime | None = None
    """Only while queued."""
    reason: Reason | None = None
    """Of the last failure."""
    platform_status: int = 0
    """HTTP status of the platform's last answer; 0 where none came."""
    platform_error: str = ""
    """The platform's own words of the last failure."""


@dataclass(frozen=True, slots=True)
class ScoreDeliveryPage:
    """Some deliveries, the most recently changed last."""

    deliveries: tuple[ScoreDelivery, ...]
    cursor: str
    """For the next page; and for what changes later, also with `Sidecar.watch_score_deliveries`."""
    complete: bool
    """No further page is there now."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the platform has as one user's grade. A teacher can change it, so that it may differ from what was sent."""

    uri: str
    line_item_uri: str
    user_key: str
    """The same as `User.key` of this person's launches."""
    user_id: str
    score: float | None
    """None where there is none."""
    score_maximum: float
    """What score is out of."""
    scoring_user_id: str = ""
    comment: str = field(default="", repr=False)
    extensions: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """By absolute URIs, as the platform wrote them."""
