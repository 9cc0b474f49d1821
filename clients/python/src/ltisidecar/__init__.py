# SPDX-License-Identifier: Apache-2.0
"""Client of ltisidecar, the process beside a learning tool that speaks LTI 1.3 for it.

    sidecar = Sidecar()                                  # LTISIDECAR_ADDRESS, or the default socket
    sidecar.build_auth_request(browser).reply            # the login route's answer
    sidecar.validate_launch(browser)                     # the launch route: an AcceptedLaunch, or one more step
    sidecar.post_score(launch.grades, Score(launch.user.id, 8, 10))
    for member in sidecar.list_members(launch.memberships): ...

AsyncSidecar has the same calls for asyncio. For Flask, Django and Starlette or FastAPI, `ltisidecar.flask`,
`ltisidecar.django` and `ltisidecar.starlette` have the routes. `ltisidecar.testing` runs the real sidecar for your
tests. `ltisidecar.v1` holds the generated messages: the types here wrap them.
"""

from ltisidecar._async_sidecar import AsyncSidecar
from ltisidecar._browser import BrowserReply, BrowserRequest
from ltisidecar._content import (
    AssetProcessorItem,
    ContentIframe,
    ContentImage,
    ContentItem,
    ContentWindow,
    DeepLinkingResponse,
    FileItem,
    HtmlItem,
    ImageItem,
    LinkItem,
    OtherItem,
    ResourceLinkItem,
    TimeWindow,
)
from ltisidecar._delivery import AsyncResults, AsyncScoreDeliveryWatch, Results, ScoreDeliveryWatch
from ltisidecar._endpoint import EventEndpoint, GradeEndpoint, GroupEndpoint, MembershipEndpoint
from ltisidecar._error import (
    Incomplete,
    InvalidRequest,
    LaunchRejected,
    LimitReached,
    PlatformError,
    SidecarError,
    Unavailable,
)
from ltisidecar._event import EventDelivery, EventDeliveryState
from ltisidecar._grade import (
    ActivityProgress,
    CanvasFile,
    CanvasSubmission,
    DeliveryState,
    GradingProgress,
    Result,
    Score,
    ScoreDelivery,
    ScoreDeliveryPage,
)
from ltisidecar._launch import (
    AcceptedLaunch,
    AuthRequest,
    BrowserBinding,
    CheckedLaunch,
    Context,
    Launch,
    LaunchPresentation,
    Lis,
    MessageType,
    ResourceLink,
    RoleSummary,
    ToolPlatform,
    User,
)
from ltisidecar._line_item import EnsuredLineItem, LineItem, SubmissionReview
from ltisidecar._member import Member, MemberStatus, RosterContext
from ltisidecar._message import (
    Activity,
    AssessmentControl,
    Asset,
    AssetReportService,
    AssetService,
    DeepLinkingSettings,
    EulaService,
    ForUser,
    Migration,
    NoticeService,
    Proctoring,
    StartAssessment,
    Submission,
    VerifiedUser,
)
from ltisidecar._notice import Notice, NoticeRefusal
from ltisidecar._reason import Reason
from ltisidecar._roster import AsyncRoster, CourseGroups, Group, GroupSet, Roster
from ltisidecar._service import ServiceToken, ToolKeySet
from ltisidecar._sidecar import Sidecar

__all__ = [
    "AcceptedLaunch",
    "Activity",
    "ActivityProgress",
    "AssessmentControl",
    "Asset",
    "AssetProcessorItem",
    "AssetReportService",
    "AssetService",
    "AsyncResults",
    "AsyncRoster",
    "AsyncScoreDeliveryWatch",
    "AsyncSidecar",
    "AuthRequest",
    "BrowserBinding",
    "BrowserReply",
    "BrowserRequest",
    "CanvasFile",
    "CanvasSubmission",
    "CheckedLaunch",
    "ContentIframe",
    "ContentImage",
    "ContentItem",
    "ContentWindow",
    "Context",
    "CourseGroups",
    "DeepLinkingResponse",
    "DeepLinkingSettings",
    "DeliveryState",
    "EnsuredLineItem",
    "EulaService",
    "EventDelivery",
    "EventDeliveryState",
    "EventEndpoint",
    "FileItem",
    "ForUser",
    "GradeEndpoint",
    "GradingProgress",
    "Group",
    "GroupEndpoint",
    "GroupSet",
    "HtmlItem",
    "ImageItem",
    "Incomplete",
    "InvalidRequest",
    "Launch",
    "LaunchPresentation",
    "LaunchRejected",
    "LimitReached",
    "LineItem",
    "LinkItem",
    "Lis",
    "Member",
    "MemberStatus",
    "MembershipEndpoint",
    "MessageType",
    "Migration",
    "Notice",
    "NoticeRefusal",
    "NoticeService",
    "OtherItem",
    "PlatformError",
    "Proctoring",
    "Reason",
    "ResourceLink",
    "ResourceLinkItem",
    "Result",
    "Results",
    "RoleSummary",
    "Roster",
    "RosterContext",
    "Score",
    "ScoreDelivery",
    "ScoreDeliveryPage",
    "ScoreDeliveryWatch",
    "ServiceToken",
    "Sidecar",
    "SidecarError",
    "StartAssessment",
    "Submission",
    "SubmissionReview",
    "TimeWindow",
    "ToolKeySet",
    "ToolPlatform",
    "Unavailable",
    "User",
    "VerifiedUser",
]
