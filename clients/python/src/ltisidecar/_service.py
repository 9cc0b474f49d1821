# SPDX-License-Identifier: Apache-2.0
"""Service tokens and the tool's key set."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """A platform's service token, valid for at least another 30 seconds. Its repr does not show it."""

    access_token: str = field(repr=False)
    """Send it as `Authorization: Bearer ...`; keep it out of logs."""
    expire_time: datetime | None
    """Already shortened by a safety margin."""
    scopes: tuple[str, ...]
    """What was granted: never fewer than asked."""
    allowed_origins: tuple[str, ...]
    """Send the token to no other origin."""


@dataclass(frozen=True, slots=True)
class ToolKeySet:
    """The answer of a JWKS route: the tool's public keys."""

    jwks: str
    """JSON text to serve as it is."""
    content_type: str
    cache_lifetime: timedelta
    """The max-age to allow platforms."""
