// SPDX-License-Identifier: Apache-2.0
import {
  DeliveryState as DeliveryStateNumber,
  type ListResultsResponse,
  type ResultBatch,
  type ResultsEnd,
  type ScoreDelivery as ScoreDeliveryMessage,
  type WatchScoreDeliveriesResponse,
} from "./gen/ltisidecar/v1/grade_service.js";
import type { Result as ResultMessage } from "./gen/ltisidecar/v1/line_item.js";
import { sidecarError } from "./error.js";
import { toMembers } from "./json_text.js";
import type { Result } from "./line_item.js";
import { nameOf, withTexts } from "./presence.js";
import type { Reason } from "./reason.js";
import { Once, wholeList } from "./stream.js";
import type { CallOptions } from "./transport.js";

/**
 * DeliveryState says what became of a score. DELIVERED: the platform has it. QUEUED: the sidecar has it durably and
 * goes on trying. SUPERSEDED: a newer score is already delivered, this one is not sent. UNCONFIRMED: the platform may
 * or may not have it. Only in lists of deliveries, DELIVERING: an attempt is under way; and REFUSED: the platform refused
 * it, and would again. A state that this version of the client does not know is given as QUEUED.
 */
export type DeliveryState = "DELIVERED" | "QUEUED" | "SUPERSEDED" | "UNCONFIRMED" | "DELIVERING" | "REFUSED";

/** ScoreDelivery is what became of a score. */
export interface ScoreDelivery {
  readonly state: DeliveryState;
  /** The timestamp that the platform got. */
  readonly sentTime?: Date | undefined;
  /** Result URI where the platform names one. */
  readonly resultUri?: string | undefined;
  /** What `retryScoreDelivery` takes. */
  readonly deliveryId?: string | undefined;
  readonly registration?: string | undefined;
  readonly deploymentId?: string | undefined;
  readonly lineItemUri?: string | undefined;
  readonly userId?: string | undefined;
  /** As the call gave it. */
  readonly requestId?: string | undefined;
  readonly scoreTime?: Date | undefined;
  /** When the sidecar took it. */
  readonly createTime?: Date | undefined;
  /** When it last changed. */
  readonly updateTime?: Date | undefined;
  /** Attempts that were begun. */
  readonly attempts: number;
  /** Only while queued. */
  readonly nextAttemptTime?: Date | undefined;
  /** Reason of the last failure. */
  readonly reason?: Reason | (string & {}) | undefined;
  /** HTTP status of the platform's last answer. */
  readonly platformStatus?: number | undefined;
  /** The platform's own words of the last failure. */
  readonly platformError?: string | undefined;
}

/** ListScoreDeliveriesOptions filter: all that is given must fit. */
export interface ListScoreDeliveriesOptions extends CallOptions {
  readonly deploymentId?: string | undefined;
  readonly lineItemUri?: string | undefined;
  readonly userId?: string | undefined;
  readonly states?: readonly DeliveryState[] | undefined;
  /** Page size, at most 200. Unset: 100. */
  readonly pageSize?: number | undefined;
  /** Cursor of the page before. */
  readonly cursor?: string | undefined;
}

/** ScoreDeliveryPage is some deliveries, the most recently changed last. */
export interface ScoreDeliveryPage {
  readonly deliveries: readonly ScoreDelivery[];
  /** For the next page; and for what changes later, also with `watchScoreDeliveries`. */
  readonly cursor: string;
  /** No further page is there now. */
  readonly complete: boolean;
}

/** WatchScoreDeliveriesOptions say where to begin, and how to end. */
export interface WatchScoreDeliveriesOptions {
  /** Cursor of a page or of an earlier watch. Unset: from now on. */
  readonly cursor?: string | undefined;
  /** Signal that ends the watch; the loop then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** ListResultsOptions say whose results to read. */
export interface ListResultsOptions extends CallOptions {
  /** Line item. Unset: the endpoint's own. */
  readonly lineItemUri?: string | undefined;
  /** Only this user's result. Unset: everybody's. */
  readonly userId?: string | undefined;
  /** Page size to ask the platform for, 1 to 1000. A hint. */
  readonly pageSizeHint?: number | undefined;
}

/**
 * ScoreDeliveryWatch is read once, with `for await`: deliveries as they change, without an end. Handle a delivery, then
 * store `cursor`; after an error, watch again from there.
 */
export class ScoreDeliveryWatch implements AsyncIterable<ScoreDelivery> {
  readonly #open: () => AsyncIterable<WatchScoreDeliveriesResponse>;
  readonly #once = new Once();
  #cursor: string | undefined;

  /** @internal */
  constructor(open: () => AsyncIterable<WatchScoreDeliveriesResponse>, cursor: string | undefined) {
    this.#open = open;
    this.#cursor = cursor;
  }

  /** Where a later watch goes on: after the delivery that came last. Undefined before the watch has begun. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ScoreDelivery, void, undefined> {
    this.#once.begin("a watch");
    for await (const { delivery, cursor } of this.#open()) {
      this.#cursor = cursor;
      if (delivery) yield toScoreDelivery(delivery);
    }
    throw sidecarError("the sidecar ended the watch: watch again from the last cursor", "UNAVAILABLE");
  }
}

/**
 * Results are read once, with `for await`, as they arrive. The loop throws where they are not complete: only after a
 * loop that ended by itself are all of them seen, and `resultCount` known.
 */
export class Results implements AsyncIterable<Result> {
  readonly #open: () => AsyncIterable<ListResultsResponse>;
  readonly #once = new Once();
  #end: ResultsEnd | undefined;

  /** @internal */
  constructor(open: () => AsyncIterable<ListResultsResponse>) {
    this.#open = open;
  }

  /** How many results there are; undefined before the loop ended by itself. */
  get resultCount(): number | undefined {
    return this.#end?.resultCount;
  }

  /** toArray reads all results into memory. */
  async toArray(): Promise<Result[]> {
    const results: Result[] = [];
    for await (const result of this) results.push(result);
    return results;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Result, void, undefined> {
    this.#once.begin("a list of results");
    this.#end = yield* wholeList<ResultBatch, ResultsEnd, Result>(
      this.#open(),
      "list of results",
      (batch) => batch.results.map(toResult),
      (end) => end.resultCount,
    );
  }
}

export function toScoreDelivery(m: ScoreDeliveryMessage): ScoreDelivery {
  return withTexts<ScoreDelivery>({
    ...m,
    state: nameOf(DeliveryStateNumber, m.state, "QUEUED"),
    platformStatus: m.platformStatus || undefined,
  });
}

function toResult({ extensionsJson, ...m }: ResultMessage): Result {
  return withTexts<Result>({ ...m, extensions: toMembers(extensionsJson) });
}
