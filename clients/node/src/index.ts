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
export type { CallOptions, TlsOptions } from "./transport.js";
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
export type {
  AssetProcessorItem,
  ContentIframe,
  ContentImage,
  ContentItem,
  ContentWindow,
  DeepLinkingOptions,
  DeepLinkingResponse,
  FileItem,
  HtmlItem,
  ImageItem,
  LinkItem,
  OtherItem,
  ResourceLinkItem,
  TimeWindow,
} from "./content.js";
export { withLineItem } from "./endpoint.js";
export type { EventEndpoint, GradeEndpoint, GroupEndpoint, MembershipEndpoint } from "./endpoint.js";
export type {
  ActivityProgress,
  CanvasFile,
  CanvasSubmission,
  GradingProgress,
  PostScoreOptions,
  Score,
} from "./grade.js";
export type {
  DeliveryState,
  ListResultsOptions,
  ListScoreDeliveriesOptions,
  Results,
  ScoreDelivery,
  ScoreDeliveryPage,
  ScoreDeliveryWatch,
  WatchScoreDeliveriesOptions,
} from "./delivery.js";
export type {
  EnsuredLineItem,
  LineItem,
  ListLineItemsOptions,
  Result,
  SubmissionReview,
  UpdateLineItemOptions,
} from "./line_item.js";
export type { EventDelivery, SendEventsOptions } from "./event.js";
export type {
  CourseGroups,
  Group,
  GroupSet,
  ListGroupsOptions,
  ListMembersOptions,
  Member,
  MemberStatus,
  Roster,
  RosterContext,
} from "./roster.js";
export type { ServiceToken, ServiceTokenRequest } from "./service_token.js";
export {
  Incomplete,
  InvalidRequest,
  LaunchRejected,
  LimitReached,
  LtiSidecarError,
  PlatformError,
  Unavailable,
} from "./error.js";
export type { StatusCode } from "./error.js";
export { Reason } from "./reason.js";
