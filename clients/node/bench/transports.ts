// SPDX-License-Identifier: Apache-2.0
// What a validated launch costs the tool in CPU, by transport: npm run bench. A canned server beside it answers with a
// launch of about 5 KB of claims; only this process is measured. Medians of five rounds, interleaved; `R` is one bare
// RSA-2048 verification in this process, which a tool without a sidecar would have to do at the least.
import { generateKeyPairSync, sign, verify } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createSidecar, type BrowserRequest, type Sidecar } from "ltisidecar";
import { ValidateLaunchResponse } from "../src/gen/ltisidecar/v1/launch_service.js";
import { launchMessage } from "../test/scripted_sidecar.ts";

const rounds = 5;
const calls = Number(process.argv[2] ?? 4_000);

const claims: Record<string, unknown> = { sub: "user-1" };
for (let i = 0; JSON.stringify(claims).length < 4_500; i++) claims[`https://platform.example/claim/${i}`] = "x".repeat(60);
const value = launchMessage({ claimsJson: JSON.stringify(claims), launchToken: "t".repeat(1_500) });
const answer = { outcome: { $case: "launch" as const, value }, headers: [{ name: "Cache-Control", value: "no-store" }] };
const browser: BrowserRequest = {
  method: "POST",
  parameters: [
    { name: "id_token", value: "e".repeat(6_600) },
    { name: "state", value: "s".repeat(280) },
  ],
  cookieHeader: "__Host-lti-01234567=abc; other=1",
  origin: "https://platform.example",
};

const directory = mkdtempSync(join(tmpdir(), "lti-"));
writeFileSync(join(directory, "answer.bin"), ValidateLaunchResponse.encode(answer).finish());
writeFileSync(join(directory, "answer.json"), JSON.stringify({ launch: value, headers: answer.headers }));
const script = new URL("canned.mjs", import.meta.url).pathname;
const server = spawn(process.execPath, [script, join(directory, "answer.bin"), join(directory, "answer.json"), directory], {
  stdio: ["ignore", "pipe", "inherit"],
});
const [line] = (await once(createInterface(server.stdout), "line")) as [string];
const addresses = JSON.parse(line) as { grpc: string; http: string };

/** The least that JSON can cost: written, sent, and parsed, but not yet turned into the client's types. */
const agent = new Agent({ keepAlive: true, scheduling: "lifo" });
function plainJson(): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const body = Buffer.from(JSON.stringify({ browser }));
    const headers = { "Content-Type": "application/json", "Content-Length": body.length };
    const path = "/ltisidecar.v1.LaunchService/ValidateLaunch";
    const socketPath = addresses.http.slice("http+unix://".length);
    const outgoing = httpRequest({ socketPath, path, method: "POST", agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    });
    outgoing.on("error", reject).end(body);
  });
}

const launches = (sidecar: Sidecar) => async (): Promise<void> => {
  const { launch } = await sidecar.validateLaunch(browser);
  if (!launch) throw new Error("no launch");
};
const grpc = createSidecar({ address: addresses.grpc });
const http = createSidecar({ address: addresses.http });
const kinds: Record<string, () => Promise<unknown>> = {
  "gRPC": launches(grpc),
  "HTTP, protobuf": launches(http),
  "HTTP, JSON (not converted)": plainJson,
};

/** cpu is what `count` calls cost this process, in microseconds each, with so many at a time. */
async function cpu(call: () => Promise<unknown>, count: number, atOnce: number): Promise<number> {
  const before = process.cpuUsage();
  let left = count;
  const worker = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const signed = Buffer.from("e".repeat(6_200));
const signature = sign("sha256", signed, privateKey);
const bare = async () => verify("sha256", signed, publicKey, signature);

const figures = new Map<string, number[]>();
const note = (name: string, figure: number) => figures.set(name, [...(figures.get(name) ?? []), figure]);
for (const call of Object.values(kinds)) await cpu(call, calls / 2, 16); // warm
for (let round = 0; round < rounds; round++) {
  note("R", await cpu(bare, calls, 1));
  for (const [name, call] of Object.entries(kinds)) {
    for (const atOnce of [1, 16]) note(`${name}, ${atOnce} at a time`, await cpu(call, calls, atOnce));
  }
}
const r = median(figures.get("R")!);
for (const [name, values] of figures) {
  const figure = median(values);
  console.log(`node ${process.versions.node}  ${name.padEnd(44)} ${figure.toFixed(0).padStart(5)} us  ${(figure / r).toFixed(1).padStart(5)} R`);
}
grpc.close();
http.close();
agent.destroy();
server.kill();
rmSync(directory, { recursive: true });
