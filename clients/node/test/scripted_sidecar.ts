// SPDX-License-Identifier: Apache-2.0
// A gRPC server on a Unix socket whose answers a test writes down: for what a real sidecar does only on a bad day.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server as NetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
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
  readonly metadata = new Metadata();

  constructor(code: keyof typeof status, message: string, ...details: Uint8Array[]) {
    super(message);
    this.code = status[code];
    const writer = new BinaryWriter().uint32(8).int32(this.code).uint32(18).string(message);
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
  const server = new Server();
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
    address: `unix://${path}`,
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
  for (const service of services) server.addService(service, handlers(service, scripted));
  await promisify(server.bindAsync.bind(server))(`unix://${inner}`, ServerCredentials.createInsecure());
  await scripted.start();
  t.after(() => {
    scripted.stop();
    server.forceShutdown();
    rmSync(directory, { recursive: true, force: true });
  });
  return scripted;
}

const services: ServiceDefinition[] = [
  EventServiceService,
  GradeServiceService,
  KeyServiceService,
  LaunchServiceService,
  RosterServiceService,
  TokenServiceService,
];

function handlers(service: ServiceDefinition, scripted: ScriptedSidecar): Record<string, UntypedHandleCall> {
  const named: Record<string, UntypedHandleCall> = {};
  for (const [name, method] of Object.entries(service)) {
    const count = () => scripted.calls.set(name, (scripted.calls.get(name) ?? 0) + 1);
    const scriptFor = () => {
      count();
      const answer = scripted.script[name as keyof Script] as ((...args: unknown[]) => unknown) | undefined;
      if (!answer) throw new Refusal("UNIMPLEMENTED", `the test has no answer for ${name}`);
      return answer;
    };
    named[name] = method.responseStream
      ? async (call: ServerWritableStream<unknown, unknown>) => {
          try {
            await scriptFor()(call);
          } catch (error) {
            call.emit("error", error);
          }
        }
      : async (call: ServerUnaryCall<unknown, unknown>, send: sendUnaryData<unknown>) => {
          try {
            send(null, await scriptFor()(call.request, call));
          } catch (error) {
            send(error as Refusal);
          }
        };
  }
  return named;
}
