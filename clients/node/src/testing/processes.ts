// SPDX-License-Identifier: Apache-2.0
// The real sidecar and the real platform simulator as processes of a test.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { createServer, request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { createSidecar, type Sidecar } from "../sidecar.js";
import { Browser, Page, type BrowserOptions, type Pair, type Sent } from "./browser.js";

/** The platforms where a tool is installed if nothing else is said. The simulator has more. */
export const platforms: readonly string[] = ["canvas", "moodle"];

const programs = { sidecar: "LTISIDECAR_BIN", platformsim: "PLATFORMSIM_BIN" };

/** MissingProgram: a program that the tests run is not there. */
export class MissingProgram extends Error {
  static {
    this.prototype.name = "MissingProgram";
  }
}

/** program answers the path of a program: what its variable names, else the one on PATH. Throws MissingProgram. */
export function program(name: keyof typeof programs): string {
  const variable = programs[name];
  const onPath = (process.env.PATH ?? "").split(delimiter).map((directory) => join(directory, name));
  const named = process.env[variable];
  for (const path of named ? [named] : onPath) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue; // not there, or not to be run
    }
  }
  throw new MissingProgram(
    `ltisidecar/testing runs the program ${name}: set ${variable} to its path, or put it on PATH. Both programs come from https://github.com/ltisidecar/ltisidecar: scripts/build.sh there makes both`,
  );
}

/** Cleanup runs all that was deferred, the last first, and then rejects with the first error. */
export class Cleanup {
  readonly #steps: (() => void | Promise<void>)[] = [];

  defer(step: () => void | Promise<void>): void {
    this.#steps.unshift(step);
  }

  async run(): Promise<void> {
    const errors: unknown[] = [];
    for (const step of this.#steps.splice(0)) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}

/** temporaryDirectory has a short name: the path of a Unix socket has at most 107 bytes. */
export function temporaryDirectory(cleanup: Cleanup): string {
  const directory = mkdtempSync(join(tmpdir(), "lti-"));
  cleanup.defer(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Program is a process, with its output so far. */
export interface Program {
  readonly child: ChildProcess;
  /** said resolves with the match in the first line of output that matches, and rejects where it ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
}

/** start runs a program until the cleanup ends it by SIGTERM; `code` is what it must then end with: a code or a signal. */
export function start(
  cleanup: Cleanup,
  command: readonly [string, ...string[]],
  code: number | NodeJS.Signals,
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Program {
  const [file, ...parameters] = command;
  const child = spawn(file, parameters, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-20_000)));
  }
  cleanup.defer(async () => {
    child.kill("SIGTERM");
    const stuck = setTimeout(() => child.kill("SIGKILL"), 20_000);
    const [status, signal] = (await exited) as [number | null, NodeJS.Signals | null];
    clearTimeout(stuck);
    assert.equal(signal ?? status, code, `${file}: ${log}`);
  });
  return {
    child,
    async said(pattern) {
      const lines = createInterface(child.stdout);
      try {
        for await (const line of lines) {
          const match = pattern.exec(line);
          if (match) return match;
        }
        return assert.fail(`${file} ended: ${log}`);
      } finally {
        lines.close();
        child.stdout.resume(); // so that a full pipe does not stop it
      }
    },
  };
}

export interface Person {
  readonly key: string;
  readonly id: string;
  readonly given_name: string;
  readonly family_name: string;
  readonly email: string;
}

export interface Grade {
  readonly score: number | null;
  readonly comment: string;
  readonly activity_progress: string;
  readonly grading_progress: string;
}

/** Registration is one of the sidecar's, as its configuration names it. */
export type Registration = Record<string, unknown>;

/** Known is what a platform says of the tool that is installed. */
export interface Known {
  readonly issuer: string;
  readonly client_id: string;
  readonly deployment_id: string;
  readonly resource_link_id: string;
  readonly line_item_uri: string;
  readonly memberships_uri: string;
}

/** InstallOptions say how the tool is installed. */
export interface InstallOptions {
  /** Unset: canvas and moodle. */
  readonly platforms?: readonly string[];
  /** Unset: `/lti/login`. */
  readonly loginPath?: string;
  /** Unset: `/lti/launch`. */
  readonly launchPath?: string;
  /** The tool's public keys, or where they are. */
  readonly jwks?: string;
  readonly jwks_uri?: string;
}

/** Simulator is a running one. Its directory has ca.pem, and tool.pem with tool-key.pem: a certificate for localhost. */
export class Simulator {
  readonly url: string;
  readonly directory: string;
  readonly ca: Buffer;

  constructor(url: string, directory: string) {
    this.url = url;
    this.directory = directory;
    this.ca = readFileSync(join(directory, "ca.pem"));
  }

  platformUrl(platform: string): string {
    return `${this.url}/${platform}`;
  }

  /** get is what the platform knows, such as its gradebook. */
  async get<T>(platform: string, what: string): Promise<T> {
    const answer = await this.fetch("GET", `${this.platformUrl(platform)}/sim/${what}`);
    assert.equal(answer.status, 200, answer.text);
    return JSON.parse(answer.text) as T;
  }

  async post(platform: string, what: string, body: object): Promise<void> {
    const answer = await this.fetch("POST", `${this.platformUrl(platform)}/sim/${what}`, {}, JSON.stringify(body));
    assert.equal(answer.status, 204, answer.text);
  }

  async clearFaults(platform: string): Promise<void> {
    assert.equal((await this.fetch("DELETE", `${this.platformUrl(platform)}/sim/faults`)).status, 204);
  }

  async known(platform: string): Promise<Known> {
    const [known] = await this.get<Known[]>(platform, "registrations");
    return known!;
  }

  async people(platform: string): Promise<Person[]> {
    return this.get<Person[]>(platform, "people");
  }

  async person(platform: string, key: string): Promise<Person> {
    const person = (await this.people(platform)).find((one) => one.key === key);
    assert.ok(person, key);
    return person;
  }

  /** grade is a person's grade in the first line item, out of 100. */
  async grade(platform: string, userId: string): Promise<Grade | undefined> {
    const [item] = await this.get<{ score_maximum: number; grades: Record<string, Grade> }[]>(platform, "gradebook");
    assert.equal(item?.score_maximum, 100);
    return item.grades[userId];
  }

  /** install puts the tool into every platform's course; it resolves with the registrations for the sidecar. */
  async install(toolUrl: string, more: InstallOptions = {}): Promise<Registration[]> {
    const { platforms: where = platforms, loginPath = "/lti/login", launchPath = "/lti/launch", ...keys } = more;
    const registrations: Registration[] = [];
    for (const platform of where) {
      await this.post(platform, "tools", {
        name: "quiz",
        login_uri: toolUrl + loginPath,
        launch_uris: [toolUrl + launchPath],
        custom: { chapter: "3" },
        ...keys,
      });
      const known = { ...(await this.known(platform)) } as Registration;
      const names = ["issuer", "client_id", "authorization_uri", "token_uri", "jwks_uri", "launch_uris", "login_uri"];
      const same = Object.fromEntries(names.map((name) => [name, known[name]]));
      registrations.push({
        ...same,
        name: platform,
        dialect: platform,
        deployments: [known.deployment_id],
        message_types: ["LtiResourceLinkRequest", "LtiDeepLinkingRequest"],
      });
    }
    return registrations;
  }

  /** fetch asks any address of the simulator. */
  async fetch(method: string, url: string, headers: Record<string, string> = {}, body?: string) {
    const outgoing = httpsRequest(url, { method, headers, ca: this.ca, agent: false }).end(body);
    const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of answer.setEncoding("utf8")) text += String(chunk);
    return { status: answer.statusCode, text };
  }
}

export async function startSimulator(cleanup: Cleanup): Promise<Simulator> {
  const directory = temporaryDirectory(cleanup);
  const running = start(cleanup, [program("platformsim"), "--dir", directory, "--issue-cert", "tool"], 0);
  const [ready] = await running.said(/^\{.*"ready".*\}$/);
  return new Simulator((JSON.parse(ready) as { url: string }).url, directory);
}

/** SidecarConfig is more of the sidecar's configuration. */
export type SidecarConfig = Record<string, unknown> & { readonly listen?: Record<string, unknown> };

/** startSidecar runs a sidecar whose sockets are `sidecar.sock` and `sidecar-json.sock` in the directory, and resolves with a client of it. */
export async function startSidecar(
  cleanup: Cleanup,
  directory: string,
  registrations: Registration[],
  authority: string,
  more: SidecarConfig = {},
): Promise<Sidecar> {
  const socket = join(directory, "sidecar.sock");
  const config = join(directory, "sidecar.yaml");
  // JSON is YAML.
  writeFileSync(
    config,
    JSON.stringify({
      ...more,
      listen: { socket, ...more.listen },
      data_dir: join(directory, "data"),
      keys: { directory: join(directory, "keys") },
      outbound: { ca_file: authority, allow_cidrs: ["127.0.0.0/8"] },
      registrations,
    }),
  );
  const running = start(cleanup, [program("sidecar"), "serve", "--config", config], 0);
  const sidecar = createSidecar({ address: `http+unix://${socket.replace(/\.sock$/, "-json.sock")}` });
  cleanup.defer(() => sidecar.close());
  const gone = once(running.child, "exit").then(() => assert.fail("the sidecar ended"));
  gone.catch(() => undefined); // after the start, the cleanup ends it
  await Promise.race([sidecar.getToolKeySet({ waitForReady: true, timeoutMs: 20_000 }), gone]);
  return sidecar;
}

/** StackOptions say for which tool the stack is. */
export interface StackOptions extends InstallOptions {
  /** Address of the tool. Unset: `https://localhost:8443`. */
  readonly toolUrl?: string;
  /** More of the sidecar's configuration. */
  readonly config?: SidecarConfig;
}

/** Stack is a running simulator and a running sidecar, which know each other and one tool. */
export class Stack {
  readonly simulator: Simulator;
  readonly sidecar: Sidecar;
  readonly toolUrl: string;
  readonly #cleanup: Cleanup;

  /** @internal */
  constructor(simulator: Simulator, sidecar: Sidecar, toolUrl: string, cleanup: Cleanup) {
    this.simulator = simulator;
    this.sidecar = sidecar;
    this.toolUrl = toolUrl;
    this.#cleanup = cleanup;
  }

  /** Address for LTISIDECAR_ADDRESS and `createSidecar`: HTTP. */
  get address(): string {
    return this.sidecar.address;
  }

  /** The same sidecar over gRPC. */
  get grpcAddress(): string {
    return this.address.replace(/^http\+/, "").replace(/-json\.sock$/, ".sock");
  }

  /** browser is a fresh one before a platform. Without a `tool`, the tool is asked over HTTPS. */
  browser(platform = "canvas", options: BrowserOptions = {}): Browser {
    return new Browser(this.simulator.platformUrl(platform), this.simulator.ca, options);
  }

  /**
   * serve runs a tool for browsers of this stack: an Express app, the `routing` of a Fastify app, or any listener of
   * node:http. It gets the requests as a server at `toolUrl` would.
   */
  async serve(listener: RequestListener): Promise<NonNullable<BrowserOptions["tool"]>> {
    const server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    this.#cleanup.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    return async (sent: Sent): Promise<Page> => {
      const { host, pathname, search } = new URL(sent.url);
      const headers: Record<string, string> = { ...sent.headers, host };
      if (sent.method === "POST") headers["content-type"] = "application/x-www-form-urlencoded";
      const where = { host: "127.0.0.1", port, path: pathname + search, method: sent.method, headers, agent: false };
      const form = new URLSearchParams(sent.fields.map(([name, value]): [string, string] => [name, value]));
      const outgoing = httpRequest(where).end(sent.method === "POST" ? form.toString() : undefined);
      const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
      let text = "";
      for await (const chunk of answer.setEncoding("utf8")) text += String(chunk);
      const lines: Pair[] = [];
      for (let i = 0; i < answer.rawHeaders.length; i += 2) {
        lines.push([answer.rawHeaders[i]!, answer.rawHeaders[i + 1]!]);
      }
      return new Page(sent, answer.statusCode!, lines, text);
    };
  }

  /** stop ends all that runs. */
  stop(): Promise<void> {
    return this.#cleanup.run();
  }
}

/** startStack starts simulator and sidecar, and installs the tool in every platform's course. Call `stop` at the end. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { toolUrl = "https://localhost:8443", config, ...install } = options;
  const cleanup = new Cleanup();
  try {
    const simulator = await startSimulator(cleanup);
    const registrations = await simulator.install(toolUrl, install);
    const directory = temporaryDirectory(cleanup);
    const authority = join(simulator.directory, "ca.pem");
    const sidecar = await startSidecar(cleanup, directory, registrations, authority, config);
    const { jwks } = await sidecar.getToolKeySet();
    await simulator.install(toolUrl, { ...install, jwks });
    return new Stack(simulator, sidecar, toolUrl, cleanup);
  } catch (error) {
    await cleanup.run().catch(() => undefined); // the first error is the one to see
    throw error;
  }
}
