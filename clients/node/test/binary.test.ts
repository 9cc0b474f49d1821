// SPDX-License-Identifier: Apache-2.0
// The client against the real sidecar, which is killed and started again; the platform is one of a page.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  createSidecar,
  InvalidRequest,
  LaunchRejected,
  Unavailable,
  type BrowserReply,
  type BrowserRequest,
  type Launch,
  type Sidecar,
} from "ltisidecar";
import { startPlatform, type Platform } from "./platform.ts";
import { needsBinaries as real } from "./needs_binaries.ts";

const launchUri = "https://localhost:8443/lti/launch";

interface Running {
  readonly platform: Platform;
  readonly sidecar: Sidecar;
  /** Ends the sidecar without a farewell. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

async function run(t: TestContext): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), "ltisidecar-"));
  const platform = await startPlatform(t, directory);
  const config = join(directory, "sidecar.yaml");
  // JSON is YAML.
  writeFileSync(
    config,
    JSON.stringify({
      listen: { socket: join(directory, "sidecar.sock") },
      data_dir: join(directory, "data"),
      keys: { directory: join(directory, "keys") },
      nonce: { store: "badger" },
      outbound: { ca_file: platform.certificate, allow_cidrs: ["127.0.0.0/8"] },
      registrations: [
        {
          name: "canvas",
          issuer: platform.issuer,
          client_id: platform.clientId,
          deployments: [platform.deploymentId],
          authorization_uri: `${platform.issuer}/auth`,
          token_uri: `${platform.issuer}/token`,
          jwks_uri: `${platform.issuer}/jwks`,
          launch_uris: [launchUri],
          login_uri: "https://localhost:8443/lti/login",
        },
      ],
    }),
  );
  const sidecar = createSidecar({ address: `unix://${join(directory, "sidecar.sock")}` });
  let child: ChildProcess | undefined;
  const running: Running = {
    platform,
    sidecar,
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
    async start() {
      child = spawn(process.env.LTISIDECAR_BIN!, ["serve", "--config", config], {
        stdio: ["ignore", "ignore", "pipe"],
      });
      let log = "";
      child.stderr!.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-4_000)));
      const gone = once(child, "exit").then(([code]) => assert.fail(`the sidecar ended with ${code}:\n${log}`));
      gone.catch(() => undefined); // after the start, the test itself ends it
      const { jwks } = await Promise.race([sidecar.getToolKeySet({ waitForReady: true, timeoutMs: 20_000 }), gone]);
      platform.toolKeys = (JSON.parse(jwks) as { keys: [] }).keys;
    },
  };
  t.after(async () => {
    sidecar.close();
    await running.kill();
    rmSync(directory, { recursive: true, force: true });
  });
  await running.start();
  return running;
}

const parameters = (values: Record<string, string>) => Object.entries(values).map(([name, value]) => ({ name, value }));

const loginInitiation = (platform: Platform): BrowserRequest => ({
  method: "GET",
  parameters: parameters({
    iss: platform.issuer,
    client_id: platform.clientId,
    login_hint: "h",
    target_link_uri: "https://localhost:8443/start",
  }),
});

/** Login is a browser that was sent to the platform. */
interface Login {
  readonly state: string;
  readonly nonce: string;
  readonly cookieHeader: string;
}

async function logIn({ platform, sidecar }: Running): Promise<Login> {
  const { reply, state, registration } = await sidecar.buildAuthRequest(loginInitiation(platform));
  assert.equal(registration, "canvas");
  assert.equal(reply.status, 302);
  const location = new URL(header(reply, "location")[0]!);
  assert.equal(location.origin + location.pathname, `${platform.issuer}/auth`);
  assert.equal(location.searchParams.get("state"), state);
  assert.equal(location.searchParams.get("redirect_uri"), launchUri);
  const cookieHeader = header(reply, "set-cookie")
    .map((cookie) => cookie.split(";")[0])
    .join("; ");
  assert.match(cookieHeader, /__Host-lti-/);
  return { state, nonce: location.searchParams.get("nonce")!, cookieHeader };
}

function header(reply: BrowserReply, wanted: string): string[] {
  return reply.headers.filter(({ name }) => name.toLowerCase() === wanted).map(({ value }) => value);
}

const posted = ({ state, cookieHeader }: Login, idToken: string): BrowserRequest => ({
  method: "POST",
  parameters: parameters({ state, id_token: idToken }),
  cookieHeader,
  origin: "https://127.0.0.1",
});

async function launch(running: Running): Promise<{ launch: Launch; request: BrowserRequest }> {
  const login = await logIn(running);
  const request = posted(login, running.platform.idToken(login.nonce));
  const outcome = await running.sidecar.validateLaunch(request);
  assert.ok(outcome.launch);
  assert.ok(outcome.headers.some(({ name, value }) => name === "Set-Cookie" && value.includes("Max-Age=0")));
  return { launch: outcome.launch, request };
}

test("real sidecar: a launch, its token, and its replay", real, async (t) => {
  const running = await run(t);
  const { launch: accepted, request } = await launch(running);
  assert.equal(accepted.user?.id, "user-1");
  assert.equal(accepted.user?.name, "Ada Lovelace");
  assert.match(accepted.user?.key ?? "", /^[0-9a-f]{32,}$/);
  assert.equal(accepted.roleSummary.instructor, true);
  assert.equal(accepted.context?.title, "Biology");
  assert.equal(accepted.custom.chapter, "3");
  assert.equal(accepted.messageType, "RESOURCE_LINK");
  assert.equal(accepted.browserBinding, "COOKIE");
  assert.equal(accepted.grades?.canPostScore, true);
  assert.ok(Math.abs(Date.now() - accepted.launchTime.getTime()) < 60_000);
  assert.equal(JSON.parse(accepted.claimsJson!).sub, "user-1");

  const checked = await running.sidecar.checkLaunchToken(accepted.launchToken!);
  assert.equal(checked.launch.launchId, accepted.launchId);
  assert.ok(!("claimsJson" in checked.launch));
  assert.ok(checked.expireTime.getTime() > Date.now());

  await assert.rejects(running.sidecar.validateLaunch(request), (error) => {
    assert.ok(error instanceof LaunchRejected);
    assert.equal(error.reason, "NONCE_REPLAYED");
    assert.equal(error.launchId, accepted.launchId);
    assert.match(error.reply?.body ?? "", /<!doctype html>/);
    return true;
  });
});

test("real sidecar: refusals have their class, reason and page", real, async (t) => {
  const running = await run(t);
  const { platform, sidecar } = running;
  const refused = async (request: BrowserRequest, reason: string) =>
    assert.rejects(sidecar.validateLaunch(request), (error) => {
      assert.ok(error instanceof LaunchRejected);
      assert.equal(error.reason, reason);
      assert.ok(error.reply);
      return true;
    });
  const login = await logIn(running);
  const good = platform.idToken(login.nonce);
  await refused(posted(login, platform.idToken(login.nonce, { aud: "another" })), "AUDIENCE_MISMATCH");
  await refused(posted(login, good.slice(0, -8) + "AAAAAAAA"), "SIGNATURE_INVALID");
  await refused({ ...posted(login, good), cookieHeader: "" }, "BINDING_MISSING");
  await refused({ ...posted(login, good), method: "GET" }, "METHOD_NOT_ALLOWED");
  const outcome = await sidecar.validateLaunch(posted(login, good));
  assert.ok(outcome.launch, "refused launches have burnt nothing");

  await assert.rejects(sidecar.checkLaunchToken("forged"), { name: "LaunchRejected", reason: "LAUNCH_TOKEN_INVALID" });
  for (const [options, reason] of [
    [{ registration: "nobody" }, "REGISTRATION_UNKNOWN"],
    [{ launchUri: "https://localhost:8443/elsewhere" }, "LAUNCH_URI_NOT_LISTED"],
  ] as const) {
    await assert.rejects(sidecar.buildAuthRequest(loginInitiation(platform), options), (error) => {
      assert.ok(error instanceof InvalidRequest);
      assert.equal(error.reason, reason);
      return true;
    });
  }
});

test("real sidecar: a score, a service token and a roster of two pages", real, async (t) => {
  const running = await run(t);
  const { platform, sidecar } = running;
  const { launch: accepted } = await launch(running);

  // As a tool does it that stored the endpoints as JSON.
  const grades = JSON.parse(JSON.stringify(accepted.grades)) as NonNullable<Launch["grades"]>;
  const memberships = JSON.parse(JSON.stringify(accepted.memberships)) as NonNullable<Launch["memberships"]>;
  const scoreTime = new Date();
  const delivery = await sidecar.postScore(grades, { userId: "user-1", scoreGiven: 8, scoreMaximum: 10, scoreTime });
  assert.equal(delivery.state, "DELIVERED");
  assert.ok(delivery.sentTime!.getTime() >= scoreTime.getTime());
  const [score] = platform.scores;
  assert.deepEqual(
    [score?.userId, score?.scoreGiven, score?.scoreMaximum, score?.activityProgress, score?.gradingProgress],
    ["user-1", 8, 10, "Completed", "FullyGraded"],
  );

  const token = await sidecar.getServiceToken({
    registration: accepted.registration,
    deploymentId: accepted.deploymentId,
    scopes: ["https://purl.imsglobal.org/spec/lti-ags/scope/score"],
  });
  assert.ok(token.allows(`${platform.issuer}/items/1`));
  assert.ok(!token.allows("https://elsewhere.example/"));

  const roster = sidecar.listMembers(memberships);
  const members = await roster.toArray();
  assert.deepEqual(
    members.map(({ userId, name, status }) => [userId, name, status]),
    [
      ["user-1", "Person 1", "ACTIVE"],
      ["user-2", "Person 2", "ACTIVE"],
    ],
  );
  assert.equal(members[0]?.userKey, accepted.user?.key);
  assert.equal(roster.memberCount, 2);
  assert.equal(roster.context?.title, "Biology");
  const nobody = sidecar.listMembers(memberships, { role: "Instructor" });
  assert.deepEqual(await nobody.toArray(), []);
  assert.equal(nobody.memberCount, 0);
});

test("real sidecar: killed and started again, it is found, and no old login is accepted", real, async (t) => {
  const running = await run(t);
  const login = await logIn(running);
  await running.kill();
  await assert.rejects(running.sidecar.getToolKeySet(), Unavailable);
  await running.start();
  await assert.rejects(running.sidecar.validateLaunch(posted(login, running.platform.idToken(login.nonce))), {
    name: "LaunchRejected",
    reason: "STATE_STALE",
  });
  await launch(running);
});
