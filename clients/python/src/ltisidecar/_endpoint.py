# SPDX-License-Identifier: Apache-2.0
"""Endpoints of a launch: where grades are reported and rosters are read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class GradeEndpoint:
    """Where and how the grades of one launch are reported.

    It is self-contained: store it as it came, replace it at each launch, hand it back weeks later.
    """

    registration: str
    deployment_id: str
    line_item_uri: str = ""
    """Line item of this resource link; empty where the platform keeps none or several."""
    line_items_uri: str = ""
    """Container of the context's line items; empty where none came."""
    scopes: tuple[str, ...] = ()
    can_post_score: bool = False
    """True where `Sidecar.post_score` can be called with this endpoint."""

    def to_json(self) -> str:
        """Returns the endpoint as JSON text, for the tool's own database."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> GradeEndpoint:
        """Returns the endpoint that to_json wrote. Anything else is a ValueError."""
        stored = _Stored(text)
        return cls(
            registration=stored.text("registration"),
            deployment_id=stored.text("deployment_id"),
            line_item_uri=stored.text("line_item_uri"),
            line_items_uri=stored.text("line_items_uri"),
            scopes=stored.texts("scopes"),
            can_post_score=stored.flag("can_post_score"),
        )


@dataclass(frozen=True, slots=True)
class MembershipEndpoint:
    """Where the roster of one launch's context is read.

    It is self-contained: store it as it came, replace it at each launch, hand it back weeks later.
    """

    registration: str
    deployment_id: str
    context_memberships_uri: str
    service_versions: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Returns the endpoint as JSON text, for the tool's own database."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> MembershipEndpoint:
        """Returns the endpoint that to_json wrote. Anything else is a ValueError."""
        stored = _Stored(text)
        return cls(
            registration=stored.text("registration"),
            deployment_id=stored.text("deployment_id"),
            context_memberships_uri=stored.text("context_memberships_uri"),
            service_versions=stored.texts("service_versions"),
        )


class _Stored:
    """A stored endpoint. Members that this version does not know are ignored: a later one may have written it."""

    def __init__(self, text: str) -> None:
        members: Any = json.loads(text)
        if not isinstance(members, dict):
            raise ValueError("a stored endpoint is a JSON object")
        self._members: dict[str, Any] = members

    def _member(self, name: str, kind: type) -> Any:
        value = self._members.get(name)
        if not isinstance(value, kind):
            raise ValueError(f"the stored endpoint has no {name}, or not one of type {kind.__name__}")
        return value

    def text(self, name: str) -> str:
        return str(self._member(name, str))

    def flag(self, name: str) -> bool:
        return bool(self._member(name, bool))

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._member(name, list)
        if not all(isinstance(value, str) for value in values):
            raise ValueError(f"{name} of the stored endpoint is not a list of strings")
        return tuple(values)
