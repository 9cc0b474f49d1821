// SPDX-License-Identifier: Apache-2.0
// The golden launches of testdata/launches against the real sidecar: LTISIDECAR_BIN is the path of its binary.
// testdata/launches/README.md describes the files. Those that need the sidecar's clock to move are for the Go tests.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createSidecar, LtiSidecarError, type BrowserRequest, type Launch, type MessageType, type Sidecar } from "ltisidecar";

const binary = process.env.LTISIDECAR_BIN;
const directory = join(import.meta.dirname, "../../../testdata/launches");

interface Platform {
  registration: Record<string, unknown>;
  login: { method: string; parameters: [string, string][] };
  keys: Record<string, unknown>[];
  fill?: number;
  key_set?: string;
  jwks_uri?: string;
}

interface Case {
  name: string;
  expect: string;
  platform: string;
  launch: string;
  given: [verb: string, text: string][];
  header: string;
  claims: string;
}

type Parameter = { name: string; value: string };

const own = generateKeyPairSync("rsa", { modulusLength: 2048 });
const foreign = generateKeyPairSync("rsa", { modulusLength: 2048 });
const platforms = JSON.parse(readFileSync(join(directory, "platforms.json"), "utf8")) as Record<string, Platform>;
const encode = (text: string) => Buffer.from(text).toString("base64url");
const padded = (text: string) => text.replace(/PADDING-([0-9]+)/g, (_, length: string) => "x".repeat(Number(length)));

/** cut splits a text at the first occurrence of a separator. */
function cut(text: string, separator: string): [before: string, after: string, found: boolean] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, "", false] : [text.slice(0, at), text.slice(at + separator.length), true];
}

function readCase(file: string): Case {
  const [facts, rest] = cut(readFileSync(join(directory, file), "utf8"), "\n\n");
  const [header, claims] = cut(rest, "\n\n");
  const read: Case = { name: file.replace(/\.txt$/, ""), expect: "", platform: "", launch: "", given: [], header, claims };
  for (const line of facts.split("\n")) {
    const [name, value] = cut(line, ": ");
    if (name === "given") {
      const [verb, text] = cut(value, " ");
      read.given.push([verb, text]);
    } else if (name === "expect" || name === "platform" || name === "launch") read[name] = value;
    else assert.equal(name, "requirements", file);
  }
  return read;
}

function signed(golden: Case, key: KeyObject, nonce: string): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = padded(golden.claims.trim())
    .replace(/"(exp|iat|nbf)": "([+-][0-9.]+)"/g, (_, name: string, offset: string) => `"${name}": ${now + Number(offset)}`)
    .replaceAll('"NONCE"', () => JSON.stringify(nonce));
  const input = `${encode(golden.header.trim())}.${encode(claims)}`;
  return `${input}.${sign("sha256", Buffer.from(input), key).toString("base64url")}`;
}

/** change applies NAME=VALUE (set), +NAME=VALUE (add) or NAME (remove). */
function change(parameters: Parameter[], text: string): Parameter[] {
  const [name, value, set] = cut(text, "=");
  if (name.startsWith("+")) return [...parameters, { name: name.slice(1), value: padded(value) }];
  const kept = parameters.filter((parameter) => parameter.name !== name);
  return set ? [...kept, { name, value: padded(value) }] : kept;
}

function keySet(platform: Platform): string {
  if (platform.key_set !== undefined) return platform.key_set;
  const fill = Array.from({ length: platform.fill ?? 0 }, (_, i) => ({ kid: `fill-${i}`, material: "foreign" }));
  const keys = [...platform.keys, ...fill].map(({ material, ...members }: Record<string, unknown>) => ({
    ...(material === "foreign" ? foreign : own).publicKey.export({ format: "jwk" }),
    ...members,
  }));
  return JSON.stringify({ keys });
}

/** run starts a server of key sets and the sidecar with all registrations. */
async function run(t: TestContext): Promise<Sidecar> {
  const home = mkdtempSync(join(tmpdir(), "ltisidecar-"));
  const [certificate, key] = [join(home, "cert.pem"), join(home, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key];
  execFileSync("openssl", ["req", "-x509", ...newKey, "-out", certificate, "-days", "1", ...subject], { stdio: "pipe" });
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => {
    response.end(keySet(platforms[request.url!.replace("/jwks/", "")]!));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const base = `https://127.0.0.1:${(server.address() as AddressInfo).port}/jwks/`;
  const config = join(home, "sidecar.yaml");
  // JSON is YAML.
  writeFileSync(
    config,
    JSON.stringify({
      listen: { socket: join(home, "sidecar.sock") },
      data_dir: join(home, "data"),
      keys: { directory: join(home, "keys") },
      nonce: { store: "memory" },
      outbound: { ca_file: certificate, allow_cidrs: ["127.0.0.0/8"] },
      registrations: Object.entries(platforms).map(([name, platform]) => ({
        name,
        jwks_uri: platform.jwks_uri ?? base + name,
        ...platform.registration,
      })),
    }),
  );
  const child = spawn(binary!, ["serve", "--config", config], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-4_000)));
  const exit = once(child, "exit");
  const gone = exit.then(([code]) => assert.fail(`the sidecar ended with ${code}:\n${log}`));
  gone.catch(() => undefined); // at the end, the test itself stops it
  const sidecar = createSidecar({ address: `unix://${join(home, "sidecar.sock")}` });
  t.after(async () => {
    sidecar.close();
    child.kill();
    await exit;
    server.closeAllConnections();
    server.close();
    rmSync(home, { recursive: true });
  });
  await Promise.race([sidecar.getToolKeySet({ waitForReady: true, timeoutMs: 20_000 }), gone]);
  return sidecar;
}

/** play plays a case and returns what became of it, as `expect:` says it, and the facts of an accepted launch. */
async function play(sidecar: Sidecar, golden: Case): Promise<string> {
  const { login } = platforms[golden.platform]!;
  const given = new Map(golden.given);
  const all = (verb: string) => golden.given.filter(([v]) => v === verb).map(([, text]) => text);
  const begin = login.parameters.map(([name, value]) => ({ name, value }));
  const answer = await sidecar.buildAuthRequest(
    { method: given.get("login-method") ?? login.method, parameters: all("login").reduce(change, begin), secFetchDest: "iframe" },
    { registration: given.get("registration") ?? "" },
  );
  const nonce = new URL(answer.authorizationUri).searchParams.get("nonce")!;
  const cookies = answer.reply.headers.filter(({ name }) => name === "Set-Cookie").map(({ value }) => cut(value, ";")[0]);
  const [plain = "", partitioned = ""] = cookies;

  const state = Buffer.from(answer.state, "base64url");
  if (given.has("state")) state[Number(given.get("state")!.replace("byte ", ""))]! ^= 1;
  const key = given.get("key") === "foreign" ? foreign : own;
  const start = [
    { name: "id_token", value: signed(golden, key.privateKey, nonce) },
    { name: "state", value: state.toString("base64url") },
  ];
  const parameters = all("form").reduce(change, start);
  const proof = given.get("proof");
  if (proof !== undefined) {
    parameters.push({ name: "lti_storage_proof", value: cut(plain, "=")[1] + (proof === "altered" ? "x" : "") });
  }
  const sent: Record<string, string> = { plain: `other=1; ${plain}`, partitioned, altered: `${plain}x`, none: "" };
  const ownPage = proof !== undefined && proof !== "cross-site";
  const browser: BrowserRequest = {
    method: given.get("method") ?? "POST",
    parameters,
    cookieHeader: sent[proof === undefined ? (given.get("cookies") ?? "") : "none"] ?? `${plain}; ${partitioned}`,
    origin: ownPage ? "https://tool.example" : "https://lms.example",
    secFetchSite: ownPage ? "same-origin" : "cross-site",
    secFetchDest: "iframe",
  };
  if (given.has("repeat")) assert.ok((await sidecar.validateLaunch(browser)).launch);
  const acceptMessageTypes = (given.get("accept")?.split(" ") ?? []) as MessageType[];
  const launchUri = given.get("launch-uri") ?? "";
  const { launch } = await sidecar.validateLaunch(browser, { launchUri, acceptMessageTypes });
  return launch ? `ACCEPTED ${factsOf(launch)}` : "BROWSER_STEP ";
}

function factsOf(launch: Launch): string {
  const flags = Object.entries(launch.roleSummary).filter(([, flag]) => flag);
  const roles = flags.map(([name]) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)).sort();
  const [user, context, link] = [launch.user, launch.context, launch.resourceLink].map((part) => part?.id ?? "-");
  return `user=${user} context=${context} link=${link} roles=${roles.join("+") || "-"}`;
}

test("golden launches", { skip: binary ? false : "LTISIDECAR_BIN names no binary" }, async (t) => {
  const sidecar = await run(t);
  const cases = readdirSync(directory).filter((file) => file.endsWith(".txt")).map(readCase);
  for (const golden of cases.filter(({ given }) => !given.some(([verb]) => verb === "delay"))) {
    await t.test(golden.name, async () => {
      const got = await play(sidecar, golden).catch((error: unknown) => {
        if (error instanceof LtiSidecarError) return `${error.reason} `;
        throw error;
      });
      assert.equal(got, `${golden.expect} ${golden.launch}`);
    });
  }
});
