// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { LtiSidecarError, sidecarError, type StatusCode } from "./error.js";
import { decodeDetails, type StatusDetails } from "./status.js";
import { closedError, nothingCame, type CallOptions, type Method, type Transport } from "./transport.js";

/** The largest answer that is read, in bytes; the sidecar sends far less. */
const maxAnswerBytes = 64 << 20;

/** How long a call that waits for the sidecar waits between two attempts to connect, in milliseconds. */
const reconnectMs = 50;

const endOfStream = 0x02;

/**
 * HttpTransport is the Connect protocol with protobuf bodies, over kept HTTP/1.1 connections of which each serves one
 * call at a time.
 */
export class HttpTransport implements Transport {
  readonly address: string;
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 64, scheduling: "lifo" });
  readonly #target: { socketPath: string } | { host: string; port: string };
  #closed = false;

  /** The address is one that isHttp has seen. */
  constructor(address: string) {
    this.address = address;
    const rest = address.slice(address.indexOf("://") + 3);
    if (rest.startsWith("/")) this.#target = { socketPath: rest };
    else {
      const { hostname, port } = new URL(address);
      this.#target = { host: hostname.replace(/^\[|\]$/g, ""), port: port || "80" };
    }
  }

  async unary<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
    defaultTimeoutMs: number,
  ): Promise<Response> {
    const { signal, timeoutMs = defaultTimeoutMs } = options;
    const headers = { "Content-Type": "application/proto", "Connect-Timeout-Ms": String(Math.max(1, Math.floor(timeoutMs))) };
    const exchange = new Exchange(signal);
    exchange.expireAfter(timeoutMs);
    try {
      const body = method.requestSerialize(request);
      const response = await exchange.ask((done) => this.#request(method.path, headers, body, done), options);
      const answer = await readAll(response);
      if (response.statusCode !== 200) throw errorOf(response, answer);
      return method.responseDeserialize(answer);
    } catch (error) {
      throw exchange.explain(error, timeoutMs);
    } finally {
      exchange.end();
    }
  }

  async *stream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
    defaultTimeoutMs: number,
  ): AsyncGenerator<Response, void, undefined> {
    const { signal, timeoutMs = defaultTimeoutMs } = options;
    const headers = { "Content-Type": "application/connect+proto" };
    const message = method.requestSerialize(request);
    const frame = Buffer.alloc(5 + message.length);
    frame.writeUInt32BE(message.length, 1);
    message.copy(frame, 5);
    const exchange = new Exchange(signal);
    try {
      exchange.expireAfter(timeoutMs);
      const response = await exchange.ask((done) => this.#request(method.path, headers, frame, done), options);
      if (response.statusCode !== 200) throw errorOf(response, await readAll(response));
      const frames = framesOf(response);
      for (;;) {
        exchange.expireAfter(timeoutMs);
        const next = await frames.next();
        exchange.expireAfter(Infinity);
        if (next.done) throw sidecarError("the sidecar broke the stream off", "UNAVAILABLE");
        const { flags, body } = next.value;
        if (flags & endOfStream) {
          const { error } = json(body);
          if (error !== undefined) throw fromJson(error, "UNKNOWN");
          return;
        }
        yield method.responseDeserialize(body);
      }
    } catch (error) {
      throw exchange.explain(error, timeoutMs);
    } finally {
      exchange.end();
      exchange.cancel();
    }
  }

  close(): void {
    this.#closed = true;
    this.#agent.maxFreeSockets = 0; // those in use end with their calls
    for (const sockets of Object.values(this.#agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  #request(
    path: string,
    headers: Record<string, string>,
    body: Buffer,
    done: (response: IncomingMessage) => void,
  ): ClientRequest {
    if (this.#closed) throw closedError();
    const outgoing = httpRequest(
      {
        ...this.#target,
        path,
        method: "POST",
        agent: this.#agent,
        headers: { ...headers, "Connect-Protocol-Version": "1", "Content-Length": body.length },
      },
      done,
    );
    outgoing.end(body);
    return outgoing;
  }
}

/** Exchange is one request with what can end it early: its signal and its time. */
class Exchange {
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.cancel();
  #outgoing: ClientRequest | undefined;
  #timer: NodeJS.Timeout | undefined;
  #late = false;

  constructor(signal: AbortSignal | undefined) {
    signal?.throwIfAborted();
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort);
  }

  /** ask sends the request, once, as soon as there is a connection for it. */
  async ask(send: (done: (response: IncomingMessage) => void) => ClientRequest, options: CallOptions): Promise<IncomingMessage> {
    for (;;) {
      try {
        return await new Promise<IncomingMessage>((resolve, reject) => {
          this.#outgoing = send(resolve);
          this.#outgoing.on("error", reject);
        });
      } catch (error) {
        // No connection: nothing was sent.
        const absent = ["ENOENT", "ECONNREFUSED"].includes((error as NodeJS.ErrnoException).code ?? "");
        if (!absent || !options.waitForReady || this.#late || this.#signal?.aborted) throw error;
        await delay(reconnectMs);
        if (this.#late || this.#signal?.aborted) throw error;
      }
    }
  }

  expireAfter(timeoutMs: number): void {
    clearTimeout(this.#timer);
    if (timeoutMs === Infinity) return;
    this.#timer = setTimeout(() => {
      this.#late = true;
      this.cancel();
    }, timeoutMs);
  }

  /** explain answers what to throw: the signal's reason, an error of ours, or that the sidecar is out of reach. */
  explain(error: unknown, timeoutMs: number): unknown {
    if (this.#signal?.aborted) return this.#signal.reason;
    if (this.#late) return nothingCame(timeoutMs);
    if (error instanceof LtiSidecarError || !(error instanceof Error)) return error;
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined && syscall === undefined) return error;
    return sidecarError(`the sidecar is out of reach: ${error.message}`, "UNAVAILABLE", undefined, { cause: error });
  }

  cancel(): void {
    this.#outgoing?.destroy();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#abort);
  }
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  response.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > maxAnswerBytes) response.destroy(sidecarError("the sidecar's answer is too large", "INTERNAL"));
    else chunks.push(chunk);
  });
  await once(response, "end");
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** framesOf yields the frames of a stream: a byte of flags, a length of four bytes, and a body. */
async function* framesOf(response: IncomingMessage): AsyncGenerator<{ flags: number; body: Buffer }, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of response as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const length = rest.readUInt32BE(1);
      if (length > maxAnswerBytes) throw sidecarError(`the sidecar sent a message of ${length} bytes`, "INTERNAL");
      if (rest.length < 5 + length) break;
      yield { flags: rest[0]!, body: rest.subarray(5, 5 + length) };
      rest = rest.subarray(5 + length);
    }
  }
}

/** errorOf makes the error of an answer that is not 200. */
function errorOf(response: IncomingMessage, body: Buffer): LtiSidecarError {
  const status = response.statusCode ?? 0;
  const codes: Record<number, StatusCode> = { 404: "UNIMPLEMENTED", 415: "UNIMPLEMENTED", 429: "UNAVAILABLE" };
  const fallback = codes[status] ?? ([502, 503, 504].includes(status) ? "UNAVAILABLE" : "UNKNOWN");
  const error = /^application\/json\b/.test(response.headers["content-type"] ?? "") ? json(body) : {};
  if (Object.keys(error).length > 0) return fromJson(error, fallback);
  const doubt = "is this the sidecar's HTTP listener, and does it have this call?";
  return sidecarError(`HTTP status ${status}: ${doubt}`, fallback);
}

/** fromJson makes the error that the Connect protocol writes as JSON. */
function fromJson(value: unknown, fallback: StatusCode): LtiSidecarError {
  const { code, message, details } = (value ?? {}) as { code?: unknown; message?: unknown; details?: unknown };
  const name = typeof code === "string" ? (codeNames[code] ?? fallback) : fallback;
  const text = typeof message === "string" && message !== "" ? message : "the call failed";
  let decoded: StatusDetails;
  try {
    const list = (Array.isArray(details) ? details : []) as { type: string; value: string }[];
    decoded = decodeDetails(list.map(({ type, value }) => [type, Buffer.from(value, "base64")] as const));
  } catch (cause) {
    // The refusal itself stands, whatever came with it.
    return sidecarError(`${text} (its details could not be read)`, name, undefined, { cause });
  }
  return sidecarError(text, name, decoded);
}

const codeNames: Record<string, StatusCode> = {
  canceled: "CANCELLED",
  unknown: "UNKNOWN",
  invalid_argument: "INVALID_ARGUMENT",
  deadline_exceeded: "DEADLINE_EXCEEDED",
  not_found: "NOT_FOUND",
  already_exists: "ALREADY_EXISTS",
  permission_denied: "PERMISSION_DENIED",
  resource_exhausted: "RESOURCE_EXHAUSTED",
  failed_precondition: "FAILED_PRECONDITION",
  aborted: "ABORTED",
  out_of_range: "OUT_OF_RANGE",
  unimplemented: "UNIMPLEMENTED",
  internal: "INTERNAL",
  unavailable: "UNAVAILABLE",
  data_loss: "DATA_LOSS",
  unauthenticated: "UNAUTHENTICATED",
};

function json(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
