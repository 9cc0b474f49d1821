// SPDX-License-Identifier: Apache-2.0
import {
  ActivityProgress as ActivityProgressNumber,
  DeliveryState as DeliveryStateNumber,
  GradingProgress as GradingProgressNumber,
  type Score as ScoreMessage,
  type ScoreDelivery as ScoreDeliveryMessage,
} from "./gen/ltisidecar/v1/grade_service.js";
import { nameOf, numberOf, present, text } from "./presence.js";

/** ActivityProgress says how far the user has come. */
export type ActivityProgress = "INITIALIZED" | "STARTED" | "IN_PROGRESS" | "SUBMITTED" | "COMPLETED";

/** GradingProgress says how far grading has come. Only FULLY_GRADED makes every platform record the score. */
export type GradingProgress = "NOT_READY" | "FAILED" | "PENDING" | "PENDING_MANUAL" | "FULLY_GRADED";

/**
 * DeliveryState says what became of a score. DELIVERED: the platform has it. QUEUED: the sidecar has it durably and
 * goes on trying. SUPERSEDED: a newer score is already delivered, this one is not sent. UNCONFIRMED: the platform may
 * or may not have it. A state that this version of the client does not know is given as QUEUED.
 */
export type DeliveryState = "DELIVERED" | "QUEUED" | "SUPERSEDED" | "UNCONFIRMED";

/** Score is one user's score for one line item. */
export interface Score {
  /** User id (sub) as the launch or the roster gave it. */
  readonly userId: string;
  /** Score given, not negative; may exceed scoreMaximum. `null` clears an earlier score of this tool. */
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
}

/** ScoreDelivery is what became of a score. */
export interface ScoreDelivery {
  readonly state: DeliveryState;
  /** The timestamp that the platform got. */
  readonly sentTime?: Date | undefined;
  /** Result URI where the platform names one. */
  readonly resultUri?: string | undefined;
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
  };
}

export function toScoreDelivery(m: ScoreDeliveryMessage): ScoreDelivery {
  return present<ScoreDelivery>({
    state: nameOf(DeliveryStateNumber, m.state, "QUEUED"),
    sentTime: m.sentTime,
    resultUri: text(m.resultUri),
  });
}
