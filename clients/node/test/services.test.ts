// SPDX-License-Identifier: Apache-2.0
// Grade books, deliveries, groups and deep links of the simulated platforms, through the real sidecar.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import express from "express";
import { createSidecar, InvalidRequest, PlatformError, withLineItem, type Launch } from "ltisidecar";
import { ltiRoutes } from "ltisidecar/express";
import { platforms, startStack, type Stack } from "ltisidecar/testing";
import { needsBinaries } from "./needs_binaries.ts";

async function launched(
  lti: Stack,
  platform: string,
  user = "student",
  message = "",
  sidecar = lti.sidecar,
): Promise<Launch> {
  const launches: Launch[] = [];
  const keep = (launch: Launch, _req: unknown, res: { send(text: string): unknown }) => {
    launches.push(launch);
    res.send("launched");
  };
  const app = express();
  app.use("/lti", ltiRoutes({ sidecar, onLaunch: keep, onDeepLinking: keep }));
  const page = await lti.browser(platform, { tool: await lti.serve(app) }).launch(user, message);
  assert.equal(page.text, "launched");
  return launches[0]!;
}

describe("the services of real platforms", needsBinaries, () => {
  let lti: Stack;
  before(async () => {
    lti = await startStack({ platforms: [...platforms, "sakai"] });
  });
  after(() => lti.stop());

  for (const platform of platforms) {
    test(`${platform}: a line item from its making to its end`, async () => {
      const { sidecar } = lti;
      const { grades, user } = await launched(lti, platform);
      assert.ok(grades && user);
      const made = await sidecar.ensureLineItem(grades, { label: "Essay", scoreMaximum: 20, resourceId: "essay-1" });
      assert.deepEqual([made.created, made.item.label, made.item.scoreMaximum], [true, "Essay", 20]);
      const again = await sidecar.ensureLineItem(grades, { label: "Essay", scoreMaximum: 30, resourceId: "essay-1" });
      assert.deepEqual([again.created, again.item.uri, again.differingFields], [false, made.item.uri, ["scoreMaximum"]]);
      const uri = made.item.uri!;
      const changed = await sidecar.updateLineItem(grades, { uri, label: "Essay 1" }, { fields: ["label"] });
      assert.deepEqual([changed.label, changed.scoreMaximum], ["Essay 1", 20]);
      assert.equal((await sidecar.getLineItem(grades, uri)).label, "Essay 1");
      assert.deepEqual((await sidecar.listLineItems(grades, { resourceId: "essay-1" })).map((item) => item.uri), [uri]);

      const endpoint = withLineItem(grades, uri);
      await sidecar.postScore(endpoint, { userId: user.id, scoreGiven: 17, scoreMaximum: 20 });
      const [result] = await sidecar.listResults(endpoint, { userId: user.id }).toArray();
      assert.deepEqual([result?.userKey, result!.score! / result!.scoreMaximum], [user.key, 17 / 20]);
      await sidecar.deleteLineItem(grades, uri);
      await assert.rejects(sidecar.getLineItem(grades, uri), (error) => {
        assert.ok(error instanceof PlatformError);
        assert.equal(error.reason, "LINE_ITEM_NOT_FOUND");
        return true;
      });
    });

    test(`${platform}: deliveries are watched and tried again, over gRPC`, async (t) => {
      const sidecar = createSidecar({ address: lti.grpcAddress });
      t.after(() => sidecar.close());
      const { grades, user } = await launched(lti, platform, "student6", "", sidecar);
      assert.ok(grades && user);
      let { cursor, complete } = await sidecar.listScoreDeliveries(platform);
      while (!complete) ({ cursor, complete } = await sidecar.listScoreDeliveries(platform, { cursor }));
      const score = { userId: user.id, scoreGiven: 8, scoreMaximum: 10, scoreTime: new Date() };
      const delivered = await sidecar.postScore(grades, score, { requestId: "r1" });
      assert.equal((await sidecar.postScore(grades, score, { requestId: "r1" })).deliveryId, delivered.deliveryId);
      await assert.rejects(sidecar.postScore(grades, { ...score, scoreGiven: 9 }, { requestId: "r1" }), InvalidRequest);
      for await (const change of sidecar.watchScoreDeliveries(platform, { cursor, signal: AbortSignal.timeout(20_000) })) {
        assert.equal(change.deliveryId, delivered.deliveryId);
        if (change.state === "DELIVERED") break;
      }
      const teacher = await lti.simulator.person(platform, "teacher");
      await assert.rejects(sidecar.postScore(grades, { ...score, userId: teacher.id }), PlatformError);
      const refused = await sidecar.listScoreDeliveries(platform, { userId: teacher.id, states: ["REFUSED"] });
      const last = refused.deliveries.at(-1)!;
      assert.ok(last.platformError);
      assert.equal((await sidecar.retryScoreDelivery(platform, last.deliveryId!)).deliveryId, last.deliveryId);
    });

    test(`${platform}: content is checked before it is signed`, async () => {
      const { deepLinking } = await launched(lti, platform, "teacher", "LtiDeepLinkingRequest");
      const token = deepLinking!.deepLinkingToken;
      const answer = await lti.sidecar.buildDeepLinkingResponse(token, [{ type: "ltiResourceLink", title: "Quiz" }]);
      assert.equal(answer.returnUri, deepLinking!.returnUri);
      assert.ok(answer.reply.body.includes(answer.jwt));
      const tooLong = { type: "html", html: "<p>", title: "x".repeat(20_000) } as const;
      await assert.rejects(lti.sidecar.buildDeepLinkingResponse(token, [tooLong]), (error) => {
        assert.ok(error instanceof InvalidRequest);
        assert.match(error.metadata.field ?? "", /^items\[0\]/);
        return true;
      });
    });
  }

  test("sakai: the groups of a course", async () => {
    const { groups } = await launched(lti, "sakai", "teacher");
    const listed = await lti.sidecar.listGroups(groups!);
    assert.equal(listed.groups.length, (await lti.simulator.get<unknown[]>("sakai", "groups")).length);
    assert.ok(listed.groups.length > 0 && listed.groups.every(({ id, name }) => id && name));
  });
});
