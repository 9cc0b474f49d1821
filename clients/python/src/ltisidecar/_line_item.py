# SPDX-License-Identifier: Apache-2.0
"""Columns of a grade book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class SubmissionReview:
    """When and how a platform opens the tool on one submission."""

    reviewable_status: tuple[str, ...] = ()
    """Activity progress, such as `Completed`, from which on a review is offered."""
    label: str = ""
    uri: str = ""
    """Where the review is launched; empty: the resource link's."""
    custom: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineItem:
    """One column of a grade book. One that is to be made needs label and score_maximum, and no uri."""

    uri: str = ""
    """From the platform: what `GradeEndpoint.line_item_uri` takes."""
    label: str = ""
    """The column's heading."""
    score_maximum: float | None = None
    """Above 0."""
    resource_link_id: str = ""
    """It cannot be changed."""
    resource_id: str = ""
    """The tool's own name of what is graded."""
    tag: str = ""
    """The tool's own word that tells several columns of one resource apart."""
    start_time: datetime | None = None
    end_time: datetime | None = None
    grades_released: bool | None = None
    """Whether students see the grades; None where nothing is said."""
    submission_review: SubmissionReview | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Members by absolute URIs, such as Canvas's submission type."""


@dataclass(frozen=True, slots=True)
class EnsuredLineItem:
    """The line item that was wanted, found or made."""

    item: LineItem
    created: bool
    """Whether this call made it."""
    differing_fields: tuple[str, ...]
    """Names of wanted fields in which an item that was found differs. `Sidecar.update_line_item` changes them."""
