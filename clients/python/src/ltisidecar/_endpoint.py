# SPDX-License-Identifier: Apache-2.0
"""Endpoints of a launch: where grades go, and rosters, groups and events."""

from __future__ import annotations

import json
from dataclasses import Field, asdict, dataclass, fields, replace
from typing import Any, TypeVar

_SCORE_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"

_Endpoint = TypeVar("_Endpoint", bound="_Stored")


class _Stored:
    """What every endpoint has: it is self-contained, and can be kept as JSON text in the tool's own database."""

    __slots__ = ()

    def to_json(self) -> str:
        """Returns the endpoint as JSON text, for the tool's own database."""
        return json.dumps(asdict(self))  # type: ignore[call-overload]

    @classmethod
    def from_json(cls: type[_Endpoint], text: str) -> _Endpoint:
        """Returns the endpoint that to_json wrote. Anything else is a ValueError."""
        members: Any = json.loads(text)
        if not isinstance(members, dict):
            raise ValueError("a stored endpoint is a JSON object")
        # Members that this version does not know are ignored: a later one may have written them.
        return cls(**{one.name: _checked(members, one) for one in fields(cls)})  # type: ignore[arg-type]


def _checked(members: dict[str, Any], wanted: Field[Any]) -> Any:
    value = members.get(wanted.name)
    kind = {"str": str, "bool": bool, "tuple[str, ...]": list}[str(wanted.type)]
    if not isinstance(value, kind):
        raise ValueError(f"the stored endpoint has no {wanted.name}, or not one of type {kind.__name__}")
    if not isinstance(value, list):
        return value
    if not all(isinstance(part, str) for part in value):
        raise ValueError(f"{wanted.name} of the stored endpoint is not a list of strings")
    return tuple(value)


@dataclass(frozen=True, slots=True)
class GradeEndpoint(_Stored):
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

    def with_line_item(self, line_item_uri: str) -> GradeEndpoint:
        """Returns the endpoint of another line item of the same context, such as one that `Sidecar.ensure_line_item`
        found: post_score sends there."""
        return replace(self, line_item_uri=line_item_uri, can_post_score=_SCORE_SCOPE in self.scopes)


@dataclass(frozen=True, slots=True)
class MembershipEndpoint(_Stored):
    """Where the roster of one launch's context is read.

    It is self-contained: store it as it came, replace it at each launch, hand it back weeks later.
    """

    registration: str
    deployment_id: str
    context_memberships_uri: str
    service_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupEndpoint(_Stored):
    """Where the groups of one launch's context are read.

    It is self-contained: store it as it came, replace it at each launch, hand it back weeks later.
    """

    registration: str
    deployment_id: str
    context_groups_uri: str
    context_group_sets_uri: str = ""
    """Empty where the platform offers no sets."""
    service_versions: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventEndpoint(_Stored):
    """Where Caliper events of one launch are sent.

    It is self-contained: store it as it came, replace it at each launch, hand it back weeks later.
    """

    registration: str
    deployment_id: str
    caliper_endpoint_uri: str
    federated_session_id: str = ""
    """To put into each event as it is; empty where none came."""
    scopes: tuple[str, ...] = ()
