# SPDX-License-Identifier: Apache-2.0
"""Notices that a platform posts to the tool."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ltisidecar._launch import Context, User
from ltisidecar._message import Activity, AssetReportService, AssetService, ForUser, Submission
from ltisidecar._reason import Reason


@dataclass(frozen=True, slots=True)
class Notice:
    """A validated notice. No browser and no user stands behind it: it is no launch and signs nobody in."""

    id: str
    type: str
    """As the platform wrote it, such as `LtiContextCopyNotice`. Unknown types are passed on."""
    notice_time: datetime | None
    """When the event happened, by the platform's clock."""
    duplicate: bool
    """This sidecar has accepted a notice of this id before. Best effort: it forgets with a restart."""
    registration: str
    issuer: str
    client_id: str
    deployment_id: str
    user: User | None = None
    """None as a rule."""
    context: Context | None = None
    origin_context_ids: tuple[str, ...] = ()
    """The contexts that this context was copied from."""
    custom: Mapping[str, str] = field(default_factory=dict, repr=False)
    for_user: ForUser | None = None
    activity: Activity | None = None
    submission: Submission | None = None
    asset_service: AssetService | None = None
    asset_report_service: AssetReportService | None = None
    claims_json: str = field(default="", repr=False)
    """Verified claims, verbatim JSON text."""

    def claims(self) -> dict[str, Any]:
        """Returns the verified claims, parsed."""
        claims: dict[str, Any] = json.loads(self.claims_json or "{}")
        return claims


@dataclass(frozen=True, slots=True)
class NoticeRefusal:
    """Why a notice was refused: nothing in it can be believed."""

    reason: Reason
    message: str
    """For the tool's developer or the operator: what was compared, and the fix."""
    metadata: Mapping[str, str] = field(default_factory=dict)
