// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { inspect } from "node:util";
import * as ltisidecar from "ltisidecar";
import { createSidecar, LaunchRejected, LtiSidecarError, Reason } from "ltisidecar";
import { any, errorInfo, Refusal, replyDetail, retryInfo, startScriptedSidecar } from "./scripted_sidecar.ts";

async function refusedWith(t: TestContext, refusal: Refusal): Promise<LtiSidecarError> {
  const server = await startScriptedSidecar(t, {
    checkLaunchToken() {
      throw refusal;
    },
  });
  const sidecar = createSidecar({ address: server.address });
  t.after(() => sidecar.close());
  const error = await sidecar.checkLaunchToken("t").then(
    () => assert.fail("it was accepted"),
    (e: unknown) => e,
  );
  assert.ok(error instanceof LtiSidecarError, inspect(error));
  return error;
}

test("an error carries reason, values, wait and page", async (t) => {
  const reply = {
    status: 403,
    headers: [{ name: "Content-Type", value: "text/html; charset=utf-8" }],
    body: "<p>Please open it again.</p>".repeat(1_000), // 28 kB: more than headers usually have
  };
  const error = await refusedWith(
    t,
    new Refusal(
      "PERMISSION_DENIED",
      "launch 0f was accepted before",
      any("google.rpc.Help", new Uint8Array([10, 2, 10, 0])),
      errorInfo("NONCE_REPLAYED", { registration: "canvas", launch_id: "0f", first_used_time: "2026-03-01T10:00:00Z" }),
      retryInfo(1, 500_000_001),
      replyDetail(reply),
    ),
  );
  assert.ok(error instanceof LaunchRejected);
  assert.equal(error.reason, Reason.NONCE_REPLAYED);
  assert.equal(error.code, "PERMISSION_DENIED");
  assert.equal(error.message, "launch 0f was accepted before");
  assert.equal(error.launchId, "0f");
  assert.equal(error.retryAfterMs, 1_501);
  assert.deepEqual(error.metadata, {
    registration: "canvas",
    launch_id: "0f",
    first_used_time: "2026-03-01T10:00:00Z",
  });
  assert.deepEqual(error.reply, reply);
  const printed = inspect(error);
  assert.match(printed, /LaunchRejected: launch 0f/);
  assert.match(printed, /NONCE_REPLAYED/);
  assert.doesNotMatch(printed, /Please open/);
});

for (const [code, name] of [
  ["INVALID_ARGUMENT", "InvalidRequest"],
  ["PERMISSION_DENIED", "LaunchRejected"],
  ["FAILED_PRECONDITION", "PlatformError"],
  ["UNAVAILABLE", "Unavailable"],
  ["DEADLINE_EXCEEDED", "Unavailable"],
  ["RESOURCE_EXHAUSTED", "LimitReached"],
  ["UNAUTHENTICATED", "LtiSidecarError"],
  ["INTERNAL", "LtiSidecarError"],
] as const) {
  test(`${code} is ${name}`, async (t) => {
    const error = await refusedWith(t, new Refusal(code, "no", errorInfo("A_REASON_OF_NEXT_YEAR")));
    assert.equal(error.constructor, ltisidecar[name]);
    assert.equal(error.name, name);
    assert.equal(error.code, code);
    assert.equal(error.reason, "A_REASON_OF_NEXT_YEAR");
    assert.equal(error.launchId, undefined);
    assert.equal(error.reply, undefined);
  });
}

test("a reason of another domain is not ours", async (t) => {
  const error = await refusedWith(
    t,
    new Refusal("UNAVAILABLE", "no", errorInfo("NONCE_REPLAYED", { launch_id: "x" }, "proxy")),
  );
  assert.equal(error.reason, undefined);
  assert.deepEqual(error.metadata, {});
});

test("a refusal stands where its details cannot be read", async (t) => {
  const refusal = new Refusal("PERMISSION_DENIED", "no");
  refusal.metadata.set("grpc-status-details-bin", Buffer.from([0x1a, 0xff, 0x01]));
  const error = await refusedWith(t, refusal);
  assert.ok(error instanceof LaunchRejected);
  assert.equal(error.reason, undefined);
  assert.match(error.message, /details could not be read/);
  assert.ok(error.cause instanceof Error);
});

test("the error's stack leads to the caller", async (t) => {
  const error = await refusedWith(t, new Refusal("INTERNAL", "no", errorInfo("INTERNAL")));
  assert.match(error.stack ?? "", /checkLaunchToken/);
});

test("Reason has the reasons of the proto, one for one", () => {
  const proto = readFileSync(new URL("../../../proto/ltisidecar/v1/error_reason.proto", import.meta.url), "utf8");
  const names = [...proto.matchAll(/^  ERROR_REASON_([A-Z0-9_]+) = [1-9]/gm)].map(([, name]) => name);
  assert.ok(names.length > 60);
  assert.deepEqual(Object.keys(Reason), names);
  assert.deepEqual(Object.values(Reason), names);
  const literal: Reason = "NONCE_REPLAYED";
  // @ts-expect-error a literal that is no reason
  const wrong: Reason = "NONCE_REPLAID";
  assert.notEqual(literal as string, wrong as string);
});
