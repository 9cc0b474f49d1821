// SPDX-License-Identifier: Apache-2.0
// What single message types carry.
import type {
  Asset as AssetMessage,
  AssetService as AssetServiceMessage,
  AssessmentControl as AssessmentControlMessage,
  DeepLinkingSettings as DeepLinkingSettingsMessage,
  ForUser as ForUserMessage,
  Migration as MigrationMessage,
  Proctoring as ProctoringMessage,
} from "./gen/ltisidecar/v1/launch_message.js";
import type { BrowserReply } from "./browser.js";
import { withTexts } from "./presence.js";

/** DeepLinkingSettings says what a platform accepts from an author who picks content. */
export interface DeepLinkingSettings {
  /** Return URI: where the chosen content is posted. */
  readonly returnUri: string;
  /** Kinds of content items, such as `ltiResourceLink`. */
  readonly acceptTypes: readonly string[];
  /** Presentation document targets: `iframe`, `window`, `embed`. */
  readonly acceptPresentationDocumentTargets: readonly string[];
  /** Media types, comma-separated. */
  readonly acceptMediaTypes?: string | undefined;
  /** Whether several items may be returned; absent where the platform did not say. */
  readonly acceptMultiple?: boolean | undefined;
  /** Whether items may ask for a line item; absent where the platform did not say. */
  readonly acceptLineItem?: boolean | undefined;
  /** The platform keeps the items without asking the author again. */
  readonly autoCreate: boolean;
  /** Title to propose for the item. */
  readonly title?: string | undefined;
  /** Text to propose for the item. */
  readonly text?: string | undefined;
  /**
   * Deep linking token for `buildDeepLinkingResponse`, valid 8 hours. Keep it on the server, or in a hidden field of the
   * tool's own form; out of URLs and logs.
   */
  readonly deepLinkingToken: string;
}

/** ForUser is the user whom a message is about. It is not the user who launched. */
export interface ForUser {
  /** Key, made as that of User: the same person has the same key in both. */
  readonly key: string;
  /** User id. What `postScore` takes as userId. */
  readonly id: string;
  readonly personSourcedid?: string | undefined;
  readonly name?: string | undefined;
  readonly givenName?: string | undefined;
  readonly familyName?: string | undefined;
  /** E-mail address. It is no identity. */
  readonly email?: string | undefined;
  /** Roles as URIs. */
  readonly roles: readonly string[];
}

/** Proctoring is what a proctoring tool is told. */
export interface Proctoring {
  /**
   * Proctoring token for `buildStartAssessment`, valid 8 hours; only where an assessment is to start. Keep it on the
   * server, out of URLs and logs.
   */
  readonly proctoringToken?: string | undefined;
  readonly attemptNumber: number;
  /** Start assessment URI that the message is going to. */
  readonly startAssessmentUri?: string | undefined;
  /** Text that the tool gave the platform when it was set up. */
  readonly settingsData?: string | undefined;
  /** Assessment control service; absent where the platform offers none. */
  readonly control?: AssessmentControl | undefined;
  /** For the user, where an assessment ended. */
  readonly errorMessage?: string | undefined;
  /** For the log, where an assessment ended. */
  readonly errorLog?: string | undefined;
}

/** AssessmentControl is a platform's assessment control service. */
export interface AssessmentControl {
  readonly registration: string;
  readonly deploymentId: string;
  readonly controlUri: string;
  /** Actions that the platform takes, such as `pause`. */
  readonly actions: readonly string[];
}

/** Activity is what an asset processor is attached to, such as an assignment. */
export interface Activity {
  readonly id: string;
  readonly title?: string | undefined;
}

/** Submission is one submission to an activity. */
export interface Submission {
  readonly id: string;
}

/** AssetService gives the files of a submission. */
export interface AssetService {
  readonly registration: string;
  readonly deploymentId: string;
  readonly scopes: readonly string[];
  readonly assets: readonly Asset[];
}

/** Asset is one file of a submission. */
export interface Asset {
  readonly id: string;
  readonly uri?: string | undefined;
  /** SHA-256 checksum as the platform wrote it, in base64 or hexadecimal. */
  readonly sha256Checksum?: string | undefined;
  /** When the file was last changed. */
  readonly assetTime?: Date | undefined;
  /** Size in bytes. */
  readonly size?: number | undefined;
  readonly contentType?: string | undefined;
  readonly title?: string | undefined;
  /** File name. It is not safe as a path. */
  readonly fileName?: string | undefined;
}

/** AssetReportService takes reports on assets. */
export interface AssetReportService {
  readonly registration: string;
  readonly deploymentId: string;
  readonly reportUri: string;
  readonly scopes: readonly string[];
}

/** EulaService records who accepted the tool's terms. */
export interface EulaService {
  readonly registration: string;
  readonly deploymentId: string;
  readonly eulaUri: string;
  readonly scopes: readonly string[];
}

/** NoticeService is where a tool subscribes to notices. */
export interface NoticeService {
  readonly registration: string;
  readonly deploymentId: string;
  readonly noticeHandlersUri: string;
  readonly serviceVersions: readonly string[];
  readonly scopes: readonly string[];
  /** Notice types that the platform can send. */
  readonly noticeTypes: readonly string[];
}

/** Migration is who and what this was in LTI 1.1. Identifiers that LTI 1.3 kept are absent. */
export interface Migration {
  /** The platform proved that it knows the LTI 1.1 secret. Link no account by it where this is false. */
  readonly verified: boolean;
  readonly consumerKey?: string | undefined;
  readonly userId?: string | undefined;
  readonly contextId?: string | undefined;
  readonly toolConsumerInstanceGuid?: string | undefined;
  readonly resourceLinkId?: string | undefined;
}

/** VerifiedUser is what a proctoring tool found out about the user. */
export interface VerifiedUser {
  readonly givenName?: string | undefined;
  readonly middleName?: string | undefined;
  readonly familyName?: string | undefined;
  readonly fullName?: string | undefined;
  /** Picture URL. */
  readonly picture?: string | undefined;
}

/** StartAssessment is the signed message that lets a proctored user begin, and the page that sends it. */
export interface StartAssessment {
  /** Reply to send to the browser. */
  readonly reply: BrowserReply;
  /** Where the page posts to, for logs and tests. */
  readonly startAssessmentUri: string;
  /** The message, for tests. */
  readonly jwt: string;
}

export function toDeepLinkingSettings(m: DeepLinkingSettingsMessage): DeepLinkingSettings {
  return withTexts<DeepLinkingSettings>({ ...m });
}

export function toForUser(m: ForUserMessage): ForUser {
  return withTexts<ForUser>({ ...m });
}

export function toProctoring(m: ProctoringMessage): Proctoring {
  return withTexts<Proctoring>({ ...m, control: m.control && toControl(m.control) });
}

function toControl(m: AssessmentControlMessage): AssessmentControl {
  return { ...m };
}

export function toAssetService(m: AssetServiceMessage): AssetService {
  return { ...m, assets: m.assets.map(toAsset) };
}

function toAsset(m: AssetMessage): Asset {
  return withTexts<Asset>({ ...m, size: m.size || undefined });
}

export function toMigration(m: MigrationMessage): Migration {
  return withTexts<Migration>({ ...m });
}
