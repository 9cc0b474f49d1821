// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from "node:timers/promises";
import { Pool, type Dispatcher } from "undici";
import { LtiSidecarError, sidecarError, type StatusCode } from "./error.js";
import { decodeDetails, type StatusDetails } from "./status.js";
import { closedError, nothingCame, type CallOptions, type Method, type Transport } from "./transport.js";

/** The largest answer that is read, in bytes; the sidecar sends far less. */
const maxAnswerBytes = 64 << 20;

/** Calls above this many at once wait for a connection. */
const maxConnections = 128;

/** How long an idle connection is kept, in milliseconds. */
const keepAliveMs = 60_000;

/** How long a call that waits for the sidecar waits between two attempts to connect, in milliseconds. */
const reconnectMs = 50;

const endOfStream = 0x02;

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

/**
 * HttpTransport is the Connect protocol with protobuf bodies, over kept HTTP/1.1 connections of which each serves one
 * call at a time.
 */
export class HttpTransport implements Transport {
  readonly address: string;
  readonly #pool: Pool;
  #closed = false;

  /** The address is one that isHttp has seen. */
  constructor(address: string) {
    this.address = address;
    const rest = address.slice(address.indexOf("://") + 3);
    const socketPath = rest.startsWith("/") ? rest : undefined;
    this.#pool = new Pool(socketPath ? "http://localhost" : address, {
      ...(socketPath ? { socketPath } : {}),
      connections: maxConnections,
      pipelining: 1,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      // Each call has its own time.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  async unary<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
    defaultTimeoutMs: number,
  ): Promise<Response> {
    const { signal, timeoutMs = defaultTimeoutMs } = options;
    signal?.throwIfAborted();
    if (this.#closed) throw closedError();
    const timeout = String(Math.max(1, Math.floor(timeoutMs)));
    const sent: Dispatcher.DispatchOptions = {
      path: method.path,
      method: "POST",
      headers: ["content-type", "application/proto", "connect-protocol-version", "1", "connect-timeout-ms", timeout],
      body: method.requestSerialize(request),
    };
    const ending = new Ending(signal, timeoutMs);
    try {
      const answer = await connected(options, ending, () => exchange(this.#pool, sent, ending));
      if (answer.status !== 200) throw errorOf(answer);
      return method.responseDeserialize(answer.body);
    } catch (error) {
      throw ending.explain(error);
    } finally {
      ending.clear();
    }
  }

  async *stream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
    defaultTimeoutMs: number,
  ): AsyncGenerator<Response, void, undefined> {
    const { signal, timeoutMs = defaultTimeoutMs } = options;
    signal?.throwIfAborted();
    if (this.#closed) throw closedError();
    const message = method.requestSerialize(request);
    const frame = Buffer.alloc(5 + message.length);
    frame.writeUInt32BE(message.length, 1);
    message.copy(frame, 5);
    const headers = { "content-type": "application/connect+proto", "connect-protocol-version": "1" };
    const ending = new Ending(signal, timeoutMs);
    const abort = new AbortController();
    ending.onEnd = () => abort.abort();
    const sent = { path: method.path, method: "POST" as const, headers, body: frame, signal: abort.signal };
    try {
      const response = await connected(options, ending, () => this.#pool.request(sent));
      if (response.statusCode !== 200) {
        const body = Buffer.from(await response.body.arrayBuffer());
        const contentType = String(response.headers["content-type"] ?? "");
        throw errorOf({ status: response.statusCode, contentType, body });
      }
      const frames = framesOf(response.body);
      for (;;) {
        ending.startTimer();
        const next = await frames.next();
        ending.stopTimer();
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
      throw ending.explain(error);
    } finally {
      ending.clear();
      abort.abort();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    void this.#pool.close(); // after the calls under way
  }
}

/** Ending is what can end a call early: its signal and its time. */
class Ending {
  onEnd: () => void = () => undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number;
  readonly #abort = (): void => this.onEnd();
  readonly #expire = (): void => {
    this.#late = true;
    this.onEnd();
  };
  #timer: NodeJS.Timeout | undefined;
  #late = false;

  constructor(signal: AbortSignal | undefined, timeoutMs: number) {
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
    signal?.addEventListener("abort", this.#abort);
    this.startTimer();
  }

  get ended(): boolean {
    return this.#late || this.#signal?.aborted === true;
  }

  startTimer(): void {
    clearTimeout(this.#timer);
    if (this.#timeoutMs < Infinity) this.#timer = setTimeout(this.#expire, this.#timeoutMs);
  }

  stopTimer(): void {
    clearTimeout(this.#timer);
  }

  /** explain answers what to throw: the signal's reason, an error of ours, or that the sidecar is out of reach. */
  explain(error: unknown): unknown {
    if (this.#signal?.aborted) return this.#signal.reason;
    if (this.#late) return nothingCame(this.#timeoutMs);
    if (error instanceof LtiSidecarError || !(error instanceof Error) || !("code" in error)) return error;
    return sidecarError(`the sidecar is out of reach: ${error.message}`, "UNAVAILABLE", undefined, { cause: error });
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#abort);
  }
}

/** connected calls once there is a connection: until then nothing was sent, so that trying again is safe. */
async function connected<T>(options: CallOptions, ending: Ending, call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const absent = ["ENOENT", "ECONNREFUSED"].includes((error as NodeJS.ErrnoException).code ?? "");
      if (!absent || !options.waitForReady || ending.ended) throw error;
      await delay(reconnectMs);
      if (ending.ended) throw error;
    }
  }
}

/** exchange sends one request and reads the answer whole. */
function exchange(pool: Pool, sent: Dispatcher.DispatchOptions, ending: Ending): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let status = 0;
    let contentType = "";
    let size = 0;
    const chunks: Buffer[] = [];
    const end = (why: Error): void => {
      reject(why);
      controller?.abort(why);
    };
    ending.onEnd = () => end(new Error("the call was ended"));
    pool.dispatch(sent, {
      onRequestStart(started) {
        controller = started;
        if (ending.ended) end(new Error("the call was ended"));
      },
      onResponseStart(_controller, code, headers) {
        status = code;
        contentType = String(headers["content-type"] ?? "");
      },
      onResponseData(_controller, chunk) {
        size += chunk.length;
        if (size > maxAnswerBytes) end(sidecarError("the sidecar's answer is too large", "INTERNAL"));
        else chunks.push(chunk);
      },
      onResponseEnd() {
        resolve({ status, contentType, body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) });
      },
      onResponseError(_controller, error) {
        reject(error);
      },
    });
  });
}

/** framesOf yields the frames of a stream: a byte of flags, a length of four bytes, and a body. */
async function* framesOf(response: AsyncIterable<unknown>): AsyncGenerator<{ flags: number; body: Buffer }, void, undefined> {
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
function errorOf({ status, contentType, body }: Answer): LtiSidecarError {
  const codes: Record<number, StatusCode> = { 404: "UNIMPLEMENTED", 415: "UNIMPLEMENTED", 429: "UNAVAILABLE" };
  const fallback = codes[status] ?? ([502, 503, 504].includes(status) ? "UNAVAILABLE" : "UNKNOWN");
  const error = contentType.startsWith("application/json") ? json(body) : {};
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
