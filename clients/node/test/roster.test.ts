// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createSidecar, Incomplete, LimitReached, Unavailable } from "ltisidecar";
import { ListMembersResponse, type ListMembersRequest } from "../src/gen/ltisidecar/v1/roster_service.js";
import { errorInfo, Refusal, startScriptedSidecar, type Script } from "./scripted_sidecar.ts";

const endpoint = {
  registration: "canvas",
  deploymentId: "1",
  contextMembershipsUri: "https://canvas.example/members",
  serviceVersions: ["2.0"],
};

const batch = (...ids: string[]) =>
  ListMembersResponse.fromPartial({
    part: {
      $case: "batch",
      value: { context: { id: "c", title: "Biology" }, members: ids.map((userId) => ({ userId, status: 1 })) },
    },
  });
const end = (memberCount: number, differencesUri = "") =>
  ListMembersResponse.fromPartial({ part: { $case: "end", value: { memberCount, differencesUri } } });

/** sends answers a call with these messages and a good status. */
const sends =
  (...messages: ListMembersResponse[]): Script["listMembers"] =>
  (call) => {
    for (const message of messages) call.write(message);
    call.end();
  };

async function roster(t: TestContext, listMembers: Script["listMembers"], options = {}) {
  const server = await startScriptedSidecar(t, { listMembers: listMembers! });
  const sidecar = createSidecar({ address: server.address });
  t.after(() => sidecar.close());
  return { server, sidecar, roster: sidecar.listMembers(endpoint, options) };
}

test("a whole roster", async (t) => {
  let seen: ListMembersRequest | undefined;
  const { roster: whole } = await roster(
    t,
    (call) => {
      seen = call.request;
      return sends(batch("a", "b"), batch("c"), end(3, "https://canvas.example/diff"))!(call);
    },
    { role: "Learner", pageSizeHint: 50 },
  );
  assert.deepEqual([whole.context, whole.memberCount, whole.differencesUri], [undefined, undefined, undefined]);
  const ids: string[] = [];
  for await (const member of whole) {
    if (ids.length === 0) assert.deepEqual(whole.context, { id: "c", title: "Biology" });
    assert.equal(whole.memberCount, undefined, "not known before the end");
    ids.push(member.userId);
    assert.deepEqual(member, { userKey: "", userId: member.userId, status: "ACTIVE", roles: [], groupIds: [] });
  }
  assert.deepEqual(ids, ["a", "b", "c"]);
  assert.equal(whole.memberCount, 3);
  assert.equal(whole.differencesUri, "https://canvas.example/diff");
  assert.deepEqual(seen, { endpoint, role: "Learner", resourceLinkId: "", pageSizeHint: 50, differencesUri: "", groups: false });
  await assert.rejects(whole.toArray(), /read once/);
});

test("an empty roster is whole too", async (t) => {
  const { roster: empty } = await roster(t, sends(batch(), end(0)));
  assert.deepEqual(await empty.toArray(), []);
  assert.equal(empty.memberCount, 0);
  assert.equal(empty.differencesUri, undefined);
});

for (const [what, messages] of Object.entries({
  "without its end": [batch("a", "b")],
  "without anything": [],
  "with fewer members than it says": [batch("a"), end(2)],
  "that goes on after its end": [batch("a"), end(2), batch("b")],
  "with a part that is not known": [batch("a"), ListMembersResponse.fromPartial({}), end(1)],
})) {
  test(`a roster ${what} is an error`, async (t) => {
    const { roster: broken } = await roster(t, sends(...messages));
    await assert.rejects(broken.toArray(), Incomplete);
    assert.equal(broken.memberCount, undefined);
  });
}

test("an error status after members is an error, even after the end", async (t) => {
  for (const messages of [[batch("a")], [batch("a"), end(1)]]) {
    const { roster: failing } = await roster(t, (call) => {
      for (const message of messages) call.write(message);
      call.emit("error", new Refusal("RESOURCE_EXHAUSTED", "too many", errorInfo("ROSTER_TOO_LARGE", { limit: "9" })));
    });
    await assert.rejects(failing.toArray(), (error) => {
      assert.ok(error instanceof LimitReached);
      assert.equal(error.reason, "ROSTER_TOO_LARGE");
      assert.deepEqual(error.metadata, { limit: "9" });
      return true;
    });
    assert.equal(failing.memberCount, undefined);
  }
});

test("a sidecar that dies in the middle is an error", async (t) => {
  const { server, roster: cut } = await roster(t, (call) => void call.write(batch("a")));
  await assert.rejects(async () => {
    for await (const member of cut) {
      assert.equal(member.userId, "a");
      server.stop();
    }
  }, Unavailable);
});

test("leaving the loop ends the call", async (t) => {
  let gone: () => void;
  const departure = new Promise<void>((resolve) => (gone = resolve));
  const { roster: left } = await roster(t, (call) => {
    call.on("cancelled", () => gone());
    call.write(batch("a", "b"));
  });
  for await (const member of left) {
    assert.equal(member.userId, "a");
    break;
  }
  await departure;
  assert.equal(left.memberCount, undefined);
});

test("an AbortSignal ends the loop", async (t) => {
  const abort = new AbortController();
  const why = new Error("enough");
  const { roster: aborted } = await roster(t, (call) => void call.write(batch("a")), { signal: abort.signal });
  await assert.rejects(async () => {
    for await (const _ of aborted) abort.abort(why);
  }, why);
});

test("a silent sidecar is Unavailable; a slow reader is not", async (t) => {
  const { roster: silent } = await roster(t, (call) => void call.write(batch("a")), { timeoutMs: 60 });
  await assert.rejects(silent.toArray(), { name: "Unavailable", code: "DEADLINE_EXCEEDED" });

  const { roster: slow } = await roster(t, sends(batch("a"), batch("b"), end(2)), { timeoutMs: 2_000 });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const read: string[] = [];
  for await (const member of slow) {
    read.push(member.userId);
    t.mock.timers.tick(60_000); // the reader takes a minute for each member
  }
  assert.deepEqual(read, ["a", "b"]);
});
