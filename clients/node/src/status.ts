// SPDX-License-Identifier: Apache-2.0
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { BrowserReply as BrowserReplyMessage } from "./gen/ltisidecar/v1/browser.js";
import { toBrowserReply, type BrowserReply } from "./browser.js";

/** StatusDetails is what the sidecar adds to an error status. */
export interface StatusDetails {
  readonly reason?: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number;
  readonly helpUri?: string;
  readonly reply?: BrowserReply;
}

/** The domain of the sidecar's reasons: an ErrorInfo of any other domain is not ours to interpret. */
const domain = "ltisidecar";

/**
 * decodeStatusDetails reads the trailer `grpc-status-details-bin`, a google.rpc.Status. The few messages of google.rpc
 * that the sidecar sends are read field by field, so that the package needs no copy of their definitions. Details of
 * other types are skipped. Throws where the bytes are no protobuf message.
 */
export function decodeStatusDetails(bytes: Uint8Array): StatusDetails {
  const details: [type: string, value: Uint8Array][] = [];
  // google.rpc.Status: details = 3, each a google.protobuf.Any.
  eachField(bytes, (field, reader) => {
    if (field !== 3) return false;
    const { type, value } = decodeAny(reader.bytes());
    details.push([type, value]);
    return true;
  });
  return decodeDetails(details);
}

/** decodeDetails reads details by their type names, such as `google.rpc.ErrorInfo`. */
export function decodeDetails(messages: Iterable<readonly [type: string, value: Uint8Array]>): StatusDetails {
  const details: Mutable<StatusDetails> = { metadata: {} };
  for (const [type, value] of messages) {
    switch (type) {
      case "google.rpc.ErrorInfo": {
        const info = decodeErrorInfo(value);
        if (info.domain === domain) {
          details.reason = info.reason;
          details.metadata = info.metadata;
        }
        break;
      }
      case "google.rpc.RetryInfo":
        details.retryAfterMs = decodeRetryInfo(value);
        break;
      case "google.rpc.Help": {
        const uri = decodeHelp(value);
        if (uri !== undefined) details.helpUri = uri;
        break;
      }
      case "ltisidecar.v1.BrowserReply":
        details.reply = toBrowserReply(BrowserReplyMessage.decode(value));
        break;
    }
  }
  return details;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** eachField offers every field of a message to `read`, which answers true once it has consumed the value. */
function eachField(bytes: Uint8Array, read: (field: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (!read(field, reader)) reader.skip(wireType, field);
  }
}

function decodeAny(bytes: Uint8Array): { type: string; value: Uint8Array } {
  let type = "";
  let value: Uint8Array = new Uint8Array();
  eachField(bytes, (field, reader) => {
    if (field === 1) type = reader.string().replace(/^.*\//, "");
    else if (field === 2) value = reader.bytes();
    else return false;
    return true;
  });
  return { type, value };
}

function decodeErrorInfo(bytes: Uint8Array): { reason: string; domain: string; metadata: Record<string, string> } {
  const info = { reason: "", domain: "", metadata: {} as Record<string, string> };
  const entries: [string, string][] = [];
  eachField(bytes, (field, reader) => {
    if (field === 1) info.reason = reader.string();
    else if (field === 2) info.domain = reader.string();
    else if (field === 3) entries.push(decodeMapEntry(reader.bytes()));
    else return false;
    return true;
  });
  info.metadata = Object.fromEntries(entries);
  return info;
}

function decodeMapEntry(bytes: Uint8Array): [string, string] {
  const entry: [string, string] = ["", ""];
  eachField(bytes, (field, reader) => {
    if (field !== 1 && field !== 2) return false;
    entry[field - 1] = reader.string();
    return true;
  });
  return entry;
}

/** decodeRetryInfo answers the retry_delay (field 1, a google.protobuf.Duration) in whole milliseconds, rounded up. */
function decodeRetryInfo(bytes: Uint8Array): number {
  let seconds = 0;
  let nanos = 0;
  eachField(bytes, (field, reader) => {
    if (field !== 1) return false;
    eachField(reader.bytes(), (part, delay) => {
      if (part === 1) seconds = Number(delay.int64());
      else if (part === 2) nanos = delay.int32();
      else return false;
      return true;
    });
    return true;
  });
  return Math.max(0, Math.ceil(seconds * 1000 + nanos / 1e6));
}

/** decodeHelp answers the URL (field 2) of the first link (field 1). */
function decodeHelp(bytes: Uint8Array): string | undefined {
  let uri: string | undefined;
  eachField(bytes, (field, reader) => {
    if (field !== 1) return false;
    eachField(reader.bytes(), (part, link) => {
      if (part !== 2) return false;
      const url = link.string();
      uri ??= url;
      return true;
    });
    return true;
  });
  return uri;
}
