// SPDX-License-Identifier: Apache-2.0
import {
  BrowserReply as BrowserReplyMessage,
  BrowserRequest as BrowserRequestMessage,
} from "./gen/ltisidecar/v1/browser.js";

/** Parameter is one name and value of a query string or a form, percent-decoded. */
export interface Parameter {
  readonly name: string;
  readonly value: string;
}

/** Header is one HTTP header line. A name may repeat: add each line, replace none. */
export interface Header {
  readonly name: string;
  readonly value: string;
}

/**
 * BrowserRequest is what a browser sent to the tool, relayed whole. `readBrowserRequest` makes one from a request of
 * node:http, Express or any framework built on them.
 */
export interface BrowserRequest {
  /** Parameters of the query string, then of the form body, in order, repeats kept. */
  readonly parameters: readonly Parameter[];
  /** HTTP method: `GET` or `POST`. */
  readonly method: string;
  /** Cookie request header, raw. */
  readonly cookieHeader?: string | undefined;
  /** Origin request header. */
  readonly origin?: string | undefined;
  /** Sec-Fetch-Site request header. */
  readonly secFetchSite?: string | undefined;
  /** Sec-Fetch-Dest request header. */
  readonly secFetchDest?: string | undefined;
  /** Sec-Fetch-Storage-Access request header. */
  readonly secFetchStorageAccess?: string | undefined;
  /** Nonce of the tool's own Content-Security-Policy, for tools that must send one with every answer. */
  readonly cspNonce?: string | undefined;
}

/** BrowserReply is a complete answer for the browser: send status, headers and body unchanged (`sendBrowserReply`). */
export interface BrowserReply {
  /** HTTP status, such as 302. */
  readonly status: number;
  /** Headers in order; names may repeat. */
  readonly headers: readonly Header[];
  /** Body in UTF-8; empty for redirects. */
  readonly body: string;
}

export function toBrowserReply(message: BrowserReplyMessage): BrowserReply {
  return { status: message.status, headers: toHeaders(message.headers), body: message.body };
}

export function toHeaders(headers: readonly Header[]): Header[] {
  return headers.map(({ name, value }) => ({ name, value }));
}

export function fromBrowserRequest(browser: BrowserRequest): BrowserRequestMessage {
  return {
    parameters: browser.parameters.map(({ name, value }) => ({ name, value })),
    method: browser.method,
    cookieHeader: browser.cookieHeader ?? "",
    origin: browser.origin ?? "",
    secFetchSite: browser.secFetchSite ?? "",
    secFetchDest: browser.secFetchDest ?? "",
    secFetchStorageAccess: browser.secFetchStorageAccess ?? "",
    cspNonce: browser.cspNonce ?? "",
  };
}
