// SPDX-License-Identifier: Apache-2.0
import { Client, credentials, Metadata, type ChannelCredentials, type ServiceError } from "@grpc/grpc-js";
import { fromServiceError } from "./error.js";
import { closedError, isLocal, nothingCame } from "./transport.js";
import type { CallOptions, Method, TlsOptions, Transport } from "./transport.js";

/** After a lost connection, the longest wait before the next attempt to connect, in milliseconds. */
const maxReconnectBackoffMs = 2_000;

/** GrpcTransport is one HTTP/2 connection. */
export class GrpcTransport implements Transport {
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
    const expire = () => {
      late = true;
      call.cancel();
    };
    try {
      for (;;) {
        const timer = timeoutMs < Infinity ? setTimeout(expire, timeoutMs) : undefined;
        const next = await messages.next().finally(() => clearTimeout(timer));
        if (next.done) return;
        yield next.value;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (late) throw nothingCame(timeoutMs);
      throw fromServiceError(error);
    } finally {
      signal?.removeEventListener("abort", cancel);
      call.cancel();
    }
  }

  close(): void {
    this.#closed = true;
    this.#client?.close();
    this.#client = undefined;
  }

  #connect(): Client {
    if (this.#closed) throw closedError();
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
