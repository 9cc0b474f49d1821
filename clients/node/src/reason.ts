// SPDX-License-Identifier: Apache-2.0
import { ErrorReason } from "./gen/ltisidecar/v1/error_reason.js";

type Reasons = {
  readonly [N in keyof typeof ErrorReason as Exclude<N, "UNSPECIFIED" | "UNRECOGNIZED">]: N;
};

/**
 * Reason has every cause of an error, as listed in the sidecar's `error_reason.proto` and explained in its
 * `docs/errors.md`: `error.reason === Reason.NONCE_REPLAYED`. Plain strings compare as well.
 */
export const Reason = Object.freeze(
  Object.fromEntries(
    Object.keys(ErrorReason)
      .filter((name) => name !== "UNSPECIFIED" && name !== "UNRECOGNIZED")
      .map((name) => [name, name]),
  ),
) as Reasons;

/** Reason is the name of one cause. */
export type Reason = keyof Reasons;
