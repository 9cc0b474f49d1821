// SPDX-License-Identifier: Apache-2.0
// The real sidecar and the real platform simulator as processes of a test: LTISIDECAR_BIN and PLATFORMSIM_BIN.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createSidecar, type Sidecar } from "ltisidecar";

export const profiles = ["canvas", "moodle"] as const;
export type Profile = (typeof profiles)[number];

const missing = ["LTISIDECAR_BIN", "PLATFORMSIM_BIN"].filter((name) => !process.env[name]);
if (missing.length > 0 && process.env.CI === "true") throw new Error(`${missing.join(" and ")} must name a binary`);

/** needsBinaries are test options: without the binaries a test is skipped. In CI it is an error. */
export const needsBinaries = {
  skip: missing.length > 0 ? `${missing.join(" and ")} must name a binary` : false,
} as const;

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

  platformUrl(profile: Profile): string {
    return `${this.url}/${profile}`;
  }

  /** get is what the platform knows, such as its gradebook. */
  async get<T>(profile: Profile, what: string): Promise<T> {
    const answer = await this.fetch("GET", `${this.platformUrl(profile)}/sim/${what}`);
    assert.equal(answer.status, 200, answer.text);
    return JSON.parse(answer.text) as T;
  }

  async post(profile: Profile, what: string, body: object): Promise<void> {
    const answer = await this.fetch("POST", `${this.platformUrl(profile)}/sim/${what}`, {}, JSON.stringify(body));
    assert.equal(answer.status, 204, answer.text);
  }

  async clearFaults(profile: Profile): Promise<void> {
    assert.equal((await this.fetch("DELETE", `${this.platformUrl(profile)}/sim/faults`)).status, 204);
  }

  async known(profile: Profile): Promise<Known> {
    const [known] = await this.get<Known[]>(profile, "registrations");
    return known!;
  }

  async people(profile: Profile): Promise<Person[]> {
    return this.get<Person[]>(profile, "people");
  }

  async person(profile: Profile, key: string): Promise<Person> {
    const person = (await this.people(profile)).find((one) => one.key === key);
    assert.ok(person, key);
    return person;
  }

  /** grade is a person's grade in the only line item, out of 100. */
  async grade(profile: Profile, userId: string): Promise<Grade | undefined> {
    const [item] = await this.get<{ score_maximum: number; grades: Record<string, Grade> }[]>(profile, "gradebook");
    assert.equal(item?.score_maximum, 100);
    return item.grades[userId];
  }

  /** install puts the tool into every platform's course; it resolves with the registrations for the sidecar. */
  async install(toolUrl: string, keys: { jwks?: string; jwks_uri?: string } = {}): Promise<Registration[]> {
    const registrations: Registration[] = [];
    for (const profile of profiles) {
      await this.post(profile, "tools", {
        name: "quiz",
        login_uri: `${toolUrl}/lti/login`,
        launch_uris: [`${toolUrl}/lti/launch`],
        custom: { chapter: "3" },
        ...keys,
      });
      const known = { ...(await this.known(profile)) } as Registration;
      const names = ["issuer", "client_id", "authorization_uri", "token_uri", "jwks_uri", "launch_uris", "login_uri"];
      const same = Object.fromEntries(names.map((name) => [name, known[name]]));
      registrations.push({ ...same, name: profile, dialect: profile, deployments: [known.deployment_id] });
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
  const program = start(cleanup, [process.env.PLATFORMSIM_BIN!, "--dir", directory, "--issue-cert", "tool"], 0);
  const [ready] = await program.said(/^\{.*"ready".*\}$/);
  return new Simulator((JSON.parse(ready) as { url: string }).url, directory);
}

/** startSidecar runs a sidecar whose socket is `sidecar.sock` in the directory, and resolves with a client of it. */
export async function startSidecar(
  cleanup: Cleanup,
  directory: string,
  registrations: Registration[],
  authority: string,
): Promise<Sidecar> {
  const socket = join(directory, "sidecar.sock");
  const config = join(directory, "sidecar.yaml");
  // JSON is YAML.
  writeFileSync(
    config,
    JSON.stringify({
      listen: { socket },
      data_dir: join(directory, "data"),
      keys: { directory: join(directory, "keys") },
      outbound: { ca_file: authority, allow_cidrs: ["127.0.0.0/8"] },
      registrations,
    }),
  );
  const program = start(cleanup, [process.env.LTISIDECAR_BIN!, "serve", "--config", config], 0);
  const sidecar = createSidecar({ address: `unix://${socket}` });
  cleanup.defer(() => sidecar.close());
  const gone = once(program.child, "exit").then(() => assert.fail("the sidecar ended"));
  gone.catch(() => undefined); // after the start, the cleanup ends it
  await Promise.race([sidecar.getToolKeySet({ waitForReady: true, timeoutMs: 20_000 }), gone]);
  return sidecar;
}
