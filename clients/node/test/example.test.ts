// SPDX-License-Identifier: Apache-2.0
// The example tool as its reader starts it, over HTTPS, beside a scripted sidecar.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Launch } from "../src/gen/ltisidecar/v1/launch.js";
import { ScoreDelivery, type PostScoreRequest } from "../src/gen/ltisidecar/v1/grade_service.js";
import { ListMembersResponse } from "../src/gen/ltisidecar/v1/roster_service.js";
import {
  errorInfo,
  launchMessage,
  Refusal,
  replyDetail,
  startScriptedSidecar,
  type Script,
} from "./scripted_sidecar.ts";

const example = fileURLToPath(new URL("../../../examples/node/", import.meta.url));
const refusal = (reason: string, metadata: Record<string, string> = {}) =>
  new Refusal(
    "PERMISSION_DENIED",
    "refused",
    errorInfo(reason, metadata),
    replyDetail({
      status: 403,
      headers: [{ name: "Content-Type", value: "text/html" }],
      body: "<p>Please open it again.</p>",
    }),
  );

interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  body: string;
}

async function startExample(t: TestContext, script: Script) {
  if (!existsSync(join(example, "node_modules/ltisidecar"))) {
    throw new Error("run npm ci in examples/node first");
  }
  const sidecar = await startScriptedSidecar(t, script);
  const directory = mkdtempSync(join(tmpdir(), "ltisidecar-"));
  const [TOOL_CERT, TOOL_KEY] = [join(directory, "cert.pem"), join(directory, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", TOOL_KEY];
  execFileSync("openssl", ["req", "-x509", ...key, "-out", TOOL_CERT, "-days", "1", ...subject], { stdio: "pipe" });
  const env = { PATH: process.env.PATH, TOOL_CERT, TOOL_KEY, TOOL_PORT: "0", LTISIDECAR_ADDRESS: sidecar.address };
  const tool = spawn(process.execPath, ["server.mjs"], { cwd: example, env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(async () => {
    if (tool.exitCode === null) {
      tool.kill();
      await once(tool, "exit");
    }
    rmSync(directory, { recursive: true });
  });
  const [line] = (await once(createInterface(tool.stdout), "line")) as [string];
  const port = Number(/\d+$/.exec(line)?.[0]);
  const ca = readFileSync(TOOL_CERT);
  return async (method: string, path: string, form?: Record<string, string>, cookie?: string): Promise<Answer> => {
    const body = form && new URLSearchParams(form).toString();
    const headers: Record<string, string> = {};
    if (form) headers["content-type"] = "application/x-www-form-urlencoded";
    if (cookie) headers.cookie = cookie;
    const outgoing = request({ host: "localhost", family: 4, port, path, method, headers, ca, agent: false }).end(body);
    const [res] = (await once(outgoing, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of res.setEncoding("utf8")) text += chunk;
    return { status: res.statusCode!, headers: res.headers, body: text };
  };
}

/** holding answers the one launch token that it issued, and refuses every other. */
function holding(launch: Launch): Pick<Script, "validateLaunch" | "checkLaunchToken"> {
  return {
    validateLaunch: () => ({
      outcome: { $case: "launch", value: launch },
      headers: [{ name: "Set-Cookie", value: "__Host-lti-01234567=; Max-Age=0" }],
    }),
    checkLaunchToken: ({ launchToken }) => {
      if (launchToken !== "launch-token-1") throw refusal("LAUNCH_TOKEN_INVALID");
      return { launch: { ...launch, launchToken: "launch-token-2" }, expireTime: new Date() };
    },
  };
}

test("with cookies: launch, greeting, score, roster", async (t) => {
  const scores: PostScoreRequest[] = [];
  const go = await startExample(t, {
    ...holding(launchMessage()),
    postScore(request) {
      scores.push(request);
      return { delivery: ScoreDelivery.fromPartial({ state: 1 }) };
    },
    listMembers(call) {
      const members = [{ userId: "user-1", name: "Ada <Lovelace>" }, { userId: "user-2" }];
      call.write(ListMembersResponse.fromPartial({ part: { $case: "batch", value: { members } } }));
      call.write(ListMembersResponse.fromPartial({ part: { $case: "end", value: { memberCount: 2 } } }));
      call.end();
    },
  });
  const launched = await go("POST", "/lti/launch", { id_token: "t", state: "s" });
  assert.equal(launched.status, 303);
  assert.equal(launched.headers.location, "/home");
  assert.deepEqual(launched.headers["set-cookie"], [
    "__Host-lti-01234567=; Max-Age=0",
    "__Host-lti-launch=launch-token-1; Path=/; HttpOnly; Secure; Partitioned; SameSite=None",
  ]);

  const home = await go("GET", "/home", undefined, "other=1; __Host-lti-launch=launch-token-1");
  assert.equal(home.status, 200);
  assert.equal(home.headers["cache-control"], "no-store");
  assert.match(home.body, /<h1>Hello Ada &#60;Lovelace&#62;<\/h1>/);
  assert.match(home.body, /You are a teacher/);
  assert.match(home.body, /name="launch_token" value="launch-token-2"/);

  const scored = await go("POST", "/score", { launch_token: "launch-token-1" });
  assert.match(scored.body, /<p id="note">Your score of 8 of 10 is delivered\.<\/p>/);
  assert.equal(scores[0]?.endpoint?.lineItemUri, "https://canvas.example/items/1");
  const { userId, scoreGiven, scoreMaximum } = scores[0]!.score!;
  assert.deepEqual([userId, scoreGiven, scoreMaximum], ["user-1", 8, 10]);

  const roster = await go("POST", "/roster", { launch_token: "launch-token-1" });
  assert.match(roster.body, /<ul><li>Ada &#60;Lovelace&#62;<\/li><li>user-2<\/li><\/ul>/);
});

test("a service token is got for teachers, and not shown", async (t) => {
  let asked: unknown;
  const script: Script = {
    getServiceToken(request) {
      asked = request;
      const expireTime = new Date("2026-03-01T11:07:00Z");
      return { accessToken: "very-secret", expireTime, scopes: request.scopes, allowedOrigins: [] };
    },
  };
  const go = await startExample(t, { ...holding(launchMessage()), ...script });
  const answer = await go("POST", "/token", { launch_token: "launch-token-1" });
  assert.match(answer.body, /good until 11:07 UTC/);
  assert.doesNotMatch(answer.body, /very-secret/);
  assert.deepEqual(asked, {
    registration: "canvas",
    deploymentId: "deployment-1",
    scopes: ["https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"],
  });
});

test("without cookies the launch itself answers the page", async (t) => {
  const go = await startExample(t, holding(launchMessage({ browserBinding: 3 })));
  const launched = await go("POST", "/lti/launch", { id_token: "t", state: "s" });
  assert.equal(launched.status, 200);
  assert.match(launched.body, /name="launch_token" value="launch-token-1"/);
  assert.doesNotMatch(String(launched.headers["set-cookie"]), /lti-launch/);
});

test("a token too long for a cookie goes the way without cookies", async (t) => {
  const go = await startExample(t, holding(launchMessage({ launchToken: "t".repeat(3_500) })));
  assert.equal((await go("POST", "/lti/launch", { id_token: "t", state: "s" })).status, 200);
});

test("a cookie alone posts nothing: another site could have made the browser send it", async (t) => {
  const go = await startExample(t, holding(launchMessage()));
  for (const path of ["/score", "/roster"]) {
    const answer = await go("POST", path, { launch_token: "" }, "__Host-lti-launch=launch-token-1");
    assert.equal(answer.status, 403, path);
    assert.match(answer.body, /Please open it again/);
  }
});

test("learners get neither the roster nor a service token", async (t) => {
  const go = await startExample(t, holding(launchMessage({ roleSummary: { learner: true } })));
  for (const path of ["/roster", "/token", "/nothing"]) {
    assert.equal((await go("POST", path, { launch_token: "launch-token-1" })).status, 403, path);
  }
});

test("a launch posted again goes home where this browser holds it, else to the page of the sidecar", async (t) => {
  const launch = launchMessage();
  const go = await startExample(t, {
    ...holding(launch),
    validateLaunch() {
      throw refusal("NONCE_REPLAYED", { launch_id: launch.launchId });
    },
  });
  const held = await go("POST", "/lti/launch", { id_token: "t" }, "__Host-lti-launch=launch-token-1");
  assert.equal(held.status, 303);
  assert.equal(held.headers.location, "/home");
  for (const cookie of [undefined, "__Host-lti-launch=forged"]) {
    const answer = await go("POST", "/lti/launch", { id_token: "t" }, cookie);
    assert.equal(answer.status, 403);
    assert.match(answer.body, /Please open it again/);
  }
});

test("nobody is signed in without a token", async (t) => {
  const go = await startExample(t, holding(launchMessage()));
  assert.equal((await go("GET", "/home")).status, 403);
});
