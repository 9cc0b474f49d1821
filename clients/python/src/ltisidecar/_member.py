# SPDX-License-Identifier: Apache-2.0
"""The people of a roster."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class MemberStatus(str, Enum):
    """A member's standing in the context."""

    UNSPECIFIED = "UNSPECIFIED"
    """None, or one that this version of the client does not know."""
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    """Enrolled, but not taking part now."""
    DELETED = "DELETED"
    """No longer a member. Only in differences."""


@dataclass(frozen=True, slots=True)
class RosterContext:
    """The course or group of a roster."""

    id: str
    label: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One person of a roster. All texts but the first two may be empty, as the platform's privacy settings say."""

    user_key: str
    """The same as `User.key` of this person's launches."""
    user_id: str
    """What `Score.user_id` takes."""
    status: MemberStatus = MemberStatus.ACTIVE
    roles: tuple[str, ...] = ()
    """Roles as URIs."""
    name: str = field(default="", repr=False)
    given_name: str = field(default="", repr=False)
    family_name: str = field(default="", repr=False)
    middle_name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    picture: str = field(default="", repr=False)
    person_sourcedid: str = field(default="", repr=False)
    lti11_legacy_user_id: str = field(default="", repr=False)
    message_json: str = field(default="", repr=False)
    """Message section, verbatim JSON text, where resource_link_id was asked for and the platform sent one."""
    group_ids: tuple[str, ...] = ()
    """Where groups were asked for and the platform sent them."""
