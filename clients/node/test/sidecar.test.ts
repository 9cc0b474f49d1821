// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { inspect } from "node:util";
import { createSidecar, Unavailable, type BrowserRequest, type Score } from "ltisidecar";
import type { ValidateLaunchRequest } from "../src/gen/ltisidecar/v1/launch_service.js";
import { ScoreDelivery, type PostScoreRequest } from "../src/gen/ltisidecar/v1/grade_service.js";
import { launchMessage, Refusal, startScriptedSidecar, type Script } from "./scripted_sidecar.ts";

const browser: BrowserRequest = {
  method: "POST",
  parameters: [
    { name: "state", value: "s" },
    { name: "x", value: "1" },
    { name: "x", value: "2" },
  ],
  cookieHeader: "a=b; __Host-lti-01234567=c",
  origin: "null",
  secFetchDest: "iframe",
  cspNonce: "nonce-1",
};

async function connected(t: TestContext, script: Script) {
  const server = await startScriptedSidecar(t, script);
  const sidecar = createSidecar({ address: server.address });
  t.after(() => sidecar.close());
  return { server, sidecar };
}

test("buildAuthRequest relays the browser and answers the reply", async (t) => {
  let seen: unknown;
  const headers = [
    { name: "Location", value: "https://canvas.example/auth" },
    { name: "Set-Cookie", value: "a=1" },
    { name: "Set-Cookie", value: "b=2" },
  ];
  const { sidecar } = await connected(t, {
    buildAuthRequest(request) {
      seen = request;
      return {
        reply: { status: 302, headers, body: "" },
        authorizationUri: "https://canvas.example/auth?x=1",
        state: "sealed",
        expireTime: new Date("2026-03-01T10:10:00Z"),
        registration: "canvas",
      };
    },
  });
  const answer = await sidecar.buildAuthRequest(browser, { launchUri: "https://tool.example/lti/launch" });
  assert.deepEqual(answer, {
    reply: { status: 302, headers, body: "" },
    authorizationUri: "https://canvas.example/auth?x=1",
    state: "sealed",
    expireTime: new Date("2026-03-01T10:10:00Z"),
    registration: "canvas",
  });
  assert.deepEqual(seen, {
    browser: { ...browser, secFetchSite: "", secFetchStorageAccess: "" },
    launchUri: "https://tool.example/lti/launch",
    registration: "",
  });
});

test("validateLaunch answers the launch, with absent what did not come", async (t) => {
  let seen: ValidateLaunchRequest | undefined;
  const headers = [{ name: "Set-Cookie", value: "gone=; Max-Age=0" }];
  const { sidecar } = await connected(t, {
    validateLaunch(request) {
      seen = request;
      return { outcome: { $case: "launch", value: launchMessage() }, headers };
    },
  });
  const outcome = await sidecar.validateLaunch(browser, { acceptMessageTypes: ["RESOURCE_LINK"] });
  assert.deepEqual(seen?.acceptMessageTypes, [1]);
  assert.equal(outcome.browserStep, undefined);
  assert.deepEqual(outcome.headers, headers);
  assert.deepEqual(JSON.parse(JSON.stringify(outcome.launch)), {
    launchId: "0123456789abcdef0123456789abcdef",
    launchToken: "launch-token-1",
    registration: "canvas",
    issuer: "https://canvas.example",
    clientId: "client-1",
    deploymentId: "deployment-1",
    targetLinkUri: "https://tool.example/start",
    messageType: "RESOURCE_LINK",
    messageTypeName: "LtiResourceLinkRequest",
    user: { key: "aa", id: "user-1", name: "Ada <Lovelace>" },
    roles: ["http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"],
    roleSummary: {
      learner: false,
      instructor: true,
      contentDeveloper: false,
      mentor: false,
      administrator: false,
      teachingAssistant: false,
      administratorElsewhere: false,
      testUser: false,
    },
    context: { key: "bb", id: "course-1", title: "Biology", types: [] },
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
    browserBinding: "COOKIE",
    claimsJson: '{"sub":"user-1"}',
    launchTime: "2026-03-01T10:00:00.250Z",
    mentoredUserIds: [],
  });
});

test("a launch with nothing optional has no such properties, and unknown enum values do not fail", async (t) => {
  const value = launchMessage({
    user: undefined,
    context: undefined,
    resourceLink: undefined,
    grades: undefined,
    memberships: undefined,
    roleSummary: undefined,
    launchToken: "",
    claimsJson: "",
    messageType: 99 as never,
    browserBinding: 99 as never,
    launchPresentation: { documentTarget: "iframe", height: 0, width: 600.5 },
  });
  const { sidecar } = await connected(t, {
    validateLaunch: () => ({ outcome: { $case: "launch", value }, headers: [] }),
  });
  const { launch } = await sidecar.validateLaunch(browser);
  assert.ok(launch);
  for (const name of ["user", "context", "resourceLink", "grades", "memberships", "launchToken", "claimsJson", "lis"]) {
    assert.ok(!(name in launch), name);
  }
  assert.deepEqual([launch.messageType, launch.browserBinding], ["UNKNOWN", "UNKNOWN"]);
  assert.deepEqual(launch.launchPresentation, { documentTarget: "iframe", width: 600.5 });
  assert.equal(launch.roleSummary.instructor, false);
});

test("a browser step is no launch", async (t) => {
  const step = { status: 200, headers: [{ name: "Cache-Control", value: "no-store" }], body: "<p>grüezi</p>" };
  const { sidecar } = await connected(t, {
    validateLaunch: () => ({ outcome: { $case: "browserStep", value: step }, headers: [] }),
  });
  const outcome = await sidecar.validateLaunch(browser);
  assert.equal(outcome.launch, undefined);
  assert.deepEqual(outcome.browserStep, step);
});

for (const [what, script] of Object.entries({
  "no outcome": { validateLaunch: () => ({ outcome: undefined, headers: [] }) },
  "no launch id": {
    validateLaunch: () => ({ outcome: { $case: "launch", value: launchMessage({ launchId: "" }) }, headers: [] }),
  },
  "no launch time": {
    validateLaunch: () => ({
      outcome: { $case: "launch", value: launchMessage({ launchTime: undefined }) },
      headers: [],
    }),
  },
} satisfies Record<string, Script>)) {
  test(`an answer with ${what} is an error, not a launch`, async (t) => {
    const { sidecar } = await connected(t, script);
    await assert.rejects(sidecar.validateLaunch(browser), { name: "LtiSidecarError", code: "INTERNAL" });
  });
}

test("a printed launch shows neither its token nor who the user is", async (t) => {
  const { sidecar } = await connected(t, {
    checkLaunchToken: () => ({
      launch: launchMessage({ lis: { personSourcedid: "sis-7" } }),
      expireTime: new Date("2026-03-01T11:00:00Z"),
    }),
  });
  const checked = await sidecar.checkLaunchToken("launch-token-0");
  assert.equal(checked.launch.launchToken, "launch-token-1");
  const printed = inspect(checked, { depth: 9 });
  assert.match(printed, /0123456789abcdef0123456789abcdef/);
  assert.doesNotMatch(printed, /launch-token|Lovelace|sis-7|"sub"/);
});

test("a service token is shown only to who asks for it", async (t) => {
  const { sidecar } = await connected(t, {
    getServiceToken: ({ scopes }) => ({
      accessToken: "very-secret",
      expireTime: new Date("2026-03-01T11:00:00Z"),
      scopes,
      allowedOrigins: ["https://canvas.example"],
    }),
  });
  const token = await sidecar.getServiceToken({ registration: "canvas", deploymentId: "1", scopes: ["a", "b"] });
  assert.equal(token.accessToken, "very-secret");
  assert.deepEqual(token.scopes, ["a", "b"]);
  assert.deepEqual(token.expireTime, new Date("2026-03-01T11:00:00Z"));
  for (const shown of [
    inspect(token, { showHidden: true }),
    JSON.stringify(token),
    String(token),
    inspect({ token }),
  ]) {
    assert.match(shown, /redacted/);
    assert.doesNotMatch(shown, /very-secret/);
  }
  assert.ok(token.allows("https://canvas.example/api/v1?x=1"));
  assert.ok(!token.allows("https://canvas.example.evil.example/"));
  assert.ok(!token.allows("http://canvas.example/"));
});

test("postScore sends the score, and null clears one", async (t) => {
  const seen: PostScoreRequest[] = [];
  const { sidecar } = await connected(t, {
    postScore(request) {
      seen.push(request);
      return { delivery: ScoreDelivery.fromPartial({ state: seen.length === 1 ? 1 : (77 as never), sentTime: new Date(1_000) }) };
    },
  });
  const endpoint = JSON.parse(
    JSON.stringify({
      registration: "canvas",
      deploymentId: "1",
      lineItemUri: "https://canvas.example/items/1",
      scopes: ["s"],
      canPostScore: true,
    }),
  );
  const scoreTime = new Date("2026-03-01T10:00:00.123Z");
  assert.deepEqual(
    await sidecar.postScore(endpoint, {
      userId: "u",
      scoreGiven: 0,
      scoreMaximum: 10,
      scoreTime,
      gradingProgress: "PENDING_MANUAL",
    }),
    { state: "DELIVERED", sentTime: new Date(1_000), attempts: 0 },
  );
  assert.deepEqual(seen[0], {
    endpoint: { ...endpoint, lineItemsUri: "" },
    score: {
      userId: "u",
      scoreGiven: 0,
      scoreMaximum: 10,
      activityProgress: 0,
      gradingProgress: 4,
      scoreTime,
      comment: "",
      scoringUserId: "",
      submissionStartTime: undefined,
      submissionTime: undefined,
      canvasSubmission: undefined,
      extensionsJson: "",
    },
    requestId: "",
    maxWait: undefined,
  });
  const unknown = await sidecar.postScore(endpoint, { userId: "u", scoreGiven: null });
  assert.equal(seen[1]?.score?.scoreGiven, undefined);
  assert.equal(unknown.state, "QUEUED", "a state that is not known counts as queued");
});

test("mistakes of a caller without types are refused before anything is sent", async (t) => {
  const { server, sidecar } = await connected(t, {});
  const endpoint = { registration: "r", deploymentId: "d", scopes: [], canPostScore: true };
  await assert.rejects(sidecar.postScore(endpoint, { userId: "u", score: 8 } as unknown as Score), TypeError);
  await assert.rejects(
    sidecar.postScore(endpoint, { userId: "u", scoreGiven: 1, gradingProgress: "FullyGraded" } as unknown as Score),
    /gradingProgress: FullyGraded is not one of NOT_READY, .*FULLY_GRADED$/,
  );
  await assert.rejects(sidecar.postScore(undefined as never, { userId: "u", scoreGiven: 1 }), /launch\.grades/);
  assert.throws(() => sidecar.listMembers(undefined as never), /launch\.memberships/);
  assert.equal(server.calls.size, 0);
});

test("getToolKeySet answers what a JWKS route needs", async (t) => {
  const { sidecar } = await connected(t, {
    getToolKeySet: () => ({
      jwks: '{"keys":[]}',
      contentType: "application/json",
      cacheLifetime: { seconds: 300, nanos: 0 },
    }),
  });
  assert.deepEqual(await sidecar.getToolKeySet(), {
    jwks: '{"keys":[]}',
    contentType: "application/json",
    maxAgeSeconds: 300,
  });
});

test("every call has a deadline, ten seconds for validateLaunch", async (t) => {
  const left: Record<string, number> = {};
  const note = (name: string) => (_: unknown, call: { getDeadline(): Date | number }) => {
    left[name] = Number(call.getDeadline()) - Date.now();
    throw new Refusal("INTERNAL", "noted");
  };
  const { sidecar } = await connected(t, {
    buildAuthRequest: note("buildAuthRequest"),
    validateLaunch: note("validateLaunch"),
    checkLaunchToken: note("checkLaunchToken"),
    getServiceToken: note("getServiceToken"),
    postScore: note("postScore"),
    getToolKeySet: note("getToolKeySet"),
  });
  const endpoint = { registration: "r", deploymentId: "d", scopes: [], canPostScore: true };
  await Promise.allSettled([
    sidecar.buildAuthRequest(browser),
    sidecar.validateLaunch(browser),
    sidecar.checkLaunchToken("t"),
    sidecar.getServiceToken({ registration: "r", deploymentId: "d", scopes: ["s"] }),
    sidecar.postScore(endpoint, { userId: "u", scoreGiven: 1, scoreMaximum: 1 }),
    sidecar.getToolKeySet(),
  ]);
  const expected: Record<string, number> = {
    buildAuthRequest: 5_000,
    validateLaunch: 10_000,
    checkLaunchToken: 5_000,
    getServiceToken: 30_000,
    postScore: 11_000,
    getToolKeySet: 5_000,
  };
  assert.deepEqual(Object.keys(left).sort(), Object.keys(expected).sort());
  for (const [name, milliseconds] of Object.entries(expected)) {
    assert.ok(left[name]! > milliseconds / 2 && left[name]! <= milliseconds, `${name}: ${left[name]} ms left`);
  }
});

test("a sidecar that does not answer in time is Unavailable", async (t) => {
  const { sidecar } = await connected(t, { validateLaunch: () => new Promise(() => undefined) });
  await assert.rejects(sidecar.validateLaunch(browser, { timeoutMs: 50 }), (error) => {
    assert.ok(error instanceof Unavailable);
    assert.equal(error.code, "DEADLINE_EXCEEDED");
    assert.equal(error.reason, undefined);
    return true;
  });
});

test("an AbortSignal cancels the call at the sidecar too", async (t) => {
  const cancelled = new Promise<void>((resolve) => {
    t.after(() => resolve());
  });
  let arrived: () => void;
  let gone: () => void;
  const arrival = new Promise<void>((resolve) => (arrived = resolve));
  const departure = new Promise<void>((resolve) => (gone = resolve));
  const { server, sidecar } = await connected(t, {
    checkLaunchToken(_, call) {
      call.on("cancelled", () => gone());
      arrived();
      return cancelled.then(() => ({ launch: undefined, expireTime: undefined }));
    },
  });
  const abort = new AbortController();
  const call = sidecar.checkLaunchToken("t", { signal: abort.signal });
  await arrival;
  const why = new Error("the user went away");
  abort.abort(why);
  await assert.rejects(call, why);
  await departure;
  await assert.rejects(sidecar.checkLaunchToken("t", { signal: abort.signal }), why);
  assert.equal(server.calls.get("checkLaunchToken"), 1, "an aborted signal starts no call");
});

test("validateLaunch is sent once, whatever becomes of it", async (t) => {
  const { server, sidecar } = await connected(t, {
    validateLaunch() {
      throw new Refusal("UNAVAILABLE", "the store is down");
    },
  });
  await assert.rejects(sidecar.validateLaunch(browser), { code: "UNAVAILABLE", message: "the store is down" });
  assert.equal(server.calls.get("validateLaunch"), 1);

  server.script = {
    validateLaunch() {
      server.stop();
      return new Promise(() => undefined);
    },
  };
  await assert.rejects(sidecar.validateLaunch(browser), Unavailable);
  assert.equal(server.calls.get("validateLaunch"), 2);
});

test("a sidecar that restarts is found again", async (t) => {
  const answer: Script = {
    getToolKeySet: () => ({ jwks: "{}", contentType: "application/json", cacheLifetime: undefined }),
  };
  const { server, sidecar } = await connected(t, answer);
  await sidecar.getToolKeySet();
  server.stop();
  await assert.rejects(sidecar.getToolKeySet(), Unavailable);
  await server.start();
  const { jwks } = await sidecar.getToolKeySet({ waitForReady: true });
  assert.equal(jwks, "{}");
});

test("a sidecar that is not there is Unavailable, without a reason and with the address in the message", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ltisidecar-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const sidecar = createSidecar({ address: `unix://${directory}/none.sock` });
  t.after(() => sidecar.close());
  await assert.rejects(sidecar.getToolKeySet(), (error) => {
    assert.ok(error instanceof Unavailable);
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.reason, undefined);
    assert.match(error.message, /none\.sock/);
    return true;
  });
});

test("the client connects at its first call, not before", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ltisidecar-"));
  const path = join(directory, "s.sock");
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on("error", () => undefined).destroy();
  }).listen(path);
  t.after(() => {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  await once(server, "listening");
  const sidecar = createSidecar({ address: `unix://${path}` });
  t.after(() => sidecar.close());
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(connections, 0);
  await assert.rejects(sidecar.getToolKeySet({ timeoutMs: 500 }), Unavailable);
  assert.ok(connections > 0);
});

test("a closed client makes no calls", async (t) => {
  const { server, sidecar } = await connected(t, {});
  sidecar.close();
  sidecar.close();
  await assert.rejects(sidecar.getToolKeySet(), /closed/);
  assert.equal(server.calls.size, 0);
});

test("the address: option, environment, default", (t) => {
  const before = process.env.LTISIDECAR_ADDRESS;
  t.after(() => {
    if (before === undefined) delete process.env.LTISIDECAR_ADDRESS;
    else process.env.LTISIDECAR_ADDRESS = before;
  });
  delete process.env.LTISIDECAR_ADDRESS;
  assert.equal(createSidecar().address, "http+unix:///run/ltisidecar/sidecar-json.sock");
  process.env.LTISIDECAR_ADDRESS = "127.0.0.1:50051";
  assert.equal(createSidecar().address, "127.0.0.1:50051");
  assert.equal(createSidecar({ address: "unix:///x.sock" }).address, "unix:///x.sock");
});

test("an address off this machine needs certificates", () => {
  for (const address of [
    "sidecar.internal:50051",
    "10.0.0.1:50051",
    "dns:///sidecar:50051",
    "127.0.0.1.evil.example:1",
  ]) {
    assert.throws(() => createSidecar({ address }), TypeError, address);
  }
  for (const address of ["localhost:50051", "[::1]:50051"]) createSidecar({ address }).close();
});
