// SPDX-License-Identifier: Apache-2.0
import { inspect } from "node:util";

/** ServiceTokenRequest names what a service token is for. */
export interface ServiceTokenRequest {
  /** Registration name. */
  readonly registration: string;
  /** Deployment id. */
  readonly deploymentId: string;
  /** Scopes as URIs; at least one, at most 32. */
  readonly scopes: readonly string[];
}

/**
 * ServiceToken is an access token of a platform's services. Printing it or turning it into JSON does not show the
 * token itself.
 */
export class ServiceToken {
  readonly #accessToken: string;
  /** Expire time, already shortened by a safety margin. */
  readonly expireTime: Date;
  /** Scopes that were granted: never fewer than asked. */
  readonly scopes: readonly string[];
  /** Origins that may get the token: send it to no other. */
  readonly allowedOrigins: readonly string[];

  /** @internal */
  constructor(accessToken: string, expireTime: Date, scopes: readonly string[], allowedOrigins: readonly string[]) {
    this.#accessToken = accessToken;
    this.expireTime = expireTime;
    this.scopes = scopes;
    this.allowedOrigins = allowedOrigins;
  }

  /** Access token, opaque. Send it as `Authorization: Bearer ...`; keep it out of logs. */
  get accessToken(): string {
    return this.#accessToken;
  }

  /** allows says whether the token may be sent to this URL. */
  allows(url: string | URL): boolean {
    return this.allowedOrigins.includes(new URL(url).origin);
  }

  toString(): string {
    return "ServiceToken([redacted])";
  }

  toJSON(): object {
    return { ...this, accessToken: "[redacted]" };
  }

  [inspect.custom](): object {
    return this.toJSON();
  }
}
