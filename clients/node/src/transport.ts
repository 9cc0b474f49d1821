// SPDX-License-Identifier: Apache-2.0
import { LtiSidecarError, sidecarError } from "./error.js";

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
export interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Response;
}

/** Transport is the way to the sidecar: it connects at the first call, and anew when the connection breaks. */
export interface Transport {
  readonly address: string;

  /** unary makes one call and waits for its one answer. Nothing is sent twice. */
  unary<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
    defaultTimeoutMs: number,
  ): Promise<Response>;

  /**
   * stream yields the messages of one call as they arrive, no faster than they are taken. The timeout bounds the wait
   * for each message, not the whole; Infinity is none.
   */
  stream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
    defaultTimeoutMs: number,
  ): AsyncGenerator<Response, void, undefined>;

  /** close ends the connection. Calls under way are finished; later ones throw. Closing twice is harmless. */
  close(): void;
}

/** The sidecar's socket where LTISIDECAR_ADDRESS names no other. */
export const defaultAddress = "http+unix:///run/ltisidecar/sidecar-json.sock";

/** isHttp says whether an address is that of the HTTP listener. Throws a TypeError where it is a wrong one. */
export function isHttp(address: string): boolean {
  if (/^http\+unix:\/\/\//.test(address)) return true;
  if (!/^https?[:+]/.test(address)) return false;
  if (/^http:\/\/[^/]+\/?$/.test(address) && isLoopback(address.slice("http://".length).replace(/\/$/, ""))) return true;
  throw new TypeError(
    `the sidecar address ${address} is neither http+unix:///path nor http://host:port on loopback: over the network use gRPC, host:port, with the tls option`,
  );
}

/** isLocal says whether a gRPC address stays on this machine. */
export function isLocal(address: string): boolean {
  return /^unix:/.test(address) || isLoopback(address);
}

function isLoopback(hostAndPort: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]):\d+$/.test(hostAndPort);
}

/** nothingCame is the error of a call whose answer, or whose next message, did not come in time. */
export function nothingCame(timeoutMs: number): LtiSidecarError {
  return sidecarError(`no message from the sidecar for ${timeoutMs} ms`, "DEADLINE_EXCEEDED");
}

/** closedError is for calls after close. */
export function closedError(): Error {
  return new Error("the client of the sidecar is closed");
}
