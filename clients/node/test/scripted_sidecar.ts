// SPDX-License-Identifier: Apache-2.0
// A server on a Unix socket whose answers a test writes down: for what a real sidecar does only on a bad day. It speaks
// gRPC, or with SCRIPTED_TRANSPORT=http the Connect protocol.
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, createServer, type Server as NetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { Metadata, Server, ServerCredentials, status, type ServiceDefinition } from "@grpc/grpc-js";
import type { ServerWritableStream, UntypedHandleCall, sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import { BrowserReply } from "../src/gen/ltisidecar/v1/browser.js";
import { EventServiceService } from "../src/gen/ltisidecar/v1/event_service.js";
import { GradeServiceService } from "../src/gen/ltisidecar/v1/grade_service.js";
import { KeyServiceService } from "../src/gen/ltisidecar/v1/key_service.js";
import { Launch } from "../src/gen/ltisidecar/v1/launch.js";
import { LaunchServiceService } from "../src/gen/ltisidecar/v1/launch_service.js";
import { RosterServiceService } from "../src/gen/ltisidecar/v1/roster_service.js";
import { TokenServiceService } from "../src/gen/ltisidecar/v1/token_service.js";

type Answer<Request, Response> = (
  request: Request,
  call: ServerUnaryCall<Request, Response>,
) => Response | Promise<Response>;

type Streamed<Request, Response> = (call: ServerWritableStream<Request, Response>) => void | Promise<void>;

type Scripted<M> = M extends {
  readonly requestDeserialize: (bytes: Buffer) => infer Request;
  readonly responseDeserialize: (bytes: Buffer) => infer Response;
  readonly responseStream: infer Streams;
}
  ? Streams extends true
    ? Streamed<Request, Response>
    : Answer<Request, Response>
  : never;

type Services = typeof EventServiceService &
  typeof GradeServiceService &
  typeof KeyServiceService &
  typeof LaunchServiceService &
  typeof RosterServiceService &
  typeof TokenServiceService;

/** Script has an answer for each RPC that a test calls. Throw a Refusal for an error status. */
export type Script = { [Name in keyof Services]?: Scripted<Services[Name]> };

/** Refusal is an error status with the details that a sidecar sends. */
export class Refusal extends Error {
  readonly code: status;
  /** As google.protobuf.Any. */
  readonly parts: readonly Uint8Array[];
  readonly metadata = new Metadata();

  constructor(code: keyof typeof status, message: string, ...details: Uint8Array[]) {
    super(message);
    this.code = status[code];
    const writer = new BinaryWriter().uint32(8).int32(this.code).uint32(18).string(message);
    this.parts = details;
    for (const detail of details) writer.uint32(26).bytes(detail);
    if (details.length > 0) this.metadata.set("grpc-status-details-bin", Buffer.from(writer.finish()));
  }
}

/** any wraps a detail as a google.protobuf.Any. */
export function any(type: string, value: Uint8Array): Uint8Array {
  return new BinaryWriter().uint32(10).string(`type.googleapis.com/${type}`).uint32(18).bytes(value).finish();
}

export function errorInfo(reason: string, metadata: Record<string, string> = {}, domain = "ltisidecar"): Uint8Array {
  const writer = new BinaryWriter().uint32(10).string(reason).uint32(18).string(domain);
  for (const [key, value] of Object.entries(metadata)) {
    writer.uint32(26).bytes(new BinaryWriter().uint32(10).string(key).uint32(18).string(value).finish());
  }
  return any("google.rpc.ErrorInfo", writer.finish());
}

export function retryInfo(seconds: number, nanos: number): Uint8Array {
  const duration = new BinaryWriter().uint32(8).int64(seconds).uint32(16).int32(nanos).finish();
  return any("google.rpc.RetryInfo", new BinaryWriter().uint32(10).bytes(duration).finish());
}

export function replyDetail(reply: BrowserReply): Uint8Array {
  return any("ltisidecar.v1.BrowserReply", BrowserReply.encode(reply).finish());
}

/** launchMessage is a launch as the wire has it, with what a test changes of it. */
export function launchMessage(changes: Parameters<typeof Launch.fromPartial>[0] = {}): Launch {
  return Launch.fromPartial({
    launchId: "0123456789abcdef0123456789abcdef",
    launchToken: "launch-token-1",
    registration: "canvas",
    issuer: "https://canvas.example",
    clientId: "client-1",
    deploymentId: "deployment-1",
    targetLinkUri: "https://tool.example/start",
    messageType: 1,
    messageTypeName: "LtiResourceLinkRequest",
    user: { key: "aa", id: "user-1", name: "Ada <Lovelace>" },
    roles: ["http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"],
    roleSummary: { instructor: true },
    context: { key: "bb", id: "course-1", title: "Biology" },
    resourceLink: { key: "cc", id: "link-1" },
    custom: { chapter: "3" },
    grades: {
      registration: "canvas",
      deploymentId: "deployment-1",
      lineItemUri: "https://canvas.example/items/1",
      scopes: ["https://purl.imsglobal.org/spec/lti-ags/scope/score"],
      canPostScore: true,
    },
    memberships: {
      registration: "canvas",
      deploymentId: "deployment-1",
      contextMembershipsUri: "https://canvas.example/members",
      serviceVersions: ["2.0"],
    },
    browserBinding: 1,
    claimsJson: '{"sub":"user-1"}',
    launchTime: new Date("2026-03-01T10:00:00.250Z"),
    ...changes,
  });
}

/** ScriptedSidecar is a running server. */
export interface ScriptedSidecar {
  /** Address for createSidecar. */
  readonly address: string;
  /** How many calls came, by RPC. */
  readonly calls: Map<string, number>;
  /** The script: change it while the server runs. */
  script: Script;
  /** Cuts all connections and takes the socket away, as a killed process does. */
  stop(): void;
  /** Puts the socket back. */
  start(): Promise<void>;
}

/** startScriptedSidecar starts a server that ends with the test. */
export async function startScriptedSidecar(
  t: { after(fn: () => void): void },
  script: Script = {},
): Promise<ScriptedSidecar> {
  const directory = mkdtempSync(join(tmpdir(), "ltisidecar-"));
  const path = join(directory, "sidecar.sock");
  const inner = join(directory, "grpc.sock");
  // The socket of the test is passed on to the one of the server, so that it can be cut without a farewell.
  const sockets = new Set<Socket>();
  let front: NetServer | undefined;
  const pass = (from: Socket) => {
    const to = connect(inner);
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => (sockets.delete(socket), other.destroy()));
      socket.pipe(other);
    }
  };
  const scripted: ScriptedSidecar = {
    address: `${overHttp ? "http+" : ""}unix://${path}`,
    calls: new Map(),
    script,
    stop() {
      front?.close();
      for (const socket of sockets) socket.destroy();
    },
    async start() {
      front = createServer(pass).listen(path);
      await once(front, "listening");
    },
  };
  const shutdown = await (overHttp ? serveHttp(inner, scripted) : serveGrpc(inner, scripted));
  await scripted.start();
  t.after(() => {
    scripted.stop();
    shutdown();
    rmSync(directory, { recursive: true, force: true });
  });
  return scripted;
}

const overHttp = process.env.SCRIPTED_TRANSPORT === "http";

const services: ServiceDefinition[] = [
  EventServiceService,
  GradeServiceService,
  KeyServiceService,
  LaunchServiceService,
  RosterServiceService,
  TokenServiceService,
];

/** scriptFor counts a call and answers what the test has written for it. */
function scriptFor(scripted: ScriptedSidecar, name: string): (...args: unknown[]) => unknown {
  scripted.calls.set(name, (scripted.calls.get(name) ?? 0) + 1);
  const answer = scripted.script[name as keyof Script] as ((...args: unknown[]) => unknown) | undefined;
  if (!answer) throw new Refusal("UNIMPLEMENTED", `the test has no answer for ${name}`);
  return answer;
}

async function serveGrpc(socket: string, scripted: ScriptedSidecar): Promise<() => void> {
  const server = new Server();
  for (const service of services) server.addService(service, handlers(service, scripted));
  await promisify(server.bindAsync.bind(server))(`unix://${socket}`, ServerCredentials.createInsecure());
  return () => server.forceShutdown();
}

function handlers(service: ServiceDefinition, scripted: ScriptedSidecar): Record<string, UntypedHandleCall> {
  const named: Record<string, UntypedHandleCall> = {};
  for (const [name, method] of Object.entries(service)) {
    named[name] = method.responseStream
      ? async (call: ServerWritableStream<unknown, unknown>) => {
          try {
            await scriptFor(scripted, name)(call);
          } catch (error) {
            call.emit("error", error);
          }
        }
      : async (call: ServerUnaryCall<unknown, unknown>, send: sendUnaryData<unknown>) => {
          try {
            send(null, await scriptFor(scripted, name)(call.request, call));
          } catch (error) {
            send(error as Refusal);
          }
        };
  }
  return named;
}

/** HttpCall has what scripts use of a call of gRPC. */
class HttpCall extends EventEmitter {
  readonly #res: ServerResponse;
  readonly #serialize: (message: unknown) => Buffer;

  constructor(
    readonly request: unknown,
    readonly deadline: number,
    res: ServerResponse,
    serialize: (message: unknown) => Buffer,
  ) {
    super();
    this.#res = res;
    this.#serialize = serialize;
    res.on("close", () => res.writableFinished || this.emit("cancelled"));
    this.on("error", (error: Refusal) => this.#end({ error: errorJson(error) }));
  }

  getDeadline(): number {
    return this.deadline;
  }

  write(message: unknown): void {
    this.#frame(0, this.#serialize(message));
  }

  end(): void {
    this.#end({});
  }

  #end(end: object): void {
    this.#frame(2, Buffer.from(JSON.stringify(end)));
    this.#res.end();
  }

  #frame(flags: number, body: Buffer): void {
    const head = Buffer.alloc(5);
    head[0] = flags;
    head.writeUInt32BE(body.length, 1);
    this.#res.write(Buffer.concat([head, body]));
  }
}

function errorJson({ code, message, parts, metadata }: Refusal): object {
  const name = status[code].toLowerCase();
  const details = parts.map((detail) => {
    const reader = new BinaryReader(detail);
    const read: Record<number, Uint8Array> = {};
    while (reader.pos < reader.len) {
      const [field] = reader.tag();
      read[field] = reader.bytes();
    }
    const type = Buffer.from(read[1]!).toString().split("/").pop();
    return { type, value: Buffer.from(read[2]!).toString("base64").replace(/=+$/, "") };
  });
  if (details.length === 0 && metadata.get("grpc-status-details-bin").length > 0) {
    details.push({ type: "google.rpc.ErrorInfo", value: "Gv8B" }); // what a test made unreadable
  }
  return { code: name === "cancelled" ? "canceled" : name, message, details };
}

async function serveHttp(socket: string, scripted: ScriptedSidecar): Promise<() => void> {
  const server = createHttpServer((req, res) => void answerHttp(scripted, req, res)).listen(socket);
  await once(server, "listening");
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

async function answerHttp(scripted: ScriptedSidecar, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const all = services.flatMap((service) => Object.entries(service));
  const [name, method] = all.find(([, { path }]) => path === req.url)!;
  const wanted = method.responseStream ? "application/connect+proto" : "application/proto";
  if (req.headers["content-type"] !== wanted || req.headers["connect-protocol-version"] !== "1") {
    res.writeHead(415).end();
    return;
  }
  const deadline = Date.now() + Number(req.headers["connect-timeout-ms"] ?? Infinity);
  const message = method.requestDeserialize(method.responseStream ? body.subarray(5) : body);
  const call = new HttpCall(message, deadline, res, method.responseSerialize);
  if (method.responseStream) {
    res.writeHead(200, { "Content-Type": wanted });
    try {
      await scriptFor(scripted, name)(call);
    } catch (error) {
      call.emit("error", error);
    }
    return;
  }
  try {
    const answer = method.responseSerialize(await scriptFor(scripted, name)(message, call));
    res.writeHead(200, { "Content-Type": wanted }).end(answer);
  } catch (error) {
    res.writeHead(400, { "Content-Type": "application/json" }).end(JSON.stringify(errorJson(error as Refusal)));
  }
}
