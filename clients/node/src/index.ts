// SPDX-License-Identifier: Apache-2.0
export { createSidecar } from "./sidecar.js";
export type {
  AuthRequest,
  CheckedLaunch,
  LaunchOptions,
  LaunchOutcome,
  LoginOptions,
  Sidecar,
  SidecarOptions,
  StartAssessmentOptions,
  ToolKeySet,
} from "./sidecar.js";
export type { CallOptions, TlsOptions } from "./channel.js";
export type { BrowserReply, BrowserRequest, Header, Parameter } from "./browser.js";
export { FormError, addHeaders, readBrowserRequest, sendBrowserReply } from "./http.js";
export type { SendOptions } from "./http.js";
export type {
  BrowserBinding,
  Context,
  Launch,
  LaunchPresentation,
  Lis,
  MessageType,
  ResourceLink,
  RoleSummary,
  ToolPlatform,
  User,
} from "./launch.js";
export type {
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
} from "./message.js";
export type { Notice, NoticeRefusal, NoticeResult } from "./notice.js";
export type { GradeEndpoint, MembershipEndpoint } from "./endpoint.js";
export type { ActivityProgress, DeliveryState, GradingProgress, Score, ScoreDelivery } from "./grade.js";
export type { ListMembersOptions, Member, MemberStatus, Roster, RosterContext } from "./roster.js";
export type { ServiceToken, ServiceTokenRequest } from "./service_token.js";
export {
  InvalidRequest,
  LaunchRejected,
  LimitReached,
  LtiSidecarError,
  PlatformError,
  RosterIncomplete,
  Unavailable,
} from "./error.js";
export type { StatusCode } from "./error.js";
export { Reason } from "./reason.js";
