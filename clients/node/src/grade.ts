// SPDX-License-Identifier: Apache-2.0
import {
  ActivityProgress as ActivityProgressNumber,
  GradingProgress as GradingProgressNumber,
  type CanvasSubmission as CanvasSubmissionMessage,
  type Score as ScoreMessage,
} from "./gen/ltisidecar/v1/grade_service.js";
import { fromMembers, type Members } from "./json_text.js";
import { numberOf } from "./presence.js";
import type { CallOptions } from "./transport.js";

/** ActivityProgress says how far the user has come. */
export type ActivityProgress = "INITIALIZED" | "STARTED" | "IN_PROGRESS" | "SUBMITTED" | "COMPLETED";

/** GradingProgress says how far grading has come. Only FULLY_GRADED makes every platform record the score. */
export type GradingProgress = "NOT_READY" | "FAILED" | "PENDING" | "PENDING_MANUAL" | "FULLY_GRADED";

/** Score is one user's score for one line item. */
export interface Score {
  /** User id (sub) as the launch or the roster gave it. */
  readonly userId: string;
  /**
   * Score given, not negative; may exceed scoreMaximum. `null` is a score without a number, which clears an earlier one
   * of this tool: it has to be said, and cannot be forgotten.
   */
  readonly scoreGiven: number | null;
  /** Score maximum, above 0. Required with a scoreGiven. */
  readonly scoreMaximum?: number | undefined;
  /** Unset: COMPLETED. */
  readonly activityProgress?: ActivityProgress | undefined;
  /** Unset: FULLY_GRADED. */
  readonly gradingProgress?: GradingProgress | undefined;
  /**
   * When the student earned the score. It decides the order, and makes a retry harmless where it is the same. Unset:
   * now. More than five minutes ahead is refused.
   */
  readonly scoreTime?: Date | undefined;
  /** Comment in plain text, at most 16 KiB. */
  readonly comment?: string | undefined;
  /** Id of the user who graded. */
  readonly scoringUserId?: string | undefined;
  /** When the student began. */
  readonly submissionStartTime?: Date | undefined;
  /** When the student submitted, not before `submissionStartTime`. */
  readonly submissionTime?: Date | undefined;
  /** What Canvas shows as the student's work. Other platforms do not get it. */
  readonly canvasSubmission?: CanvasSubmission | undefined;
  /** Members to add to the score, by absolute URIs. */
  readonly extensions?: Members | undefined;
}

/** CanvasSubmission is what Canvas shows as the work that is graded. */
export interface CanvasSubmission {
  /** Whether the score makes a new attempt. Unset: Canvas takes it as true. */
  readonly newSubmission?: boolean | undefined;
  readonly submissionType?:
    | "none"
    | "basic_lti_launch"
    | "online_text_entry"
    | "online_url"
    | "external_tool"
    | "online_upload"
    | undefined;
  /** The text or the URI, as `submissionType` says. */
  readonly submissionData?: string | undefined;
  /** Unset: now. */
  readonly submissionTime?: Date | undefined;
  /** Files that Canvas fetches for `online_upload`, at most 20. */
  readonly files?: readonly CanvasFile[] | undefined;
  /** Leave a grade that a person gave. Unset: Canvas takes it as false. */
  readonly prioritizeNonToolGrade?: boolean | undefined;
  /** Keep the earlier grade where this score has none. Unset: Canvas takes it as false. */
  readonly preserveScore?: boolean | undefined;
}

/** CanvasFile is a file that Canvas fetches for a submission. */
export interface CanvasFile {
  readonly uri: string;
  /** The file's name. */
  readonly title: string;
  /** Such as `application/pdf`. Unset: Canvas guesses it. */
  readonly mediaType?: string | undefined;
}

/** PostScoreOptions say how to hand over a score. */
export interface PostScoreOptions extends CallOptions {
  /** Request id of your own choice: within 7 days a repeat with it gets the same delivery. */
  readonly requestId?: string | undefined;
  /** How long to wait for the platform, in milliseconds, at most 30,000; 0: not at all. Unset: a second. */
  readonly maxWaitMs?: number | undefined;
}

export function fromScore(score: Score): ScoreMessage {
  if (score.scoreGiven !== null && typeof score.scoreGiven !== "number") {
    // An omitted scoreGiven would clear the grade on the wire: that has to be said, not forgotten.
    throw new TypeError("scoreGiven: give a number, or null to clear an earlier score");
  }
  return {
    userId: score.userId,
    scoreGiven: score.scoreGiven ?? undefined,
    scoreMaximum: score.scoreMaximum,
    activityProgress: numberOf(ActivityProgressNumber, score.activityProgress, "activityProgress"),
    gradingProgress: numberOf(GradingProgressNumber, score.gradingProgress, "gradingProgress"),
    scoreTime: score.scoreTime,
    comment: score.comment ?? "",
    scoringUserId: score.scoringUserId ?? "",
    submissionStartTime: score.submissionStartTime,
    submissionTime: score.submissionTime,
    canvasSubmission: score.canvasSubmission && fromCanvasSubmission(score.canvasSubmission),
    extensionsJson: fromMembers(score.extensions),
  };
}

function fromCanvasSubmission(submission: CanvasSubmission): CanvasSubmissionMessage {
  return {
    newSubmission: submission.newSubmission,
    submissionType: submission.submissionType ?? "",
    submissionData: submission.submissionData ?? "",
    submissionTime: submission.submissionTime,
    files: (submission.files ?? []).map(({ uri, title, mediaType = "" }) => ({ uri, title, mediaType })),
    prioritizeNonToolGrade: submission.prioritizeNonToolGrade,
    preserveScore: submission.preserveScore,
  };
}
