// SPDX-License-Identifier: Apache-2.0
// Grades, line items, deliveries, groups, events and content items, each property of them.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  createSidecar,
  Incomplete,
  InvalidRequest,
  Unavailable,
  withLineItem,
  type ContentItem,
  type LineItem,
} from "ltisidecar";
import { ContentItem as ContentItemMessage } from "../src/gen/ltisidecar/v1/content_item.js";
import { ListResultsResponse, ScoreDelivery, WatchScoreDeliveriesResponse } from "../src/gen/ltisidecar/v1/grade_service.js";
import { LineItem as LineItemMessage } from "../src/gen/ltisidecar/v1/line_item.js";
import { errorInfo, Refusal, startScriptedSidecar, type Script } from "./scripted_sidecar.ts";

const noon = new Date("2026-11-23T12:00:00.250Z");
const extensions = { "https://canvas.example/x": { é: [1, null] } };
const extensionsJson = '{"https://canvas.example/x":{"é":[1,null]}}';
const endpoint = {
  registration: "canvas",
  deploymentId: "1:d",
  lineItemUri: "https://canvas.example/items/7",
  lineItemsUri: "https://canvas.example/items",
  scopes: ["https://purl.imsglobal.org/spec/lti-ags/scope/score"],
  canPostScore: true,
};

async function connected(t: TestContext, script: Script) {
  const server = await startScriptedSidecar(t, script);
  const sidecar = createSidecar({ address: server.address });
  t.after(() => sidecar.close());
  return { server, sidecar };
}

const delivery = {
  state: 6,
  sentTime: noon,
  resultUri: "https://canvas.example/results/1",
  deliveryId: "d1",
  registration: "canvas",
  deploymentId: "1:d",
  lineItemUri: "https://canvas.example/items/7",
  userId: "u",
  requestId: "r1",
  scoreTime: noon,
  createTime: noon,
  updateTime: noon,
  attempts: 3,
  nextAttemptTime: noon,
  reason: "PLATFORM_REFUSED",
  platformStatus: 422,
  platformError: "no such user",
} as const;

test("every property of a score, and of what becomes of it", async (t) => {
  let seen: unknown;
  const { sidecar } = await connected(t, {
    postScore: (request) => {
      seen = request;
      return { delivery: ScoreDelivery.fromPartial(delivery) };
    },
  });
  const canvasSubmission = {
    newSubmission: false,
    submissionType: "online_upload",
    submissionData: "https://tool.example/1",
    submissionTime: noon,
    files: [{ uri: "https://tool.example/f", title: "f.pdf", mediaType: "application/pdf" }],
    prioritizeNonToolGrade: true,
    preserveScore: false,
  } as const;
  const times = { scoreTime: noon, submissionStartTime: noon, submissionTime: noon };
  const score = { userId: "u", scoreGiven: 8, scoreMaximum: 10, ...times, canvasSubmission, extensions };
  const answer = await sidecar.postScore(endpoint, score, { requestId: "r1", maxWaitMs: 1_250 });
  assert.deepEqual(answer, { ...delivery, state: "REFUSED" });
  assert.deepEqual(seen, {
    endpoint,
    score: {
      userId: "u",
      scoreGiven: 8,
      scoreMaximum: 10,
      activityProgress: 0,
      gradingProgress: 0,
      comment: "",
      scoringUserId: "",
      ...times,
      canvasSubmission,
      extensionsJson,
    },
    requestId: "r1",
    maxWait: { seconds: 1, nanos: 250_000_000 },
  });
});

test("deliveries: a page, and once more", async (t) => {
  const seen: unknown[] = [];
  const { sidecar } = await connected(t, {
    listScoreDeliveries: (request) => {
      seen.push(request);
      return { deliveries: [ScoreDelivery.fromPartial(delivery)], cursor: "c2", complete: true };
    },
    retryScoreDelivery: (request) => {
      seen.push(request);
      return { delivery: ScoreDelivery.fromPartial({ state: 2, deliveryId: "d1" }) };
    },
  });
  const where = { deploymentId: "1:d", lineItemUri: "https://canvas.example/items/7", userId: "u" };
  const page = await sidecar.listScoreDeliveries("canvas", {
    ...where,
    states: ["REFUSED", "UNCONFIRMED"],
    pageSize: 2,
    cursor: "c1",
  });
  assert.deepEqual(page, { deliveries: [{ ...delivery, state: "REFUSED" }], cursor: "c2", complete: true });
  assert.deepEqual(seen[0], { registration: "canvas", ...where, states: [6, 4], pageSize: 2, cursor: "c1" });
  const again = await sidecar.retryScoreDelivery("canvas", "d1");
  assert.deepEqual(again, { state: "QUEUED", deliveryId: "d1", attempts: 0 });
  assert.deepEqual(seen[1], { registration: "canvas", deliveryId: "d1" });
});

const change = (cursor: string, deliveryId?: string) =>
  WatchScoreDeliveriesResponse.fromPartial({ cursor, delivery: deliveryId ? { deliveryId, state: 1 } : undefined });

test("a watch has the cursor of what came last, and leaving it ends the call", async (t) => {
  let gone: () => void;
  const departure = new Promise<void>((resolve) => (gone = resolve));
  let asked: unknown;
  const { sidecar } = await connected(t, {
    watchScoreDeliveries(call) {
      asked = call.request;
      call.on("cancelled", () => gone());
      for (const message of [change("c0"), change("c1", "1"), change("c2", "2"), change("c3", "3")]) call.write(message);
    },
  });
  const watch = sidecar.watchScoreDeliveries("canvas", { cursor: "stored" });
  assert.equal(watch.cursor, "stored");
  const seen: unknown[] = [];
  for await (const { deliveryId } of watch) {
    seen.push([deliveryId, watch.cursor]);
    if (seen.length === 2) break;
  }
  assert.deepEqual(seen, [
    ["1", "c1"],
    ["2", "c2"],
  ]);
  await departure;
  assert.deepEqual(asked, { registration: "canvas", cursor: "stored" });
});

test("a watch that the sidecar ends is an error; a signal ends one too", async (t) => {
  const { server, sidecar } = await connected(t, {
    watchScoreDeliveries(call) {
      call.write(change("c0"));
      call.end();
    },
  });
  const ended = sidecar.watchScoreDeliveries("canvas");
  await assert.rejects(async () => {
    for await (const _ of ended) assert.fail("nothing came");
  }, Unavailable);
  assert.equal(ended.cursor, "c0");
  server.script = { watchScoreDeliveries: (call) => void call.write(change("c0", "1")) };
  const abort = new AbortController();
  const why = new Error("enough");
  await assert.rejects(async () => {
    for await (const _ of sidecar.watchScoreDeliveries("canvas", { signal: abort.signal })) abort.abort(why);
  }, why);
});

test("results are whole or an error", async (t) => {
  let asked: unknown;
  const batch = ListResultsResponse.fromPartial({
    part: {
      $case: "batch",
      value: {
        results: [
          { userId: "1", userKey: "k1", score: 0, scoreMaximum: 10, comment: "c", extensionsJson },
          { userId: "2", userKey: "k2", scoreMaximum: 1 },
        ],
      },
    },
  });
  const end = (resultCount: number) => ListResultsResponse.fromPartial({ part: { $case: "end", value: { resultCount } } });
  const { server, sidecar } = await connected(t, {
    listResults(call) {
      asked = call.request;
      for (const message of [batch, end(2)]) call.write(message);
      call.end();
    },
  });
  const results = sidecar.listResults(endpoint, { lineItemUri: "https://canvas.example/items/8", userId: "u", pageSizeHint: 5 });
  assert.deepEqual(await results.toArray(), [
    { userId: "1", userKey: "k1", score: 0, scoreMaximum: 10, comment: "c", extensions },
    { userId: "2", userKey: "k2", scoreMaximum: 1 },
  ]);
  assert.equal(results.resultCount, 2);
  assert.deepEqual(asked, { endpoint, lineItemUri: "https://canvas.example/items/8", userId: "u", pageSizeHint: 5 });
  for (const messages of [[batch], [batch, end(3)], [batch, end(2), batch]]) {
    server.script = {
      listResults(call) {
        for (const message of messages) call.write(message);
        call.end();
      },
    };
    await assert.rejects(sidecar.listResults(endpoint).toArray(), Incomplete);
  }
});

const item = {
  uri: "https://canvas.example/items/7",
  label: "Quiz",
  scoreMaximum: 10,
  resourceLinkId: "link",
  resourceId: "quiz-3",
  tag: "final",
  startTime: noon,
  endTime: noon,
  gradesReleased: false,
  submissionReview: { reviewableStatus: ["Completed"], label: "Look", uri: "https://tool.example/r", custom: { a: "b" } },
  extensions,
} satisfies Required<LineItem>;
const { extensions: _, ...plainItem } = item;
const itemMessage = LineItemMessage.fromPartial({ ...plainItem, extensionsJson });

test("a line item goes there and back", async (t) => {
  const seen: Record<string, unknown>[] = [];
  const note = <T>(request: object, answer: T): T => {
    seen.push(request as Record<string, unknown>);
    return answer;
  };
  const { sidecar } = await connected(t, {
    ensureLineItem: (request) =>
      note(request, { item: itemMessage, created: true, differingFields: ["score_maximum", "extensions_json"] }),
    getLineItem: (request) => note(request, { item: LineItemMessage.fromPartial({}) }),
    listLineItems: (request) => note(request, { items: [itemMessage] }),
    updateLineItem: (request) => note(request, { item: itemMessage }),
    deleteLineItem: (request) => note(request, {}),
  });
  const ensured = await sidecar.ensureLineItem(endpoint, item);
  assert.deepEqual(ensured, { item, created: true, differingFields: ["scoreMaximum", "extensions"] });
  assert.deepEqual(seen[0], { endpoint, wanted: itemMessage });
  assert.deepEqual(await sidecar.getLineItem(endpoint), {});
  assert.deepEqual(seen[1], { endpoint, lineItemUri: "" });
  const filter = { resourceLinkId: "l", resourceId: "r", tag: "t", pageSizeHint: 7 };
  assert.deepEqual(await sidecar.listLineItems(endpoint, filter), [item]);
  assert.deepEqual(seen[2], { endpoint, ...filter });
  assert.deepEqual(await sidecar.updateLineItem(endpoint, item, { fields: ["scoreMaximum", "extensions"] }), item);
  assert.deepEqual(seen[3], { endpoint, item: itemMessage, updateMask: ["score_maximum", "extensions_json"] });
  await sidecar.updateLineItem(endpoint, { uri: "u", label: "l" });
  assert.deepEqual(seen[4], { endpoint, item: LineItemMessage.fromPartial({ uri: "u", label: "l" }), updateMask: undefined });
  await sidecar.deleteLineItem(endpoint, "https://canvas.example/items/7");
  assert.deepEqual(seen[5], { endpoint, lineItemUri: "https://canvas.example/items/7" });
});

test("the endpoint of another line item", () => {
  const uri = "https://canvas.example/items/8";
  assert.deepEqual(withLineItem(endpoint, uri), { ...endpoint, lineItemUri: uri });
  assert.equal(withLineItem({ ...endpoint, scopes: [] }, uri).canPostScore, false);
});

test("groups, and events", async (t) => {
  const seen: unknown[] = [];
  const { sidecar } = await connected(t, {
    listGroups: (request) => {
      seen.push(request);
      return {
        groups: [{ id: "g", name: "Red", tag: "", setIds: ["s"], hidden: true }],
        sets: [{ id: "s", name: "Teams", tag: "t", hidden: false }],
      };
    },
    sendEvents: (request) => {
      seen.push(request);
      return { state: seen.length === 2 ? 1 : (77 as never), deliverTime: noon };
    },
  });
  const groups = {
    registration: "canvas",
    deploymentId: "1:d",
    contextGroupsUri: "https://canvas.example/groups",
    contextGroupSetsUri: "https://canvas.example/sets",
    serviceVersions: ["1.0"],
    scopes: ["s"],
  };
  assert.deepEqual(await sidecar.listGroups(groups, { userId: "u", pageSizeHint: 9 }), {
    groups: [{ id: "g", name: "Red", setIds: ["s"], hidden: true }],
    sets: [{ id: "s", name: "Teams", tag: "t", hidden: false }],
  });
  assert.deepEqual(seen[0], { endpoint: groups, userId: "u", pageSizeHint: 9 });
  const events = {
    registration: "canvas",
    deploymentId: "1:d",
    caliperEndpointUri: "https://canvas.example/caliper",
    federatedSessionId: "session",
    scopes: ["s"],
  };
  assert.deepEqual(await sidecar.sendEvents(events, "{}", { durable: true }), { state: "DELIVERED", deliverTime: noon });
  assert.deepEqual(seen[1], { endpoint: events, envelopeJson: "{}", durable: true });
  assert.equal((await sidecar.sendEvents(events, "{}")).state, "QUEUED");
  await assert.rejects(sidecar.listGroups(undefined as never), /launch\.groups/);
  await assert.rejects(sidecar.sendEvents(undefined as never, "{}"), /launch\.events/);
});

const picture = { uri: "https://tool.example/p.png", width: 2, height: 3 };
const common = { title: "T", text: "t", icon: picture, thumbnail: picture, extensions };
const window = { targetName: "w", width: 2, height: 3, windowFeatures: "f" };
const iframe = { srcUri: "https://tool.example/i", width: 2, height: 3 };
const span = { startTime: noon, endTime: noon };
const uri = "https://tool.example/";
const contents: [ContentItem, ContentItemMessage["kind"]][] = [
  [
    { type: "link", uri, embedHtml: "<p>", window, iframe, ...common },
    { $case: "link", value: { uri, embedHtml: "<p>", window, iframe } },
  ],
  [
    { type: "ltiResourceLink", uri, custom: { a: "b" }, window, iframe, lineItem: item, available: span, submission: span, ...common },
    {
      $case: "resourceLink",
      value: { uri, custom: { a: "b" }, window, iframe, lineItem: itemMessage, available: span, submission: span },
    },
  ],
  [
    { type: "file", uri, expireTime: noon, mediaType: "application/pdf", ...common },
    { $case: "file", value: { uri, expireTime: noon, mediaType: "application/pdf" } },
  ],
  [
    { type: "html", html: "<p>", title: "T", text: "t", extensions },
    { $case: "html", value: { html: "<p>" } },
  ],
  [
    { type: "image", ...picture, ...common },
    { $case: "image", value: picture },
  ],
  [
    { type: "ltiAssetProcessor", uri, custom: { a: "b" }, report: extensions, ...common },
    { $case: "assetProcessor", value: { uri, custom: { a: "b" }, reportJson: extensionsJson } },
  ],
  [
    { type: "other", otherType: "https://x/y", members: extensions, ...common },
    { $case: "other", value: { type: "https://x/y", membersJson: extensionsJson } },
  ],
];

test("every property of every content item", async (t) => {
  let seen: { items: ContentItemMessage[] } | undefined;
  const reply = { status: 200, headers: [], body: "<!doctype html>" };
  const { sidecar } = await connected(t, {
    buildDeepLinkingResponse: (request) => {
      seen = request;
      return { reply, returnUri: "https://canvas.example/return", jwt: "a.b.c" };
    },
  });
  const words = { message: "m", log: "l", errorMessage: "e", errorLog: "f", cspNonce: "n" };
  const items = contents.map(([content]) => content);
  const answer = await sidecar.buildDeepLinkingResponse("sealed", items, words);
  assert.deepEqual(answer, { reply, returnUri: "https://canvas.example/return", jwt: "a.b.c" });
  const { items: sent, ...rest } = seen!;
  assert.deepEqual(rest, { deepLinkingToken: "sealed", ...words });
  const pictured = { title: "T", text: "t", icon: picture, thumbnail: picture, extensionsJson };
  contents.forEach(([content, kind], index) => {
    const plain = content.type === "html" ? { ...pictured, icon: undefined, thumbnail: undefined } : pictured;
    assert.deepEqual(sent[index], { ...plain, kind }, content.type);
  });
});

test("cancelling sends no items; an item that is not accepted is the tool's error", async (t) => {
  const seen: number[] = [];
  const { server, sidecar } = await connected(t, {
    buildDeepLinkingResponse: ({ items }) => {
      seen.push(items.length);
      throw new Refusal("INVALID_ARGUMENT", "no", errorInfo("REQUEST_INVALID", { field: "items[0].link" }));
    },
  });
  await assert.rejects(sidecar.buildDeepLinkingResponse("sealed", []), (error) => {
    assert.ok(error instanceof InvalidRequest);
    assert.deepEqual(error.metadata, { field: "items[0].link" });
    return true;
  });
  assert.deepEqual(seen, [0]);
  await assert.rejects(sidecar.buildDeepLinkingResponse("sealed", [{ type: "hyperlink" } as never]), /no type of a content item/);
  assert.equal(server.calls.get("buildDeepLinkingResponse"), 1);
});
