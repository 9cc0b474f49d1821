// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { inspect } from "node:util";
import { createSidecar, LaunchRejected, LtiSidecarError, Reason, type MessageType } from "ltisidecar";
import { MessageType as MessageTypeNumber } from "../src/gen/ltisidecar/v1/launch.js";
import { Notice } from "../src/gen/ltisidecar/v1/notice.js";
import type { BuildStartAssessmentRequest } from "../src/gen/ltisidecar/v1/launch_service.js";
import { errorInfo, launchMessage, Refusal, startScriptedSidecar, type Script } from "./scripted_sidecar.ts";

const browser = { method: "POST", parameters: [] };

async function connected(t: TestContext, script: Script) {
  const server = await startScriptedSidecar(t, script);
  const sidecar = createSidecar({ address: server.address });
  t.after(() => sidecar.close());
  return sidecar;
}

test("every message type has a name", async (t) => {
  const names = Object.keys(MessageTypeNumber).filter((n) => n !== "UNSPECIFIED" && n !== "UNRECOGNIZED");
  assert.equal(names.length, 9);
  let seen: readonly number[] = [];
  let kind = 0;
  const sidecar = await connected(t, {
    validateLaunch(request) {
      seen = request.acceptMessageTypes;
      return { outcome: { $case: "launch", value: launchMessage({ messageType: ++kind as MessageTypeNumber }) }, headers: [] };
    },
  });
  for (const name of names) {
    const { launch } = await sidecar.validateLaunch(browser, { acceptMessageTypes: names as MessageType[] });
    assert.equal(launch?.messageType, name);
  }
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a launch carries what its message type carries", async (t) => {
  const where = { registration: "canvas", deploymentId: "d1" };
  const person = { givenName: "Vera", familyName: "Viewed", email: "v@example.org", personSourcedid: "sis-2" };
  const value = launchMessage({
    deepLinking: { returnUri: "https://lms.example/", acceptTypes: ["link"], acceptLineItem: false },
    forUser: { key: "dd", id: "user-2", name: "Vera Viewed", ...person, roles: ["r"] },
    proctoring: {
      proctoringToken: "sealed-token",
      attemptNumber: 2,
      startAssessmentUri: "https://lms.example/start",
      control: { ...where, controlUri: "https://lms.example/acs", actions: ["pause"] },
    },
    activity: { id: "activity-1" },
    submission: { id: "submission-1" },
    assetId: "asset-1",
    assetReportType: "originality",
    assetService: {
      ...where,
      scopes: ["s"],
      assets: [{ id: "asset-1", size: 7, assetTime: new Date(1000) }, { id: "asset-2" }],
    },
    assetReportService: { ...where, reportUri: "https://lms.example/r", scopes: ["s"] },
    eulaService: { ...where, eulaUri: "https://lms.example/e", scopes: ["s"] },
    noticeService: { ...where, noticeHandlersUri: "https://lms.example/n", noticeTypes: ["T"] },
    migration: { verified: true, consumerKey: "key-1", userId: "u11" },
    lti11LegacyUserId: "u11",
  });
  const sidecar = await connected(t, {
    validateLaunch: () => ({ outcome: { $case: "launch", value }, headers: [] }),
  });
  const { launch } = await sidecar.validateLaunch(browser);
  assert.ok(launch);
  assert.deepEqual(launch.deepLinking, {
    returnUri: "https://lms.example/",
    acceptTypes: ["link"],
    acceptPresentationDocumentTargets: [],
    acceptLineItem: false,
    autoCreate: false,
  });
  assert.deepEqual(launch.forUser, { key: "dd", id: "user-2", name: "Vera Viewed", ...person, roles: ["r"] });
  assert.deepEqual(launch.proctoring, {
    proctoringToken: "sealed-token",
    attemptNumber: 2,
    startAssessmentUri: "https://lms.example/start",
    control: { ...where, controlUri: "https://lms.example/acs", actions: ["pause"] },
  });
  assert.deepEqual(launch.activity, { id: "activity-1" });
  assert.deepEqual(launch.submission, { id: "submission-1" });
  assert.deepEqual([launch.assetId, launch.assetReportType], ["asset-1", "originality"]);
  assert.deepEqual(launch.assetService, {
    ...where,
    scopes: ["s"],
    assets: [{ id: "asset-1", size: 7, assetTime: new Date(1000) }, { id: "asset-2" }],
  });
  assert.deepEqual(launch.assetReportService, { ...where, reportUri: "https://lms.example/r", scopes: ["s"] });
  assert.deepEqual(launch.eulaService, { ...where, eulaUri: "https://lms.example/e", scopes: ["s"] });
  assert.deepEqual(launch.noticeService, {
    ...where,
    noticeHandlersUri: "https://lms.example/n",
    serviceVersions: [],
    scopes: [],
    noticeTypes: ["T"],
  });
  assert.deepEqual(launch.migration, { verified: true, consumerKey: "key-1", userId: "u11" });
  assert.equal(launch.lti11LegacyUserId, "u11");
  const printed = inspect(launch, { depth: 9 });
  assert.doesNotMatch(printed, /Vera|Viewed|v@example|sis-2|sealed-token/);
  assert.match(printed, /user-2/);
});

test("buildStartAssessment sends what it was given, and answers the page", async (t) => {
  const seen: BuildStartAssessmentRequest[] = [];
  const sidecar = await connected(t, {
    buildStartAssessment(request) {
      seen.push(request);
      if (request.proctoringToken === "old") {
        throw new Refusal("PERMISSION_DENIED", "expired", errorInfo("LAUNCH_TOKEN_EXPIRED"));
      }
      const reply = { status: 200, headers: [], body: "<!doctype html>" };
      return { reply, startAssessmentUri: "https://lms.example/start", jwt: "a.b.c" };
    },
  });
  const answer = await sidecar.buildStartAssessment("sealed", {
    endAssessmentReturn: true,
    verifiedUser: { givenName: "Ada" },
    cspNonce: "bm9u",
  });
  assert.deepEqual(answer, {
    reply: { status: 200, headers: [], body: "<!doctype html>" },
    startAssessmentUri: "https://lms.example/start",
    jwt: "a.b.c",
  });
  await sidecar.buildStartAssessment("sealed");
  assert.deepEqual(seen, [
    {
      proctoringToken: "sealed",
      endAssessmentReturn: true,
      verifiedUser: { givenName: "Ada", middleName: "", familyName: "", fullName: "", picture: "" },
      cspNonce: "bm9u",
    },
    { proctoringToken: "sealed", endAssessmentReturn: false, verifiedUser: undefined, cspNonce: "" },
  ]);
  await assert.rejects(
    sidecar.buildStartAssessment("old"),
    (error) => error instanceof LaunchRejected && error.reason === Reason.LAUNCH_TOKEN_EXPIRED,
  );
});

test("validateNotices answers a notice or a refusal for each", async (t) => {
  const person = { key: "k", id: "user-1", name: "Ada Lovelace" };
  const whole = Notice.fromPartial({
    id: "n1",
    type: "LtiContextCopyNotice",
    noticeTime: new Date(5000),
    duplicate: true,
    registration: "canvas",
    user: person,
    forUser: { key: "k2", id: "user-2", name: "Vera Viewed" },
    context: { key: "c", id: "course-2" },
    originContextIds: ["course-1"],
    activity: { id: "a" },
    submission: { id: "s" },
    assetService: { scopes: ["s"] },
    assetReportService: { reportUri: "https://lms.example/r" },
    claimsJson: '{"name":"Ada"}',
  });
  let body = "";
  const sidecar = await connected(t, {
    validateNotices(request) {
      body = Buffer.from(request.body).toString();
      return {
        results: [
          { outcome: { $case: "notice", value: whole } },
          { outcome: { $case: "refusal", value: { reason: "KID_UNKNOWN", message: "m", metadata: { kid: "k" } } } },
        ],
      };
    },
  });
  const [first, second] = await sidecar.validateNotices(new TextEncoder().encode('{"notices":[]}'));
  assert.equal(body, '{"notices":[]}');
  const notice = first?.notice;
  assert.deepEqual(JSON.parse(JSON.stringify(notice)), {
    id: "n1",
    type: "LtiContextCopyNotice",
    noticeTime: "1970-01-01T00:00:05.000Z",
    duplicate: true,
    registration: "canvas",
    issuer: "",
    clientId: "",
    deploymentId: "",
    user: person,
    forUser: { key: "k2", id: "user-2", name: "Vera Viewed", roles: [] },
    context: { key: "c", id: "course-2", types: [] },
    originContextIds: ["course-1"],
    custom: {},
    activity: { id: "a" },
    submission: { id: "s" },
    assetService: { registration: "", deploymentId: "", scopes: ["s"], assets: [] },
    assetReportService: { registration: "", deploymentId: "", reportUri: "https://lms.example/r", scopes: [] },
    claimsJson: '{"name":"Ada"}',
  });
  assert.doesNotMatch(inspect(notice, { depth: 9 }), /Ada|Vera/);
  assert.deepEqual(second, { refusal: { reason: Reason.KID_UNKNOWN, message: "m", metadata: { kid: "k" } } });
});

test("a result that this version does not know is no notice", async (t) => {
  const sidecar = await connected(t, { validateNotices: () => ({ results: [{ outcome: undefined }] }) });
  await assert.rejects(sidecar.validateNotices(new Uint8Array()), LtiSidecarError);
});
