# SPDX-License-Identifier: Apache-2.0
"""Client of ltisidecar, the process beside a learning tool that speaks LTI 1.3 for it.

    sidecar = Sidecar()                                  # LTISIDECAR_ADDRESS, or the default socket
    sidecar.build_auth_request(browser).reply            # the login route's answer
    sidecar.validate_launch(browser)                     # the launch route: an AcceptedLaunch, or one more step
    sidecar.post_score(launch.grades, Score(launch.user.id, 8, 10))
    for member in sidecar.list_members(launch.memberships): ...

For Flask, `ltisidecar.flask` has the routes. `ltisidecar.v1` holds the generated messages: the types here wrap them.
"""

from ltisidecar._browser import BrowserReply, BrowserRequest
from ltisidecar._endpoint import GradeEndpoint, MembershipEndpoint
from ltisidecar._error import (
    InvalidRequest,
    LaunchRejected,
    LimitReached,
    PlatformError,
    RosterIncomplete,
    SidecarError,
    Unavailable,
)
from ltisidecar._grade import ActivityProgress, DeliveryState, GradingProgress, Score, ScoreDelivery
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
from ltisidecar._roster import Roster
from ltisidecar._service import ServiceToken, ToolKeySet
from ltisidecar._sidecar import Sidecar

__all__ = [
    "AcceptedLaunch",
    "Activity",
    "ActivityProgress",
    "AssessmentControl",
    "Asset",
    "AssetReportService",
    "AssetService",
    "AuthRequest",
    "BrowserBinding",
    "BrowserReply",
    "BrowserRequest",
    "CheckedLaunch",
    "Context",
    "DeepLinkingSettings",
    "DeliveryState",
    "EulaService",
    "ForUser",
    "GradeEndpoint",
    "GradingProgress",
    "InvalidRequest",
    "Launch",
    "LaunchPresentation",
    "LaunchRejected",
    "LimitReached",
    "Lis",
    "Member",
    "MemberStatus",
    "MembershipEndpoint",
    "MessageType",
    "Migration",
    "Notice",
    "NoticeRefusal",
    "NoticeService",
    "PlatformError",
    "Proctoring",
    "Reason",
    "ResourceLink",
    "RoleSummary",
    "Roster",
    "RosterContext",
    "RosterIncomplete",
    "Score",
    "ScoreDelivery",
    "ServiceToken",
    "Sidecar",
    "SidecarError",
    "StartAssessment",
    "Submission",
    "ToolKeySet",
    "ToolPlatform",
    "Unavailable",
    "User",
    "VerifiedUser",
]
