// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { FormError, readBrowserRequest, sendBrowserReply, type BrowserRequest } from "ltisidecar";

const form = "application/x-www-form-urlencoded";

async function serve(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** relayed sends one request and answers what readBrowserRequest made of it. */
async function relayed(
  t: TestContext,
  path: string,
  options: {
    method?: string;
    headers?: Record<string, string>;
    body?: string | Buffer;
    prepare?: (req: IncomingMessage) => Promise<void>;
  } = {},
): Promise<BrowserRequest> {
  let outcome: Promise<BrowserRequest> | undefined;
  const port = await serve(t, async (req, res) => {
    await options.prepare?.(req);
    outcome = readBrowserRequest(req);
    await outcome.catch(() => undefined);
    res.end();
  });
  await new Promise<void>((resolve) => {
    const { method = "POST", headers = {}, body } = options;
    const outgoing = request({ port, path, method, headers }, (res) => res.resume().on("end", resolve));
    outgoing.on("error", () => resolve()).end(body);
  });
  assert.ok(outcome);
  return outcome;
}

test("parameters of query and form, in order, repeats kept, decoded", async (t) => {
  const browser = await relayed(t, "/lti/launch?iss=https%3A%2F%2Fa.example&x=1&x=2?", {
    headers: {
      "content-type": `${form}; charset=UTF-8`,
      cookie: "a=b; c=d",
      origin: "null",
      "sec-fetch-dest": "iframe",
    },
    body: "x=3&name=Zo%C3%AB+M&empty=&bare&z=%ff",
  });
  assert.deepEqual(
    browser.parameters.map(({ name, value }) => [name, value]),
    [
      ["iss", "https://a.example"],
      ["x", "1"],
      ["x", "2?"],
      ["x", "3"],
      ["name", "Zoë M"],
      ["empty", ""],
      ["bare", ""],
      ["z", "\ufffd"],
    ],
  );
  assert.equal(browser.method, "POST");
  assert.equal(browser.cookieHeader, "a=b; c=d");
  assert.equal(browser.origin, "null");
  assert.equal(browser.secFetchDest, "iframe");
  assert.equal(browser.secFetchSite, undefined);
  assert.equal(browser.secFetchStorageAccess, undefined);
});

test("a GET has no form, and a body of another type is no form", async (t) => {
  const got = await relayed(t, "/lti/login?a=1", { method: "GET" });
  assert.deepEqual(got.parameters, [{ name: "a", value: "1" }]);
  assert.equal(got.method, "GET");
  const text = await relayed(t, "/lti/login", { headers: { "content-type": "text/plain" }, body: "id_token=x" });
  assert.deepEqual(text.parameters, []);
});

test("one parameter more than the sidecar takes is relayed, so that it refuses; no more", async (t) => {
  const body = Array.from({ length: 1_000 }, (_, i) => `p${i}=1`).join("&");
  const { parameters } = await relayed(t, "/", { headers: { "content-type": form }, body });
  assert.equal(parameters.length, 65);
});

test("a form that is too large is refused, announced or not", async (t) => {
  const body = Buffer.alloc(256 * 1024 + 1, "a");
  await assert.rejects(
    relayed(t, "/", { headers: { "content-type": form, "content-length": String(body.length) }, body }),
    {
      name: "FormError",
      status: 413,
    },
  );
  await assert.rejects(relayed(t, "/", { headers: { "content-type": form, "transfer-encoding": "chunked" }, body }), {
    name: "FormError",
    status: 413,
  });
  const whole = await relayed(t, "/", { headers: { "content-type": form }, body: body.subarray(1) });
  assert.equal(whole.parameters[0]?.name.length, 256 * 1024);
});

test("a form that a body parser has read is an error, unless its bytes were kept", async (t) => {
  const drain = async (req: IncomingMessage) => {
    for await (const _ of req);
  };
  const sent = { headers: { "content-type": form }, body: "a=1" };
  await assert.rejects(relayed(t, "/", { ...sent, prepare: drain }), (error) => {
    assert.ok(error instanceof FormError);
    assert.equal(error.status, 500);
    assert.match(error.message, /before express\.urlencoded/);
    return true;
  });
  const keep = async (req: IncomingMessage & { rawBody?: Buffer }) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    req.rawBody = Buffer.concat(chunks);
  };
  const kept = await relayed(t, "/", { ...sent, prepare: keep });
  assert.deepEqual(kept.parameters, [{ name: "a", value: "1" }]);
});

async function rawAnswer(
  t: TestContext,
  listener: RequestListener,
): Promise<{ headers: [string, string][]; body: string; status: number }> {
  const port = await serve(t, listener);
  const [res] = (await once(request({ port, path: "/" }).end(), "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of res.setEncoding("utf8")) body += chunk;
  const headers: [string, string][] = [];
  for (let i = 0; i < res.rawHeaders.length; i += 2) headers.push([res.rawHeaders[i]!, res.rawHeaders[i + 1]!]);
  return {
    headers: headers.filter(([name]) => !/^(date|connection|keep-alive)$/i.test(name)),
    body,
    status: res.statusCode!,
  };
}

const reply = {
  status: 200,
  headers: [
    { name: "Content-Type", value: "text/html; charset=utf-8" },
    { name: "Set-Cookie", value: "__Host-lti-1=a; Path=/; Secure" },
    { name: "Set-Cookie", value: "__Host-ltip-1=a; Path=/; Secure; Partitioned" },
    { name: "Content-Security-Policy", value: "default-src 'none'" },
    { name: "Cache-Control", value: "no-store" },
  ],
  body: "<p>grüezi</p>",
};
const replyHeaders = reply.headers.map(({ name, value }) => [name, value] as [string, string]);

test("a reply is sent unchanged, whatever middleware has set", async (t) => {
  const { headers, body, status } = await rawAnswer(t, (_, res) => {
    res.setHeader("X-Frame-Options", "SAMEORIGIN");
    res.setHeader("Content-Security-Policy", "frame-ancestors 'none'");
    res.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    res.setHeader("cache-control", "public");
    res.setHeader("Set-Cookie", "app=1");
    res.setHeader("X-Request-Id", "7");
    sendBrowserReply(res, reply);
  });
  assert.equal(status, 200);
  assert.equal(body, "<p>grüezi</p>");
  const sorted = (list: [string, string][]) => list.map(String).sort();
  assert.deepEqual(
    sorted(headers),
    sorted([...replyHeaders, ["Set-Cookie", "app=1"], ["X-Request-Id", "7"], ["Content-Length", "14"]]),
  );
});

test("a tool that gave its nonce keeps its policy beside the sidecar's", async (t) => {
  const { headers } = await rawAnswer(t, (_, res) => {
    res.setHeader("Content-Security-Policy", "script-src 'nonce-n'");
    sendBrowserReply(res, reply, { keepPolicy: true });
  });
  const policies = headers.filter(([name]) => name === "Content-Security-Policy").map(([, value]) => value);
  assert.deepEqual(policies, ["script-src 'nonce-n'", "default-src 'none'"]);
});
