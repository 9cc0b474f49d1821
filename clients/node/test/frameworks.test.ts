// SPDX-License-Identifier: Apache-2.0
// The integrations of Express and Fastify behave alike: each test runs with both.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

import { describe, test, type TestContext } from "node:test";
import express from "express";
import fastify from "fastify";
import { createSidecar, type ContentItem, type Launch, type Notice, type NoticeRefusal } from "ltisidecar";
import { ltiRoutes } from "ltisidecar/express";
import { ltiPlugin } from "ltisidecar/fastify";
import type { BuildDeepLinkingResponseRequest } from "../src/gen/ltisidecar/v1/launch_service.js";
import type { BrowserRequest } from "../src/gen/ltisidecar/v1/browser.js";
import { NoticeResult } from "../src/gen/ltisidecar/v1/notice.js";
import { errorInfo, launchMessage, Refusal, replyDetail, startScriptedSidecar, type Script } from "./scripted_sidecar.ts";


/** What the tool's functions were given, and what they answer. */
interface Seen {
  readonly launches: [served: string, launch: Launch][];
  readonly forms: string[];
  readonly notices: Notice[];
  readonly refusals: NoticeRefusal[];
  items: ContentItem[];
}

type Framework = (address: string, seen: Seen) => Promise<RequestListener>;

const shared = (address: string, seen: Seen) => ({
  sidecar: createSidecar({ address }),
  onContent(form: URLSearchParams) {
    seen.forms.push(form.get("choice") ?? "");
    return seen.items;
  },
  onNotice: (notice: Notice) => void seen.notices.push(notice),
  onNoticeRefused: (refusal: NoticeRefusal) => void seen.refusals.push(refusal),
});

const frameworks: Record<string, Framework> = {
  async express(address, seen) {
    const app = express();
    app.use((_req, res, next) => {
      res.setHeader("X-Frame-Options", "DENY");
      res.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      res.setHeader("Content-Security-Policy", "default-src 'self'");
      next();
    });
    const routes = ltiRoutes({
      ...shared(address, seen),
      onLaunch(launch, _req, res) {
        seen.launches.push(["link", launch]);
        res.cookie("own", "1").redirect(303, "/home");
      },
      onDeepLinking(launch, _req, res) {
        seen.launches.push(["deep link", launch]);
        res.send("pick");
      },
    });
    app.use("/lti", routes);
    return app;
  },
  async fastify(address, seen) {
    const app = fastify();
    app.addHook("onRequest", async (_req, res) => {
      res.header("X-Frame-Options", "DENY");
      res.header("Cross-Origin-Opener-Policy", "same-origin");
      res.header("Content-Security-Policy", "default-src 'self'");
    });
    app.register(ltiPlugin, {
      prefix: "/lti",
      ...shared(address, seen),
      async onLaunch(launch, _req, res) {
        seen.launches.push(["link", launch]);
        await res.header("Set-Cookie", "own=1; Path=/").redirect("/home", 303);
      },
      async onDeepLinking(launch, _req, res) {
        seen.launches.push(["deep link", launch]);
        await res.send("pick");
      },
    });
    app.post("/json", async (req) => req.body); // outside the plugin, bodies are parsed as ever
    await app.ready();
    return app.routing as RequestListener;
  },
};

const reply = {
  status: 200,
  headers: [
    { name: "Content-Type", value: "text/html; charset=utf-8" },
    { name: "Set-Cookie", value: "__Host-lti-1=x; Path=/; Secure" },
    { name: "Set-Cookie", value: "__Host-lti-1=x; Path=/; Secure; Partitioned" },
    { name: "Content-Security-Policy", value: "default-src 'none'" },
  ],
  body: "<!doctype html><title>é</title>",
};
const refused = () => new Refusal("PERMISSION_DENIED", "no", errorInfo("STATE_FORGED"), replyDetail({ ...reply, status: 403 }));

async function isReply(answer: Response, status = 200): Promise<void> {
  assert.deepEqual([answer.status, await answer.text()], [status, reply.body]);
  const { headers } = answer;
  assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
  assert.deepEqual(headers.getSetCookie(), [reply.headers[1]!.value, reply.headers[2]!.value]);
  assert.equal(headers.get("content-security-policy"), "default-src 'none'");
  for (const name of ["x-frame-options", "cross-origin-opener-policy"]) assert.equal(headers.get(name), null);
}

for (const [name, framework] of Object.entries(frameworks)) {
  describe(name, () => {
    async function tool(t: TestContext, script: Script, items: ContentItem[] = []) {
      const server = await startScriptedSidecar(t, script);
      const seen: Seen = { launches: [], forms: [], notices: [], refusals: [], items };
      const http = createHttpServer(await framework(server.address, seen)).listen(0, "127.0.0.1");
      await once(http, "listening");
      t.after(() => {
        http.closeAllConnections();
        http.close();
      });
      const base = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
      const go = (path: string, form?: string, headers: Record<string, string> = {}) =>
        fetch(base + path, {
          redirect: "manual",
          headers: { ...headers, ...(form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }) },
          ...(form === undefined ? {} : { method: "POST", body: form }),
        });
      return { server, seen, go };
    }

    test("a reply goes out as it came", async (t) => {
      const browsers: BrowserRequest[] = [];
      const { go } = await tool(t, {
        buildAuthRequest({ browser }) {
          browsers.push(browser!);
          return { reply, authorizationUri: "", state: "s", expireTime: new Date(), registration: "canvas" };
        },
      });
      await isReply(await go("/lti/login?iss=i&x=1&x=2", "login_hint=a+b%C3%A9", { cookie: "a=1", origin: "https://l.example" }));
      await isReply(await go("/lti/login?iss=i"));
      assert.deepEqual(
        browsers[0]!.parameters.map((one) => `${one.name}=${one.value}`),
        ["iss=i", "x=1", "x=2", "login_hint=a bé"],
      );
      assert.deepEqual([browsers[0]!.method, browsers[0]!.cookieHeader, browsers[0]!.origin], ["POST", "a=1", "https://l.example"]);
      assert.equal(browsers[1]!.method, "GET");
    });

    for (const [messageType, served, status] of [
      [1, "link", 303],
      [2, "deep link", 200],
    ] as const) {
      test(`a launch for a ${served} goes to its function`, async (t) => {
        const headers = [
          { name: "Set-Cookie", value: "a=; Path=/; Max-Age=0" },
          { name: "Set-Cookie", value: "a=; Path=/; Max-Age=0; Partitioned" },
          { name: "Cache-Control", value: "no-store" },
        ];
        let accepted: unknown;
        const { seen, go } = await tool(t, {
          validateLaunch({ acceptMessageTypes }) {
            accepted = acceptMessageTypes;
            return { outcome: { $case: "launch", value: launchMessage({ messageType }) }, headers };
          },
        });
        const answer = await go("/lti/launch", "id_token=t&state=s");
        assert.equal(answer.status, status);
        assert.deepEqual(seen.launches.map(([name]) => name), [served]);
        const own = served === "link" ? ["own=1; Path=/"] : [];
        assert.deepEqual(answer.headers.getSetCookie(), [headers[0]!.value, headers[1]!.value, ...own]);
        assert.equal(answer.headers.get("cache-control"), "no-store");
        assert.deepEqual(accepted, [1, 2]);
      });
    }

    test("a step of the browser and a refusal are no launch", async (t) => {
      const { server, seen, go } = await tool(t, {
        validateLaunch: () => ({ outcome: { $case: "browserStep", value: reply }, headers: [] }),
      });
      await isReply(await go("/lti/launch", "id_token=t"));
      server.script = {
        validateLaunch() {
          throw refused();
        },
      };
      await isReply(await go("/lti/launch", "id_token=t"), 403);
      assert.deepEqual(seen.launches, []);
    });

    test("a large form is not read", async (t) => {
      const { server, go } = await tool(t, {});
      assert.equal((await go("/lti/launch", `x=${"y".repeat(300_000)}`)).status, 413);
      assert.equal(server.calls.size, 0);
    });

    test("chosen content goes to the platform; without the launch's token it does not", async (t) => {
      const requests: BuildDeepLinkingResponseRequest[] = [];
      const script: Script = {
        buildDeepLinkingResponse(request) {
          requests.push(request);
          if (request.deepLinkingToken !== "sealed") throw refused();
          return { reply, returnUri: "https://l.example/return", jwt: "a.b.c" };
        },
      };
      const { seen, go } = await tool(t, script, [{ type: "html", html: "<p>" }]);
      await isReply(await go("/lti/content", "deep_linking_token=sealed&choice=3"));
      await isReply(await go("/lti/content", "choice=4"), 403);
      assert.deepEqual(seen.forms, ["3", "4"]);
      assert.deepEqual(requests.map(({ items }) => items.map(({ kind }) => kind?.$case)), [["html"], ["html"]]);
    });

    for (const [reason, status] of [
      ["SIGNATURE_INVALID", 200],
      ["JWKS_UNREACHABLE", 503],
    ] as const) {
      test(`notices are handed over, ${reason} is answered with ${status}`, async (t) => {
        let body: Buffer | undefined;
        const notice = (id: string) => NoticeResult.fromPartial({ outcome: { $case: "notice", value: { id } } });
        const refusal = NoticeResult.fromPartial({ outcome: { $case: "refusal", value: { reason } } });
        const { seen, go } = await tool(t, {
          validateNotices: (request) => {
            body = request.body;
            return { results: [notice("a"), refusal, notice("b")] };
          },
        });
        assert.equal((await go("/lti/notices", '{"notices":[]}')).status, status);
        assert.deepEqual(seen.notices.map(({ id }) => id), ["a", "b"]);
        assert.deepEqual(seen.refusals.map((one) => one.reason), [reason]);
        assert.equal(body?.toString(), '{"notices":[]}');
      });
    }

    test("the key set, and the app's own error page without a sidecar", async (t) => {
      const { server, go } = await tool(t, {
        getToolKeySet: () => ({ jwks: "{}", contentType: "application/json", cacheLifetime: { seconds: 300, nanos: 0 } }),
      });
      const answer = await go("/lti/jwks");
      assert.deepEqual([answer.status, await answer.text()], [200, "{}"]);
      assert.equal(answer.headers.get("cache-control"), "public, max-age=300");
      server.stop();
      assert.equal((await go("/lti/jwks")).status, 500);
    });
  });
}
