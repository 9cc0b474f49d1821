# SPDX-License-Identifier: Apache-2.0
"""Scores and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum


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


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True)
class Score:
    """One user's score for one line item.

    To try again after `Unavailable`, post the same Score object: its score_time stays, so that a repeat is harmless.
    """

    user_id: str
    """`User.id` or `Member.user_id`."""
    score_given: float | None = None
    """Not negative. None clears an earlier score of this tool."""
    score_maximum: float | None = None
    """Above 0. Required with score_given."""
    activity_progress: ActivityProgress = ActivityProgress.COMPLETED
    grading_progress: GradingProgress = GradingProgress.FULLY_GRADED
    score_time: datetime = field(default_factory=_now)
    """When the student earned it; decides which of two scores is the newer one. With a time zone. Default: now."""
    comment: str = field(default="", repr=False)
    scoring_user_id: str = ""
    """Who graded; empty for none."""

    def __post_init__(self) -> None:
        if self.score_time.tzinfo is None:
            raise ValueError("score_time needs a time zone, such as datetime.now(timezone.utc)")


@dataclass(frozen=True, slots=True)
class ScoreDelivery:
    """What became of a score."""

    state: DeliveryState
    sent_time: datetime | None
    """Timestamp that the platform got."""
    result_uri: str
    """Empty where the platform names none."""
