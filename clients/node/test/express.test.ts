// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import express, { type Express, type NextFunction, type Request, type Response } from "express";
import { createSidecar, LtiSidecarError } from "ltisidecar";
import { ltiRoutes, type LtiRoutesOptions } from "ltisidecar/express";
import type { BrowserRequest } from "../src/gen/ltisidecar/v1/browser.js";
import {
  errorInfo,
  launchMessage,
  Refusal,
  replyDetail,
  startScriptedSidecar,
  type Script,
} from "./scripted_sidecar.ts";

async function tool(
  t: TestContext,
  script: Script,
  options: Partial<LtiRoutesOptions> = {},
  prepare: (app: Express) => void = () => undefined,
) {
  const server = await startScriptedSidecar(t, script);
  const sidecar = createSidecar({ address: server.address });
  const app = express();
  prepare(app);
  app.use(
    "/lti",
    ltiRoutes({ sidecar, onLaunch: (launch, _, res) => res.redirect(303, `/home/${launch.launchId}`), ...options }),
  );
  const failures: unknown[] = [];
  app.use((error: { status?: number }, _req: Request, res: Response, _next: NextFunction) => {
    failures.push(error);
    res.status(error.status ?? 500).send("the app's own error page");
  });
  const http: Server = app.listen(0, "127.0.0.1");
  await once(http, "listening");
  t.after(() => {
    http.closeAllConnections();
    http.close();
    sidecar.close();
  });
  const base = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const go = (path: string, form?: Record<string, string> | string, headers: Record<string, string> = {}) =>
    fetch(base + path, {
      redirect: "manual",
      headers: { ...headers, ...(form ? { "content-type": "application/x-www-form-urlencoded" } : {}) },
      ...(form ? { method: "POST", body: new URLSearchParams(form).toString() } : {}),
    });
  return { server, sidecar, failures, go };
}

const redirect = {
  status: 302,
  headers: [
    { name: "Location", value: "https://canvas.example/auth?state=s" },
    { name: "Set-Cookie", value: "__Host-lti-1=a; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=600" },
    { name: "Set-Cookie", value: "__Host-ltip-1=a; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=600; Partitioned" },
  ],
  body: "",
};
const refusalPage = {
  status: 403,
  headers: [{ name: "Content-Type", value: "text/html; charset=utf-8" }],
  body: "<p>Please open it again.</p>",
};
const replayed = () =>
  new Refusal("PERMISSION_DENIED", "used", errorInfo("NONCE_REPLAYED", { launch_id: "0f" }), replyDetail(refusalPage));

test("login by GET and by POST", async (t) => {
  const seen: BrowserRequest[] = [];
  const { go } = await tool(t, {
    buildAuthRequest({ browser }) {
      seen.push(browser!);
      return { reply: redirect, authorizationUri: "", state: "s", expireTime: new Date(), registration: "canvas" };
    },
  });
  const got = await go("/lti/login?iss=i&login_hint=h");
  const posted = await go("/lti/login?iss=i", "login_hint=h&login_hint=again");
  for (const answer of [got, posted]) {
    assert.equal(answer.status, 302);
    assert.equal(answer.headers.get("location"), "https://canvas.example/auth?state=s");
    assert.deepEqual(answer.headers.getSetCookie(), [redirect.headers[1]!.value, redirect.headers[2]!.value]);
    assert.equal(answer.headers.get("etag"), null);
    assert.equal(await answer.text(), "");
  }
  assert.deepEqual(
    seen.map(({ method, parameters }) => [method, parameters.map(({ name, value }) => `${name}=${value}`).join("&")]),
    [
      ["GET", "iss=i&login_hint=h"],
      ["POST", "iss=i&login_hint=h&login_hint=again"],
    ],
  );
});

test("an accepted launch: the headers go on the tool's own answer", async (t) => {
  const deletion = "__Host-lti-1=; Path=/; Secure; Max-Age=0";
  const { server, go } = await tool(
    t,
    {
      validateLaunch: ({ browser }) => {
        assert.equal(browser?.cookieHeader, "__Host-lti-1=a");
        return {
          outcome: { $case: "launch", value: launchMessage({ launchId: "0f" }) },
          headers: [
            { name: "Set-Cookie", value: deletion },
            { name: "Cache-Control", value: "no-store" },
          ],
        };
      },
    },
    { onLaunch: (launch, _, res) => void res.cookie("app", "1").redirect(303, `/home/${launch.launchId}`) },
  );
  const answer = await go("/lti/launch", { id_token: "t", state: "s" }, { cookie: "__Host-lti-1=a" });
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get("location"), "/home/0f");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.deepEqual(answer.headers.getSetCookie(), [deletion, "app=1; Path=/"]);
  assert.equal((await go("/lti/launch")).status, 404, "a launch is posted");
  assert.equal(server.calls.get("validateLaunch"), 1);
});

test("a browser step is sent, and nothing is launched", async (t) => {
  const step = { status: 200, headers: [{ name: "Content-Type", value: "text/html" }], body: "<script></script>" };
  const { go } = await tool(
    t,
    { validateLaunch: () => ({ outcome: { $case: "browserStep", value: step }, headers: [] }) },
    { onLaunch: () => assert.fail("there is no launch yet") },
  );
  const answer = await go("/lti/launch", { id_token: "t", state: "s" });
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), step.body);
});

test("a refusal shows the sidecar's page; onError sees it, and may answer instead", async (t) => {
  const script: Script = {
    validateLaunch() {
      throw replayed();
    },
  };
  const seen: LtiSidecarError[] = [];
  const plain = await tool(t, script, { onError: (error) => void seen.push(error) });
  const page = await plain.go("/lti/launch", { id_token: "t" });
  assert.equal(page.status, 403);
  assert.equal(await page.text(), refusalPage.body);
  assert.deepEqual(
    seen.map(({ reason, launchId }) => [reason, launchId]),
    [["NONCE_REPLAYED", "0f"]],
  );
  assert.deepEqual(plain.failures, []);

  const own = await tool(t, script, { onError: async (_error, _req, res) => res.redirect(303, "/home") });
  const answer = await own.go("/lti/launch", { id_token: "t" });
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get("location"), "/home");
  assert.deepEqual(own.failures, []);
});

test("what has no page goes to the app's error handler", async (t) => {
  const { go, failures, server } = await tool(t, {
    getToolKeySet: () => {
      throw new Refusal("INTERNAL", "defect");
    },
  });
  assert.equal((await go("/lti/jwks")).status, 500);
  server.stop();
  assert.equal((await go("/lti/login")).status, 500);
  assert.deepEqual(
    failures.map((error) => (error as LtiSidecarError).code),
    ["INTERNAL", "UNAVAILABLE"],
  );
});

test("an error of onLaunch or of onError is the app's", async (t) => {
  const bug = new Error("bug");
  const accepted: Script["validateLaunch"] = () => ({
    outcome: { $case: "launch", value: launchMessage() },
    headers: [],
  });
  const one = await tool(t, { validateLaunch: accepted }, { onLaunch: () => Promise.reject(bug) });
  assert.equal((await one.go("/lti/launch", { a: "b" })).status, 500);
  assert.deepEqual(one.failures, [bug]);
  const refusing: Script["validateLaunch"] = () => {
    throw replayed();
  };
  const two = await tool(
    t,
    { validateLaunch: refusing },
    {
      onError: () => {
        throw bug;
      },
    },
  );
  assert.equal((await two.go("/lti/launch", { a: "b" })).status, 500);
  assert.deepEqual(two.failures, [bug]);
});

test("routes mounted behind a body parser say so", async (t) => {
  const { go, failures, server } = await tool(t, {}, {}, (app) => app.use(express.urlencoded({ extended: true })));
  assert.equal((await go("/lti/launch", { id_token: "t" })).status, 500);
  assert.match(String(failures[0]), /mount the LTI routes before express\.urlencoded/);
  assert.equal(server.calls.size, 0);
});

test("a tool with its own policy passes its nonce, and keeps the policy", async (t) => {
  let seen: string | undefined;
  const { go } = await tool(
    t,
    {
      buildAuthRequest({ browser }) {
        seen = browser?.cspNonce;
        return { reply: redirect, authorizationUri: "", state: "", expireTime: new Date(), registration: "" };
      },
    },
    { cspNonce: (_, res) => res.locals.nonce },
    (app) =>
      app.use((_req, res, next) => {
        res.locals.nonce = "n1";
        res.setHeader("Content-Security-Policy", "script-src 'nonce-n1'");
        next();
      }),
  );
  const answer = await go("/lti/login?iss=i");
  assert.equal(seen, "n1");
  assert.equal(answer.headers.get("content-security-policy"), "script-src 'nonce-n1'");
});

test("jwks", async (t) => {
  const { go } = await tool(t, {
    getToolKeySet: () => ({
      jwks: '{"keys":[]}',
      contentType: "application/jwk-set+json",
      cacheLifetime: { seconds: 300, nanos: 0 },
    }),
  });
  const answer = await go("/lti/jwks");
  assert.equal(answer.headers.get("content-type"), "application/jwk-set+json");
  assert.equal(answer.headers.get("cache-control"), "public, max-age=300");
  assert.equal(await answer.text(), '{"keys":[]}');
});
