// SPDX-License-Identifier: Apache-2.0
import { inspect } from "node:util";
import { BrowserBinding as BrowserBindingNumber, type Launch as LaunchMessage } from "./gen/ltisidecar/v1/launch.js";
import { MessageType as MessageTypeNumber } from "./gen/ltisidecar/v1/launch.js";
import { toGradeEndpoint, toMembershipEndpoint, type GradeEndpoint, type MembershipEndpoint } from "./endpoint.js";
import { nameOf, present, text } from "./presence.js";

/** MessageType is the kind of an LTI message. */
export type MessageType = "RESOURCE_LINK";

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
  /** Target link URI: where the user wants to go. It lies on an origin of the tool. */
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
  /** Browser binding that was found; `UNKNOWN` where this version of the client has no name for it. */
  readonly browserBinding: BrowserBinding | "UNKNOWN";
  /** Verified claims, verbatim JSON text; absent in launches from a launch token. */
  readonly claimsJson?: string | undefined;
  /** When the launch was accepted, by the sidecar's clock. */
  readonly launchTime: Date;
  /** Ids of users whom this user mentors. */
  readonly mentoredUserIds: readonly string[];
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
    user: m.user && withTexts<User>({ ...m.user }),
    roles: m.roles,
    roleSummary: m.roleSummary ? { ...m.roleSummary } : noRoles,
    context: m.context && withTexts<Context>({ ...m.context }),
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
    browserBinding: nameOf(BrowserBindingNumber, m.browserBinding, "UNKNOWN"),
    claimsJson: text(m.claimsJson),
    launchTime: m.launchTime ?? new Date(0),
    mentoredUserIds: m.mentoredUserIds,
  });
  Object.defineProperty(launch, inspect.custom, { value: () => withoutSecrets(launch) });
  return launch;
}

/** withoutSecrets is what a printed launch shows: neither its token nor who the user is, beyond key and id. */
function withoutSecrets({ launchToken, claimsJson, user, lis, ...launch }: Launch): object {
  const redacted = "[redacted]";
  return present({
    ...launch,
    launchToken: launchToken && redacted,
    claimsJson: claimsJson && redacted,
    user: user && { key: user.key, id: user.id },
    lis: lis && redacted,
  });
}

/** withTexts leaves out the empty texts of a message, which stand for what the platform did not send. */
function withTexts<T extends object>(value: { [K in keyof T]: T[K] }): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== "" && v !== undefined)) as T;
}
