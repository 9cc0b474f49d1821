// SPDX-License-Identifier: Apache-2.0
import {
  EventDeliveryState as EventDeliveryStateNumber,
  type SendEventsResponse,
} from "./gen/ltisidecar/v1/event_service.js";
import { nameOf, present } from "./presence.js";
import type { CallOptions } from "./transport.js";

/** SendEventsOptions say how to send events. */
export interface SendEventsOptions extends CallOptions {
  /**
   * Answer as soon as the envelope is kept safely, and deliver it later where the platform cannot take it now. Unset: a
   * failure rejects.
   */
  readonly durable?: boolean | undefined;
}

/**
 * EventDelivery is what became of an envelope. DELIVERED: the platform has it. QUEUED: the sidecar has it durably and
 * goes on trying; also for a state that this version of the client does not know.
 */
export interface EventDelivery {
  readonly state: "DELIVERED" | "QUEUED";
  /** When the platform took it. */
  readonly deliverTime?: Date | undefined;
}

export function toEventDelivery(m: SendEventsResponse): EventDelivery {
  return present<EventDelivery>({
    state: nameOf(EventDeliveryStateNumber, m.state, "QUEUED"),
    deliverTime: m.deliverTime,
  });
}
