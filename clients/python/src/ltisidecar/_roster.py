# SPDX-License-Identifier: Apache-2.0
"""A roster as it streams in, and the groups of a course."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ltisidecar._convert import member
from ltisidecar._member import Member, RosterContext
from ltisidecar._stream import AsyncStream, CountedParts, Stream


@dataclass(frozen=True, slots=True)
class Group:
    """Some members of a course."""

    id: str
    """Unique within the context; `Member.group_ids` has it."""
    name: str = ""
    tag: str = ""
    set_ids: tuple[str, ...] = ()
    """The group sets that the group belongs to."""
    hidden: bool = False
    """From students."""


@dataclass(frozen=True, slots=True)
class GroupSet:
    """A set of groups, such as those of one project."""

    id: str
    name: str = ""
    tag: str = ""
    hidden: bool = False
    """From students."""


@dataclass(frozen=True, slots=True)
class CourseGroups:
    """The groups of a course, in the platform's order."""

    groups: tuple[Group, ...]
    sets: tuple[GroupSet, ...]
    """Empty where the platform has none."""


class RosterParts(CountedParts[Member]):
    what = "roster"

    def __init__(self) -> None:
        super().__init__()
        self.context: RosterContext | None = None

    def batch(self, message: Any) -> Iterator[Member]:
        if message.HasField("context"):
            context = message.context
            self.context = RosterContext(id=context.id, label=context.label, title=context.title)
        return map(member, message.members)

    def count(self, end: Any) -> int:
        return int(end.member_count)


class _Facts:
    """What is known of a roster beside its members."""

    _parts: RosterParts

    @property
    def context(self) -> RosterContext | None:
        """Course or group of the roster, known with the first member; None where the platform named none."""
        return self._parts.context

    @property
    def member_count(self) -> int:
        """How many members the whole roster has. Known once the iteration has ended: before, RuntimeError."""
        return int(self._parts.last().member_count)

    @property
    def differences_uri(self) -> str:
        """What to give to a later list_members for the changes only; empty where the platform offers none. Known once
        the iteration has ended: before, RuntimeError."""
        return str(self._parts.last().differences_uri)


class Roster(_Facts, Stream[Member]):
    """Iterates over the members of one roster. Use it up, or close it; one thread at a time.

    The iteration ends only where the roster is whole: anything else raises, and raises again where it is asked again.
    """

    _parts: RosterParts


class AsyncRoster(_Facts, AsyncStream[Member]):
    """Iterates over the members of one roster, with `async for`. Use it up, or close it; one task at a time.

    The iteration ends only where the roster is whole: anything else raises, and raises again where it is asked again.
    `async with` waits for the first batch, so that a refusal is raised at once.
    """

    _parts: RosterParts
