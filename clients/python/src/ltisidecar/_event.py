# SPDX-License-Identifier: Apache-2.0
"""Learning events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class EventDeliveryState(str, Enum):
    """What became of an envelope."""

    DELIVERED = "DELIVERED"
    """The platform has it."""
    QUEUED = "QUEUED"
    """The sidecar has it durably and goes on trying. A state that this client does not know counts as this one."""


@dataclass(frozen=True, slots=True)
class EventDelivery:
    """What became of an envelope of events."""

    state: EventDeliveryState
    deliver_time: datetime | None
    """When the platform took it; None while queued."""
