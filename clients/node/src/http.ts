// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, ServerResponse } from "node:http";
import type { BrowserReply, BrowserRequest, Header, Parameter } from "./browser.js";

/** Form bodies above this many bytes are not read. The sidecar takes 192 KiB of parameters, decoded. */
const maxFormBytes = 256 * 1024;

/** One more than the sidecar takes: it is the sidecar that refuses, but nobody makes this process build a long list. */
const maxParameters = 65;

/**
 * FormError is a form that cannot be relayed. `status` is the HTTP status to answer with, as Express's own error
 * handler does: 413 for a form that is too large, 500 where a body parser has read the body before.
 */
export class FormError extends Error {
  static {
    this.prototype.name = "FormError";
  }
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/**
 * readBrowserRequest takes a request of node:http (or of Express, which builds on it) as it came: the parameters of
 * query and form in order with repeats, and the headers that the sidecar looks at. It reads the body itself, so it must
 * come before any body parser, or find the unparsed bytes in `req.rawBody`. Rejects with FormError.
 */
export async function readBrowserRequest(req: IncomingMessage): Promise<BrowserRequest> {
  // Express keeps the whole URL here where a router is mounted below a path.
  const url = (req as { originalUrl?: string }).originalUrl ?? req.url ?? "";
  const query = url.includes("?") ? url.slice(url.indexOf("?") + 1) : "";
  const form = isForm(req) ? await readForm(req) : "";
  return {
    parameters: [...parameters(query), ...parameters(form)].slice(0, maxParameters),
    method: req.method ?? "",
    cookieHeader: req.headers.cookie,
    origin: req.headers.origin,
    secFetchSite: header(req, "sec-fetch-site"),
    secFetchDest: header(req, "sec-fetch-dest"),
    secFetchStorageAccess: header(req, "sec-fetch-storage-access"),
  };
}

/** SendOptions are for `sendBrowserReply`. */
export interface SendOptions {
  /** True keeps the Content-Security-Policy that the tool has set; the request then had its `cspNonce`. */
  readonly keepPolicy?: boolean | undefined;
}

/**
 * sendBrowserReply sends a reply unchanged. Headers that the tool's middleware has set, and that would keep the page
 * from working in a frame, are taken back. Cookies of the tool stay.
 */
export function sendBrowserReply(res: ServerResponse, reply: BrowserReply, options: SendOptions = {}): void {
  const replaced = new Set(reply.headers.map(({ name }) => name.toLowerCase()));
  replaced.add("x-frame-options").add("cross-origin-opener-policy").add("content-security-policy");
  replaced.delete("set-cookie");
  if (options.keepPolicy) replaced.delete("content-security-policy");
  for (const name of replaced) res.removeHeader(name);
  addHeaders(res, reply.headers);
  res.statusCode = reply.status;
  res.end(reply.body);
}

/** addHeaders adds header lines to an answer and replaces none. */
export function addHeaders(res: ServerResponse, headers: readonly Header[]): void {
  for (const { name, value } of headers) res.appendHeader(name, value);
}

function isForm(req: IncomingMessage): boolean {
  const [type = ""] = (req.headers["content-type"] ?? "").split(";");
  return req.method === "POST" && type.trim().toLowerCase() === "application/x-www-form-urlencoded";
}

async function readForm(req: IncomingMessage): Promise<string> {
  return new TextDecoder().decode(await readBody(req, maxFormBytes));
}

/**
 * readBody reads the body of a request that nobody has read, or finds it in `req.rawBody`. Rejects with FormError where
 * it is larger, or was read before.
 */
export async function readBody(req: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const { rawBody } = req as { rawBody?: unknown };
  if (rawBody instanceof Uint8Array) {
    if (rawBody.length > maxBytes) throw tooLarge(maxBytes);
    return rawBody;
  }
  if (req.readableDidRead) {
    throw new FormError("a body parser has read this form: mount the LTI routes before express.urlencoded", 500);
  }
  if (Number(req.headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(maxBytes: number): FormError {
  return new FormError(`the form is larger than ${maxBytes} bytes`, 413);
}

function parameters(encoded: string): Parameter[] {
  const list: Parameter[] = [];
  for (const [name, value] of new URLSearchParams(encoded)) {
    if (list.length === maxParameters) break;
    list.push({ name, value });
  }
  return list;
}

function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}
