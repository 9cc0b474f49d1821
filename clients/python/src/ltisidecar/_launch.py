# SPDX-License-Identifier: Apache-2.0
"""A validated launch and what it consists of. Texts are the platform's own and untrusted: escape them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from ltisidecar._browser import BrowserReply
from ltisidecar._endpoint import EventEndpoint, GradeEndpoint, GroupEndpoint, MembershipEndpoint
from ltisidecar._message import (
    Activity,
    AssetReportService,
    AssetService,
    DeepLinkingSettings,
    EulaService,
    ForUser,
    Migration,
    NoticeService,
    Proctoring,
    Submission,
)


class MessageType(str, Enum):
    """Kind of an LTI message."""

    UNSPECIFIED = "UNSPECIFIED"
    """None, or one that this version of the client does not know."""
    RESOURCE_LINK = "RESOURCE_LINK"
    """A user opens a link of a course."""
    DEEP_LINKING = "DEEP_LINKING"
    """An author picks content of the tool: `Launch.deep_linking`."""
    SUBMISSION_REVIEW = "SUBMISSION_REVIEW"
    """A user looks at somebody's submission from the grade book: `Launch.for_user`."""
    DATA_PRIVACY = "DATA_PRIVACY"
    """An administrator handles the data of one user, outside any course: `Launch.for_user`."""
    START_PROCTORING = "START_PROCTORING"
    """The user is to be proctored before an assessment begins: `Launch.proctoring`."""
    END_ASSESSMENT = "END_ASSESSMENT"
    """A proctored assessment has ended: `Launch.proctoring`."""
    ASSET_PROCESSOR_SETTINGS = "ASSET_PROCESSOR_SETTINGS"
    """An author sets up an asset processor: `Launch.activity`."""
    REPORT_REVIEW = "REPORT_REVIEW"
    """A user looks at the report on a submitted asset: `Launch.asset_id`, `Launch.for_user`."""
    EULA = "EULA"
    """The user is to accept the tool's terms: `Launch.eula_service`."""


class BrowserBinding(str, Enum):
    """How a launch was tied to the browser that began the login."""

    UNSPECIFIED = "UNSPECIFIED"
    """None, or one that this version of the client does not know."""
    COOKIE = "COOKIE"
    """A login cookie came back."""
    PARTITIONED_COOKIE = "PARTITIONED_COOKIE"
    """A Partitioned login cookie came back, and no other."""
    PLATFORM_STORAGE = "PLATFORM_STORAGE"
    """The platform's storage returned the proof, and no cookie did: the tool's own cookies will not work either."""


@dataclass(frozen=True, slots=True)
class User:
    """The person who launched. Only key, or issuer with id, identifies a person; never the e-mail address."""

    key: str
    """What a tool stores as its own key: a hash over issuer and id."""
    id: str
    """Id (sub): what `Score.user_id` takes."""
    name: str = field(default="", repr=False)
    given_name: str = field(default="", repr=False)
    family_name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    picture: str = field(default="", repr=False)
    locale: str = ""


@dataclass(frozen=True, slots=True)
class RoleSummary:
    """What a list of roles amounts to. Only roles in the context count for the first six."""

    learner: bool = False
    instructor: bool = False
    """Instructor in the context; teaching assistants included."""
    content_developer: bool = False
    mentor: bool = False
    administrator: bool = False
    teaching_assistant: bool = False
    administrator_elsewhere: bool = False
    """Administrator of the institution or the system, which says nothing about the course."""
    test_user: bool = False
    """A preview, not a person."""


@dataclass(frozen=True, slots=True)
class Context:
    """The course or group of a launch."""

    key: str
    """What a tool stores as its own key: a hash over issuer, deployment and id."""
    id: str
    label: str = ""
    title: str = ""
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceLink:
    """The placed link that was opened."""

    key: str
    """What a tool stores as its own key: a hash over issuer, deployment and id."""
    id: str
    title: str = ""
    description: str = ""
    """Possibly HTML."""


@dataclass(frozen=True, slots=True)
class LaunchPresentation:
    """How the platform shows the tool."""

    document_target: str = ""
    """`iframe`, `frame` or `window`."""
    height: float = 0
    width: float = 0
    return_uri: str = ""
    """Where the user goes when done."""
    locale: str = ""


@dataclass(frozen=True, slots=True)
class ToolPlatform:
    """The product and the installation behind an issuer."""

    guid: str
    name: str = ""
    product_family_code: str = ""
    """Such as `canvas` or `moodle`."""
    version: str = ""
    description: str = ""
    uri: str = ""
    contact_email: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Lis:
    """Identifiers from the institution's information system."""

    person_sourcedid: str = field(default="", repr=False)
    course_offering_sourcedid: str = ""
    course_section_sourcedid: str = ""


@dataclass(frozen=True, slots=True)
class Launch:
    """A validated LTI launch."""

    launch_id: str
    """A replay names the launch that it repeats by it."""
    launch_token: str = field(repr=False)
    """Sealed copy of this launch for `Sidecar.check_launch_token`, valid one hour. It signs the user in: keep it out
    of URLs and logs. Empty where the launch does not fit into 8 KiB."""
    registration: str
    issuer: str
    client_id: str
    deployment_id: str
    target_link_uri: str
    """Where the user wants to go. Empty only in messages other than a resource link's."""
    message_type: MessageType
    message_type_name: str
    """Message type as the platform wrote it."""
    user: User | None = None
    """None for an anonymous launch."""
    roles: tuple[str, ...] = ()
    """Roles as URIs, in the platform's order."""
    role_summary: RoleSummary = RoleSummary()
    context: Context | None = None
    resource_link: ResourceLink | None = None
    custom: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Custom parameters. Values that were not strings are given as JSON text."""
    launch_presentation: LaunchPresentation | None = None
    tool_platform: ToolPlatform | None = None
    lis: Lis | None = None
    grades: GradeEndpoint | None = None
    """What `Sidecar.post_score` takes; None where the platform offers no grade service."""
    memberships: MembershipEndpoint | None = None
    """What `Sidecar.list_members` takes; None where the platform offers no roster."""
    groups: GroupEndpoint | None = None
    """What `Sidecar.list_groups` takes; None where the platform offers no groups."""
    events: EventEndpoint | None = None
    """What `Sidecar.send_events` takes; None where the platform takes no Caliper events."""
    browser_binding: BrowserBinding = BrowserBinding.UNSPECIFIED
    claims_json: str = field(default="", repr=False)
    """Verified claims, verbatim JSON text; empty in launches from a launch token."""
    launch_time: datetime | None = None
    """When the launch was accepted."""
    mentored_user_ids: tuple[str, ...] = ()
    deep_linking: DeepLinkingSettings | None = None
    for_user: ForUser | None = None
    """Whom the message is about, who is not the one who launched."""
    proctoring: Proctoring | None = None
    activity: Activity | None = None
    submission: Submission | None = None
    asset_id: str = ""
    asset_report_type: str = ""
    asset_service: AssetService | None = None
    asset_report_service: AssetReportService | None = None
    eula_service: EulaService | None = None
    notice_service: NoticeService | None = None
    migration: Migration | None = None
    """Who and what this was in LTI 1.1; None too where its signature is wrong."""
    lti11_legacy_user_id: str = ""
    """User id of LTI 1.1 that came outside the migration claim."""

    def claims(self) -> dict[str, Any]:
        """Returns the verified claims, parsed; empty in launches from a launch token."""
        claims: dict[str, Any] = json.loads(self.claims_json or "{}")
        return claims


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """The next step of a login."""

    reply: BrowserReply
    """What to send to the browser."""
    authorization_uri: str = field(repr=False)
    """Where the reply leads, for logs and tests."""
    state: str = field(repr=False)
    expire_time: datetime | None
    """The launch must arrive before it."""
    registration: str


@dataclass(frozen=True, slots=True)
class AcceptedLaunch:
    """A launch that was accepted just now, and what its answer must carry."""

    launch: Launch
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Headers to add to the tool's own answer. Answer with 303 to a page of the same origin, so that a reload
    repeats only a GET."""


@dataclass(frozen=True, slots=True)
class CheckedLaunch:
    """The launch behind a launch token."""

    launch: Launch
    """The launch, with a fresh launch_token in place of the one given."""
    expire_time: datetime | None
    """When the fresh launch_token expires."""
