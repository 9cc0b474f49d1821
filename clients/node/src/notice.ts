// SPDX-License-Identifier: Apache-2.0
import { inspect } from "node:util";
import type { Notice as NoticeMessage, NoticeRefusal as NoticeRefusalMessage } from "./gen/ltisidecar/v1/notice.js";
import { toContext, toUser, type Context, type User } from "./launch.js";
import { toAssetService, toForUser } from "./message.js";
import type { Activity, AssetReportService, AssetService, ForUser, Submission } from "./message.js";
import { present, text, withTexts } from "./presence.js";
import type { Reason } from "./reason.js";

/**
 * Notice is a validated notice. No browser and no user stands behind it: it is no launch and signs nobody in. Texts are
 * the platform's own and untrusted. Properties are absent where the platform sent nothing.
 */
export interface Notice {
  /** Id, unique within the platform. */
  readonly id: string;
  /** Type as the platform wrote it, such as `LtiContextCopyNotice`. Unknown types are passed on. */
  readonly type: string;
  /** When the event happened, by the platform's clock. */
  readonly noticeTime?: Date | undefined;
  /** This sidecar has accepted a notice of this id before. Best effort: it forgets with a restart. */
  readonly duplicate: boolean;
  readonly registration: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly deploymentId: string;
  /** User whom the notice names; absent as a rule. */
  readonly user?: User | undefined;
  readonly context?: Context | undefined;
  /** The contexts that this context was copied from. */
  readonly originContextIds: readonly string[];
  /** Custom parameters. Values that were not strings are given as JSON text. */
  readonly custom: Readonly<Record<string, string>>;
  /** User whom the notice is about. */
  readonly forUser?: ForUser | undefined;
  readonly activity?: Activity | undefined;
  readonly submission?: Submission | undefined;
  readonly assetService?: AssetService | undefined;
  readonly assetReportService?: AssetReportService | undefined;
  /** Verified claims, verbatim JSON text. */
  readonly claimsJson: string;
}

/** NoticeRefusal says why a notice was refused: nothing in it can be believed. */
export interface NoticeRefusal {
  readonly reason: Reason | (string & {});
  /** For the tool's developer or the operator: what was compared, and the fix. */
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** NoticeResult is a notice that was accepted, or why it was refused. */
export type NoticeResult =
  | { readonly notice: Notice; readonly refusal?: undefined }
  | { readonly notice?: undefined; readonly refusal: NoticeRefusal };

export function toNotice(m: NoticeMessage): Notice {
  const notice = present<Notice>({
    id: m.id,
    type: m.type,
    noticeTime: m.noticeTime,
    duplicate: m.duplicate,
    registration: m.registration,
    issuer: m.issuer,
    clientId: m.clientId,
    deploymentId: m.deploymentId,
    user: m.user && toUser(m.user),
    context: m.context && toContext(m.context),
    originContextIds: m.originContextIds,
    custom: m.custom,
    forUser: m.forUser && toForUser(m.forUser),
    activity: m.activity && withTexts<Activity>({ ...m.activity }),
    submission: m.submission && { ...m.submission },
    assetService: m.assetService && toAssetService(m.assetService),
    assetReportService: m.assetReportService && { ...m.assetReportService },
    claimsJson: m.claimsJson,
  });
  Object.defineProperty(notice, inspect.custom, { value: () => withoutPersons(notice) });
  return notice;
}

/** withoutPersons is what a printed notice shows: nobody, beyond key and id. */
function withoutPersons({ claimsJson, user, forUser, ...notice }: Notice): object {
  return present({
    ...notice,
    claimsJson: text(claimsJson) && "[redacted]",
    user: user && { key: user.key, id: user.id },
    forUser: forUser && { key: forUser.key, id: forUser.id },
  });
}

export function toNoticeRefusal(m: NoticeRefusalMessage): NoticeRefusal {
  return { reason: m.reason, message: m.message, metadata: m.metadata };
}
