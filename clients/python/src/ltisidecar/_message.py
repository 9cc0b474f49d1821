# SPDX-License-Identifier: Apache-2.0
"""What single message types carry. Texts are the platform's own and untrusted: escape them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ltisidecar._browser import BrowserReply


@dataclass(frozen=True, slots=True)
class DeepLinkingSettings:
    """What a platform accepts from an author who picks content."""

    return_uri: str
    accept_types: tuple[str, ...] = ()
    """Kinds of content items, such as `ltiResourceLink`."""
    accept_presentation_document_targets: tuple[str, ...] = ()
    """`iframe`, `window`, `embed`."""
    accept_media_types: str = ""
    """Comma-separated."""
    accept_multiple: bool | None = None
    """Whether several items may be returned; None where the platform did not say."""
    accept_line_item: bool | None = None
    """Whether items may ask for a line item; None where the platform did not say."""
    auto_create: bool = False
    """The platform keeps the items without asking the author again."""
    title: str = ""
    """To propose for the item."""
    text: str = ""
    """To propose for the item."""
    deep_linking_token: str = field(default="", repr=False)
    """What `Sidecar.build_deep_linking_response` takes, valid 8 hours. Keep it on the server, or in a hidden field of
    the tool's own form; out of URLs and logs."""


@dataclass(frozen=True, slots=True)
class ForUser:
    """The user whom a message is about. It is not the user who launched."""

    key: str
    """Made as `User.key` is: the same person has the same key in both."""
    id: str
    """What `Score.user_id` takes."""
    person_sourcedid: str = field(default="", repr=False)
    name: str = field(default="", repr=False)
    given_name: str = field(default="", repr=False)
    family_name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssessmentControl:
    """A platform's assessment control service."""

    registration: str
    deployment_id: str
    control_uri: str
    actions: tuple[str, ...] = ()
    """Such as `pause` and `terminate`."""


@dataclass(frozen=True, slots=True)
class Proctoring:
    """What a proctoring tool is told."""

    proctoring_token: str = field(default="", repr=False)
    """What `Sidecar.build_start_assessment` takes, valid 8 hours; only where an assessment is to start. Keep it on the
    server, out of URLs and logs."""
    attempt_number: int = 0
    start_assessment_uri: str = ""
    settings_data: str = ""
    """Text that the tool gave the platform when it was set up."""
    control: AssessmentControl | None = None
    error_message: str = ""
    """For the user, where an assessment ended."""
    error_log: str = ""
    """For the log, where an assessment ended."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What an asset processor is attached to, such as an assignment."""

    id: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """One submission to an activity."""

    id: str


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of a submission."""

    id: str
    uri: str = ""
    sha256_checksum: str = ""
    """As the platform wrote it, in base64 or hexadecimal."""
    asset_time: datetime | None = None
    size: int = 0
    """In bytes; 0 where none came."""
    content_type: str = ""
    title: str = ""
    file_name: str = ""
    """Not safe as a path."""


@dataclass(frozen=True, slots=True)
class AssetService:
    """The files of a submission."""

    registration: str
    deployment_id: str
    scopes: tuple[str, ...] = ()
    assets: tuple[Asset, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetReportService:
    """Where reports on assets go."""

    registration: str
    deployment_id: str
    report_uri: str
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EulaService:
    """Where it is recorded who accepted the tool's terms."""

    registration: str
    deployment_id: str
    eula_uri: str
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoticeService:
    """Where a tool subscribes to notices."""

    registration: str
    deployment_id: str
    notice_handlers_uri: str
    service_versions: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    notice_types: tuple[str, ...] = ()
    """Such as `LtiContextCopyNotice`."""


@dataclass(frozen=True, slots=True)
class Migration:
    """Who and what this was in LTI 1.1. Identifiers that LTI 1.3 kept are empty."""

    verified: bool = False
    """The platform proved that it knows the LTI 1.1 secret. Link no account by it where this is False."""
    consumer_key: str = ""
    user_id: str = ""
    context_id: str = ""
    tool_consumer_instance_guid: str = ""
    resource_link_id: str = ""


@dataclass(frozen=True, slots=True)
class VerifiedUser:
    """What a proctoring tool found out about the user. Empty texts are not sent."""

    given_name: str = field(default="", repr=False)
    middle_name: str = field(default="", repr=False)
    family_name: str = field(default="", repr=False)
    full_name: str = field(default="", repr=False)
    picture: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class StartAssessment:
    """The signed message that lets a proctored user begin, and the page that sends it."""

    reply: BrowserReply
    """What to send to the browser."""
    start_assessment_uri: str
    """Where the page posts to, for logs and tests."""
    jwt: str = field(repr=False)
    """The message, for tests."""
