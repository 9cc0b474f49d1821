// SPDX-License-Identifier: Apache-2.0
import { inspect } from "node:util";
import { BrowserBinding as BrowserBindingNumber, type Launch as LaunchMessage } from "./gen/ltisidecar/v1/launch.js";
import type { Context as ContextMessage, User as UserMessage } from "./gen/ltisidecar/v1/launch.js";
import { MessageType as MessageTypeNumber } from "./gen/ltisidecar/v1/launch.js";
import { toEventEndpoint, toGradeEndpoint, toGroupEndpoint, toMembershipEndpoint } from "./endpoint.js";
import type { EventEndpoint, GradeEndpoint, GroupEndpoint, MembershipEndpoint } from "./endpoint.js";
import { toAssetService, toDeepLinkingSettings, toForUser, toMigration, toProctoring } from "./message.js";
import type {
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
} from "./message.js";
import { nameOf, present, text, withTexts } from "./presence.js";

/** MessageType is the kind of an LTI message. */
export type MessageType =
  | "RESOURCE_LINK"
  | "DEEP_LINKING"
  | "SUBMISSION_REVIEW"
  | "DATA_PRIVACY"
  | "START_PROCTORING"
  | "END_ASSESSMENT"
  | "ASSET_PROCESSOR_SETTINGS"
  | "REPORT_REVIEW"
  | "EULA";

/** BrowserBinding says how a launch was tied to the browser that began the login. */
export type BrowserBinding = "COOKIE" | "PARTITIONED_COOKIE" | "PLATFORM_STORAGE";

/**
 * Launch is a validated LTI launch. Texts are the platform's own and untrusted: escape them. Properties are absent
 * where the platform sent nothing.
 */
export interface Launch {
  /** Launch id, 32 lower-case hex digits. A replay names the launch it repeats by it. */
  readonly launchId: string;
  /**
   * Launch token: proof of this launch for `checkLaunchToken`, valid one hour. Keep it out of logs and URLs. Absent
   * where the launch is too large for one.
   */
  readonly launchToken?: string | undefined;
  /** Registration name the launch belongs to. */
  readonly registration: string;
  /** Issuer of the platform. */
  readonly issuer: string;
  /** Client id of the tool at the platform. */
  readonly clientId: string;
  /** Deployment id. */
  readonly deploymentId: string;
  /**
   * Target link URI: where the user wants to go. It lies on an origin of the tool. Empty only in messages other than a
   * resource link's.
   */
  readonly targetLinkUri: string;
  /** Message type; `UNKNOWN` where this version of the client has no name for it. */
  readonly messageType: MessageType | "UNKNOWN";
  /** Message type as the platform wrote it. */
  readonly messageTypeName: string;
  /** User who launched; absent for an anonymous launch. */
  readonly user?: User | undefined;
  /** Roles as URIs, in the platform's order, short names expanded, unknown ones kept. */
  readonly roles: readonly string[];
  /** What the roles amount to. */
  readonly roleSummary: RoleSummary;
  /** Context (course) of the launch. */
  readonly context?: Context | undefined;
  /** Resource link that was opened. */
  readonly resourceLink?: ResourceLink | undefined;
  /** Custom parameters. Values that were not strings are given as JSON text. */
  readonly custom: Readonly<Record<string, string>>;
  /** How the platform shows the tool. */
  readonly launchPresentation?: LaunchPresentation | undefined;
  /** The product and the installation behind the issuer. */
  readonly toolPlatform?: ToolPlatform | undefined;
  /** Identifiers from the institution's information system. */
  readonly lis?: Lis | undefined;
  /** Grade endpoint for `postScore`; absent where the platform offers no grade service. */
  readonly grades?: GradeEndpoint | undefined;
  /** Membership endpoint for `listMembers`; absent where the platform offers no roster. */
  readonly memberships?: MembershipEndpoint | undefined;
  /** Group endpoint for `listGroups`; absent where the platform offers no groups. */
  readonly groups?: GroupEndpoint | undefined;
  /** Event endpoint for `sendEvents`; absent where the platform takes no Caliper events. */
  readonly events?: EventEndpoint | undefined;
  /** Browser binding that was found; `UNKNOWN` where this version of the client has no name for it. */
  readonly browserBinding: BrowserBinding | "UNKNOWN";
  /** Verified claims, verbatim JSON text; absent in launches from a launch token. */
  readonly claimsJson?: string | undefined;
  /** When the launch was accepted, by the sidecar's clock. */
  readonly launchTime: Date;
  /** Ids of users whom this user mentors. */
  readonly mentoredUserIds: readonly string[];
  /** What the platform accepts; only in DEEP_LINKING. */
  readonly deepLinking?: DeepLinkingSettings | undefined;
  /** User whom the message is about, who is not the one who launched. */
  readonly forUser?: ForUser | undefined;
  /** Only in START_PROCTORING and END_ASSESSMENT. */
  readonly proctoring?: Proctoring | undefined;
  readonly activity?: Activity | undefined;
  readonly submission?: Submission | undefined;
  /** Asset that the message is about. */
  readonly assetId?: string | undefined;
  /** Type of the report that the message is about. */
  readonly assetReportType?: string | undefined;
  readonly assetService?: AssetService | undefined;
  readonly assetReportService?: AssetReportService | undefined;
  readonly eulaService?: EulaService | undefined;
  readonly noticeService?: NoticeService | undefined;
  /** Who and what this was in LTI 1.1; absent too where its signature is wrong. */
  readonly migration?: Migration | undefined;
  /** User id of LTI 1.1 that came outside the migration claim. */
  readonly lti11LegacyUserId?: string | undefined;
}

/** User is the person who launched. Only `key`, or issuer with `id`, identifies a person; never the e-mail address. */
export interface User {
  /** Key: hash over issuer and id, stable over tools and deployments. What a tool stores as its own key. */
  readonly key: string;
  /** Id (sub), unique within the issuer. What `postScore` takes as userId. */
  readonly id: string;
  readonly name?: string | undefined;
  readonly givenName?: string | undefined;
  readonly familyName?: string | undefined;
  /** E-mail address. It is no identity. */
  readonly email?: string | undefined;
  /** Picture URL. */
  readonly picture?: string | undefined;
  /** Locale as a BCP 47 tag. */
  readonly locale?: string | undefined;
}

/** RoleSummary is what a list of roles amounts to. Context roles alone count for the first six. */
export interface RoleSummary {
  readonly learner: boolean;
  /** Instructor in the context; teaching assistants included. */
  readonly instructor: boolean;
  readonly contentDeveloper: boolean;
  readonly mentor: boolean;
  readonly administrator: boolean;
  readonly teachingAssistant: boolean;
  /** Administrator of the institution or the system, which says nothing about the course. */
  readonly administratorElsewhere: boolean;
  /** Test user: a preview, not a person. */
  readonly testUser: boolean;
}

/** Context is the course or group of a launch. */
export interface Context {
  /** Key: hash over issuer, deployment and id. What a tool stores as its own key. */
  readonly key: string;
  /** Id, unique within the deployment. */
  readonly id: string;
  /** Label, such as `BIO-1`. */
  readonly label?: string | undefined;
  readonly title?: string | undefined;
  /** Types as the platform wrote them: URIs or short names. */
  readonly types: readonly string[];
}

/** ResourceLink is the placed link that was opened. */
export interface ResourceLink {
  /** Key: hash over issuer, deployment and id. What a tool stores as its own key. */
  readonly key: string;
  /** Id, unique within the deployment. */
  readonly id: string;
  readonly title?: string | undefined;
  /** Description, possibly HTML. */
  readonly description?: string | undefined;
}

/** LaunchPresentation says how the platform shows the tool. */
export interface LaunchPresentation {
  /** Document target: `iframe`, `frame` or `window`. */
  readonly documentTarget?: string | undefined;
  /** Height in pixels. */
  readonly height?: number | undefined;
  /** Width in pixels. */
  readonly width?: number | undefined;
  /** Return URI, http or https: where the user goes when done. */
  readonly returnUri?: string | undefined;
  /** Locale as a BCP 47 tag. */
  readonly locale?: string | undefined;
}

/** ToolPlatform is the product and the installation behind an issuer. */
export interface ToolPlatform {
  readonly guid?: string | undefined;
  readonly name?: string | undefined;
  /** Product family code, such as `canvas` or `moodle`. */
  readonly productFamilyCode?: string | undefined;
  readonly version?: string | undefined;
  readonly description?: string | undefined;
  readonly uri?: string | undefined;
  readonly contactEmail?: string | undefined;
}

/** Lis carries identifiers from the institution's information system. */
export interface Lis {
  readonly personSourcedid?: string | undefined;
  readonly courseOfferingSourcedid?: string | undefined;
  readonly courseSectionSourcedid?: string | undefined;
}

const noRoles: RoleSummary = {
  learner: false,
  instructor: false,
  contentDeveloper: false,
  mentor: false,
  administrator: false,
  teachingAssistant: false,
  administratorElsewhere: false,
  testUser: false,
};

export function toLaunch(m: LaunchMessage): Launch {
  const launch = present<Launch>({
    launchId: m.launchId,
    launchToken: text(m.launchToken),
    registration: m.registration,
    issuer: m.issuer,
    clientId: m.clientId,
    deploymentId: m.deploymentId,
    targetLinkUri: m.targetLinkUri,
    messageType: nameOf(MessageTypeNumber, m.messageType, "UNKNOWN"),
    messageTypeName: m.messageTypeName,
    user: m.user && toUser(m.user),
    roles: m.roles,
    roleSummary: m.roleSummary ? { ...m.roleSummary } : noRoles,
    context: m.context && toContext(m.context),
    resourceLink: m.resourceLink && withTexts<ResourceLink>({ ...m.resourceLink }),
    custom: m.custom,
    launchPresentation:
      m.launchPresentation &&
      withTexts<LaunchPresentation>({
        ...m.launchPresentation,
        height: m.launchPresentation.height || undefined,
        width: m.launchPresentation.width || undefined,
      }),
    toolPlatform: m.toolPlatform && withTexts<ToolPlatform>({ ...m.toolPlatform }),
    lis: m.lis && withTexts<Lis>({ ...m.lis }),
    grades: m.grades && toGradeEndpoint(m.grades),
    memberships: m.memberships && toMembershipEndpoint(m.memberships),
    groups: m.groups && toGroupEndpoint(m.groups),
    events: m.events && toEventEndpoint(m.events),
    browserBinding: nameOf(BrowserBindingNumber, m.browserBinding, "UNKNOWN"),
    claimsJson: text(m.claimsJson),
    launchTime: m.launchTime ?? new Date(0),
    mentoredUserIds: m.mentoredUserIds,
    deepLinking: m.deepLinking && toDeepLinkingSettings(m.deepLinking),
    forUser: m.forUser && toForUser(m.forUser),
    proctoring: m.proctoring && toProctoring(m.proctoring),
    activity: m.activity && withTexts<Activity>({ ...m.activity }),
    submission: m.submission && { ...m.submission },
    assetId: text(m.assetId),
    assetReportType: text(m.assetReportType),
    assetService: m.assetService && toAssetService(m.assetService),
    assetReportService: m.assetReportService && { ...m.assetReportService },
    eulaService: m.eulaService && { ...m.eulaService },
    noticeService: m.noticeService && { ...m.noticeService },
    migration: m.migration && toMigration(m.migration),
    lti11LegacyUserId: text(m.lti11LegacyUserId),
  });
  Object.defineProperty(launch, inspect.custom, { value: () => withoutSecrets(launch) });
  return launch;
}

export function toUser(m: UserMessage): User {
  return withTexts<User>({ ...m });
}

export function toContext(m: ContextMessage): Context {
  return withTexts<Context>({ ...m });
}

/** withoutSecrets is what a printed launch shows: neither its tokens nor who a user is, beyond key and id. */
function withoutSecrets({ launchToken, claimsJson, user, lis, forUser, proctoring, deepLinking, ...launch }: Launch): object {
  const redacted = "[redacted]";
  return present({
    ...launch,
    launchToken: launchToken && redacted,
    claimsJson: claimsJson && redacted,
    user: user && { key: user.key, id: user.id },
    lis: lis && redacted,
    forUser: forUser && { key: forUser.key, id: forUser.id },
    deepLinking: deepLinking && { ...deepLinking, deepLinkingToken: redacted },
    proctoring:
      proctoring && present({ ...proctoring, proctoringToken: proctoring.proctoringToken && redacted }),
  });
}
