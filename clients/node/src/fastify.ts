// SPDX-License-Identifier: Apache-2.0
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { BrowserReply, BrowserRequest } from "./browser.js";
import { readBody, readBrowserRequest, sendBrowserReply } from "./http.js";
import { maxNoticesBytes, Routes, type RouteOptions } from "./routes.js";

export { FormError, addHeaders, readBrowserRequest, sendBrowserReply } from "./http.js";

/** LtiPluginOptions are what the routes need of the tool. */
export type LtiPluginOptions = RouteOptions<FastifyRequest, FastifyReply>;

/**
 * ltiPlugin is a plugin with `GET` and `POST /login`, `POST /launch` and `GET /jwks`; with `onContent` also
 * `POST /content`, with `onNotice` also `POST /notices`:
 * `app.register(ltiPlugin, { prefix: "/lti", sidecar, onLaunch })`. It reads bodies itself, and the sidecar's replies go
 * out as they are, without the headers of other plugins. Works with Fastify 5.
 */
export async function ltiPlugin(app: FastifyInstance, options: LtiPluginOptions): Promise<void> {
  const { cspNonce } = options;
  const routes = new Routes(options);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));

  const read = async (req: FastifyRequest, res: FastifyReply): Promise<BrowserRequest> => {
    const browser = await readBrowserRequest(req.raw);
    return cspNonce ? { ...browser, cspNonce: cspNonce(req, res) } : browser;
  };

  /** send writes past Fastify: cookies that the tool has set stay, and the policy where it has given its nonce. */
  const send = (res: FastifyReply, reply: BrowserReply): void => {
    res.hijack();
    for (const name of ["set-cookie", ...(cspNonce ? ["content-security-policy"] : [])]) {
      const value = res.getHeader(name);
      if (value !== undefined) res.raw.setHeader(name, value as string | string[]);
    }
    sendBrowserReply(res.raw, reply, { keepPolicy: cspNonce !== undefined });
  };

  const answering =
    (answer: (req: FastifyRequest, res: FastifyReply) => Promise<BrowserReply | undefined>) =>
    async (req: FastifyRequest, res: FastifyReply): Promise<FastifyReply> => {
      const reply = await answer(req, res).catch((error: unknown) => routes.refuse(error, req, res, () => res.sent));
      if (reply) send(res, reply);
      return res;
    };

  app.route({
    method: ["GET", "POST"],
    url: "/login",
    handler: answering(async (req, res) => routes.login(await read(req, res))),
  });
  app.post(
    "/launch",
    answering(async (req, res) => {
      const outcome = await routes.launch(await read(req, res));
      if (outcome.reply) return outcome.reply;
      const { launch, headers, answer } = outcome;
      for (const { name, value } of headers) res.header(name, value); // Fastify adds lines of Set-Cookie
      await answer(launch, req, res);
      return undefined;
    }),
  );
  app.get(
    "/jwks",
    answering(() => routes.jwks()),
  );
  if (options.onContent) app.post("/content", answering(async (req, res) => routes.content(await read(req, res), req)));
  if (options.onNotice) {
    app.post("/notices", answering(async (req) => routes.notices(await readBody(req.raw, maxNoticesBytes))));
  }
}
