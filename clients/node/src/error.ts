// SPDX-License-Identifier: Apache-2.0
import { status, type ServiceError } from "@grpc/grpc-js";
import type { BrowserReply } from "./browser.js";
import type { Reason } from "./reason.js";
import { decodeStatusDetails, type StatusDetails } from "./status.js";

/** StatusCode is the gRPC status code of an error by name: who has to act. */
export type StatusCode = Exclude<keyof typeof status, "OK">;

/**
 * LtiSidecarError is every failure of a call: what the sidecar refused, and a sidecar that could not be reached. Its
 * subclasses say who has to act; `reason` says why. Codes without a subclass (INTERNAL, UNAUTHENTICATED, ...) are
 * plain LtiSidecarErrors.
 */
export class LtiSidecarError extends Error {
  static {
    this.prototype.name = "LtiSidecarError";
  }
  /** Cause by name, listed in `Reason`. A newer sidecar may send others; undefined where no sidecar answered. */
  readonly reason: Reason | (string & {}) | undefined;
  /** gRPC status code by name, such as `PERMISSION_DENIED`. */
  readonly code: StatusCode;
  /** The values compared, such as `expected` and `actual`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** How long to wait before a retry, in milliseconds, where the sidecar says so. */
  readonly retryAfterMs: number | undefined;
  /** Page about this reason, for developers and operators, where the sidecar names one. */
  readonly helpUri: string | undefined;
  /** Page to show to the user, where the failed call answers a browser. It names no check. */
  declare readonly reply: BrowserReply | undefined;

  constructor(message: string, code: StatusCode, details: StatusDetails = { metadata: {} }, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.reason = details.reason;
    this.metadata = details.metadata;
    this.retryAfterMs = details.retryAfterMs;
    this.helpUri = details.helpUri;
    // Not enumerable: a logged error shows its cause, not a whole HTML page.
    Object.defineProperty(this, "reply", { value: details.reply });
  }

  /** Launch id of the launch concerned, where one is known. With NONCE_REPLAYED: the launch that was repeated. */
  get launchId(): string | undefined {
    return this.metadata.launch_id;
  }

  /** Request id: what the sidecar's log calls the request, where the sidecar answered. */
  get requestId(): string | undefined {
    return this.metadata.request_id;
  }
}

/** InvalidRequest (INVALID_ARGUMENT): something that only the tool itself sets is wrong. */
export class InvalidRequest extends LtiSidecarError {
  static {
    this.prototype.name = "InvalidRequest";
  }
}

/** LaunchRejected (PERMISSION_DENIED): a login, launch or launch token is refused. Show `reply` to the user. */
export class LaunchRejected extends LtiSidecarError {
  static {
    this.prototype.name = "LaunchRejected";
  }
}

/** PlatformError (FAILED_PRECONDITION): the operator or the platform must change something. */
export class PlatformError extends LtiSidecarError {
  static {
    this.prototype.name = "PlatformError";
  }
}

/**
 * Unavailable (UNAVAILABLE, DEADLINE_EXCEEDED): the sidecar, its store or the platform did not answer. Trying again can
 * help, except for validateLaunch, where the user has to open the link again. `reason` is undefined where the sidecar
 * itself did not answer.
 */
export class Unavailable extends LtiSidecarError {
  static {
    this.prototype.name = "Unavailable";
  }
}

/**
 * LimitReached (RESOURCE_EXHAUSTED): throttled, or more than a limit allows. Try again only where `retryAfterMs` is
 * set.
 */
export class LimitReached extends LtiSidecarError {
  static {
    this.prototype.name = "LimitReached";
  }
}

/** Incomplete: a roster or a list of results ended before it was whole. Use nothing of it. */
export class Incomplete extends LtiSidecarError {
  static {
    this.prototype.name = "Incomplete";
  }
}

const classes: Partial<Record<StatusCode, typeof LtiSidecarError>> = {
  INVALID_ARGUMENT: InvalidRequest,
  PERMISSION_DENIED: LaunchRejected,
  FAILED_PRECONDITION: PlatformError,
  UNAVAILABLE: Unavailable,
  DEADLINE_EXCEEDED: Unavailable,
  RESOURCE_EXHAUSTED: LimitReached,
};

/** sidecarError makes the error of the class that belongs to `code`. */
export function sidecarError(
  message: string,
  code: StatusCode,
  details?: StatusDetails,
  options?: ErrorOptions,
): LtiSidecarError {
  return new (classes[code] ?? LtiSidecarError)(message, code, details, options);
}

/** fromServiceError turns what gRPC reports into ours. Anything that is no gRPC status passes through. */
export function fromServiceError(error: unknown): unknown {
  if (!isServiceError(error)) return error;
  const code = (status[error.code] ?? "UNKNOWN") as StatusCode;
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (!(bytes instanceof Uint8Array)) {
    return sidecarError(error.details || error.message, code, undefined, { cause: error });
  }
  let details: StatusDetails;
  try {
    details = decodeStatusDetails(bytes);
  } catch (cause) {
    // The refusal itself stands, whatever came with it.
    return sidecarError(`${error.details} (its details could not be read)`, code, undefined, { cause });
  }
  return sidecarError(error.details, code, details);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "metadata" in error;
}
