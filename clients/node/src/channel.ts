// SPDX-License-Identifier: Apache-2.0
import { Client, credentials, Metadata, type ChannelCredentials, type ServiceError } from "@grpc/grpc-js";
import { fromServiceError, sidecarError } from "./error.js";

/** CallOptions bound one call. */
export interface CallOptions {
  /** Longest time to wait for the answer, in milliseconds. Unset: the default of the method. */
  readonly timeoutMs?: number | undefined;
  /** Signal that cancels the call; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** True waits within the timeout for a sidecar that is not there yet. Unset: such a call fails at once. */
  readonly waitForReady?: boolean | undefined;
}

/** TlsOptions are the certificates for a sidecar on another host, in PEM. */
export interface TlsOptions {
  /** Certificate authority of the sidecar's certificate. Unset: the system's. */
  readonly ca?: string | Uint8Array | undefined;
  /** This tool's certificate chain. */
  readonly cert: string | Uint8Array;
  /** This tool's private key. */
  readonly key: string | Uint8Array;
}

/** Method is the part of a generated method definition that a call needs. */
interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Response;
}

/** The sidecar's socket where LTISIDECAR_ADDRESS names no other. */
export const defaultAddress = "unix:///run/ltisidecar/sidecar.sock";

/** After a lost connection, the longest wait before the next attempt to connect, in milliseconds. */
const maxReconnectBackoffMs = 2_000;

/** Channel is the one connection to the sidecar, made at the first call and made anew when it breaks. */
export class Channel {
  readonly address: string;
  readonly #credentials: ChannelCredentials;
  #client: Client | undefined;
  #closed = false;

  constructor(address: string, tls: TlsOptions | undefined) {
    this.address = address;
    if (!tls && !isLocal(address)) {
      throw new TypeError(
        `the sidecar address ${address} is neither a Unix socket nor on loopback: the connection needs the tls option`,
      );
    }
    this.#credentials = tls
      ? credentials.createSsl(tls.ca ? Buffer.from(tls.ca) : null, Buffer.from(tls.key), Buffer.from(tls.cert))
      : credentials.createInsecure();
  }

  /** unary makes one call and waits for its one answer. Nothing is sent twice. */
  async unary<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
    defaultTimeoutMs: number,
  ): Promise<Response> {
    const { signal, timeoutMs = defaultTimeoutMs } = options;
    signal?.throwIfAborted();
    const client = this.#connect();
    let cancel: (() => void) | undefined;
    try {
      return await new Promise<Response>((resolve, reject) => {
        const call = client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          request,
          metadata(options),
          { deadline: Date.now() + timeoutMs },
          (error: ServiceError | null, response?: Response) => {
            if (error) reject(error);
            else resolve(response as Response);
          },
        );
        cancel = () => call.cancel();
        signal?.addEventListener("abort", cancel);
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw fromServiceError(error);
    } finally {
      if (cancel) signal?.removeEventListener("abort", cancel);
    }
  }

  /**
   * stream yields the messages of one call as they arrive, no faster than they are taken. The timeout bounds the wait
   * for each message, not the whole.
   */
  async *stream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
    defaultTimeoutMs: number,
  ): AsyncGenerator<Response, void, undefined> {
    const { signal, timeoutMs = defaultTimeoutMs } = options;
    signal?.throwIfAborted();
    const call = this.#connect().makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata(options),
    );
    const cancel = () => call.cancel();
    signal?.addEventListener("abort", cancel);
    const messages: AsyncIterator<Response> = call[Symbol.asyncIterator]();
    let late = false;
    try {
      for (;;) {
        const timer = setTimeout(() => {
          late = true;
          call.cancel();
        }, timeoutMs);
        const next = await messages.next().finally(() => clearTimeout(timer));
        if (next.done) return;
        yield next.value;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (late) {
        throw sidecarError(`no message from the sidecar for ${timeoutMs} ms`, "DEADLINE_EXCEEDED", {
          reason: "DEADLINE_EXCEEDED",
          metadata: {},
        });
      }
      throw fromServiceError(error);
    } finally {
      signal?.removeEventListener("abort", cancel);
      call.cancel();
    }
  }

  /** close ends the connection. Calls under way are finished; later ones throw. Closing twice is harmless. */
  close(): void {
    this.#closed = true;
    this.#client?.close();
    this.#client = undefined;
  }

  #connect(): Client {
    if (this.#closed) throw new Error("the client of the sidecar is closed");
    return (this.#client ??= new Client(this.address, this.#credentials, {
      // Nothing is sent twice behind the tool's back: a launch is accepted once.
      "grpc.enable_retries": 0,
      // The sidecar is beside the tool: no proxy lies between them.
      "grpc.enable_http_proxy": 0,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": maxReconnectBackoffMs,
      "grpc.service_config_disable_resolution": 1,
    }));
  }
}

function metadata({ waitForReady = false }: CallOptions): Metadata {
  return new Metadata({ waitForReady });
}

function isLocal(address: string): boolean {
  return /^unix:/.test(address) || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]):\d+$/.test(address);
}
