// SPDX-License-Identifier: Apache-2.0
import type { LineItem as LineItemMessage } from "./gen/ltisidecar/v1/line_item.js";
import type { EnsureLineItemResponse } from "./gen/ltisidecar/v1/grade_service.js";
import { fromMembers, toMembers, type Members } from "./json_text.js";
import { withTexts } from "./presence.js";
import type { CallOptions } from "./transport.js";

/** LineItem is one column of a grade book. One that is to be made needs `label` and `scoreMaximum`, and no `uri`. */
export interface LineItem {
  /** URI from the platform: what `GradeEndpoint.lineItemUri` takes. */
  readonly uri?: string | undefined;
  /** The column's heading. */
  readonly label?: string | undefined;
  /** Above 0. */
  readonly scoreMaximum?: number | undefined;
  /** Resource link that the column belongs to. It cannot be changed. */
  readonly resourceLinkId?: string | undefined;
  /** The tool's own name of what is graded. */
  readonly resourceId?: string | undefined;
  /** The tool's own word that tells several columns of one resource apart. */
  readonly tag?: string | undefined;
  readonly startTime?: Date | undefined;
  readonly endTime?: Date | undefined;
  /** Whether students see the grades; absent where nothing is said. */
  readonly gradesReleased?: boolean | undefined;
  readonly submissionReview?: SubmissionReview | undefined;
  /** Members by absolute URIs, such as Canvas's submission type. */
  readonly extensions?: Members | undefined;
}

/** SubmissionReview says when and how a platform opens the tool on one submission. */
export interface SubmissionReview {
  /** Activity progress, such as `Completed`, from which on a review is offered. */
  readonly reviewableStatus?: readonly string[] | undefined;
  readonly label?: string | undefined;
  /** Where the review is launched. Unset: the resource link's. */
  readonly uri?: string | undefined;
  readonly custom?: Readonly<Record<string, string>> | undefined;
}

/** EnsuredLineItem is the line item that was wanted, found or made. */
export interface EnsuredLineItem {
  readonly item: LineItem;
  /** Whether this call made it. */
  readonly created: boolean;
  /** Names of wanted properties in which an item that was found differs. `updateLineItem` changes them. */
  readonly differingFields: readonly (keyof LineItem)[];
}

/** ListLineItemsOptions filter: all that is given must fit. */
export interface ListLineItemsOptions extends CallOptions {
  readonly resourceLinkId?: string | undefined;
  readonly resourceId?: string | undefined;
  readonly tag?: string | undefined;
  /** Page size to ask the platform for, 1 to 1000. A hint. */
  readonly pageSizeHint?: number | undefined;
}

/** UpdateLineItemOptions say what to change. */
export interface UpdateLineItemOptions extends CallOptions {
  /** Properties to change; one that is not in the item is cleared. Unset: all that the item has. */
  readonly fields?: readonly (keyof LineItem)[] | undefined;
}

export function toLineItem(m: LineItemMessage): LineItem {
  const { extensionsJson, submissionReview, ...item } = m;
  return withTexts<LineItem>({
    ...item,
    submissionReview: submissionReview && withTexts<SubmissionReview>({ ...submissionReview }),
    extensions: toMembers(extensionsJson),
  });
}

export function fromLineItem(item: LineItem): LineItemMessage {
  const review = item.submissionReview;
  return {
    uri: item.uri ?? "",
    label: item.label ?? "",
    scoreMaximum: item.scoreMaximum,
    resourceLinkId: item.resourceLinkId ?? "",
    resourceId: item.resourceId ?? "",
    tag: item.tag ?? "",
    startTime: item.startTime,
    endTime: item.endTime,
    gradesReleased: item.gradesReleased,
    submissionReview: review && {
      reviewableStatus: [...(review.reviewableStatus ?? [])],
      label: review.label ?? "",
      uri: review.uri ?? "",
      custom: { ...review.custom },
    },
    extensionsJson: fromMembers(item.extensions),
  };
}

export function toEnsuredLineItem(item: LineItemMessage, m: EnsureLineItemResponse): EnsuredLineItem {
  return { item: toLineItem(item), created: m.created, differingFields: m.differingFields.map(fieldOf) };
}

/** pathsOf names properties as an update mask does. */
export function pathsOf(fields: readonly (keyof LineItem)[]): string[] {
  return fields.map((field) =>
    field === "extensions" ? "extensions_json" : field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  );
}

function fieldOf(path: string): keyof LineItem {
  if (path === "extensions_json") return "extensions";
  return path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) as keyof LineItem;
}

/** Result is what the platform has as one user's grade. A teacher can change it. */
export interface Result {
  readonly uri?: string | undefined;
  readonly lineItemUri?: string | undefined;
  /** User key, the same as `User.key` of this person's launches. */
  readonly userKey: string;
  /** User id (sub). */
  readonly userId: string;
  /** Absent where there is none. */
  readonly score?: number | undefined;
  /** What the score is out of. */
  readonly scoreMaximum: number;
  /** Who graded. */
  readonly scoringUserId?: string | undefined;
  readonly comment?: string | undefined;
  /** Members by absolute URIs, as the platform wrote them. */
  readonly extensions?: Members | undefined;
}

