// SPDX-License-Identifier: Apache-2.0
import { Router, type NextFunction, type Request, type Response } from "express";
import type { BrowserReply, BrowserRequest } from "./browser.js";
import { addHeaders, readBody, readBrowserRequest, sendBrowserReply } from "./http.js";
import { maxNoticesBytes, Routes, type RouteOptions } from "./routes.js";

export { FormError, addHeaders, readBrowserRequest, sendBrowserReply } from "./http.js";

/** LtiRoutesOptions are what the routes need of the tool. */
export type LtiRoutesOptions = RouteOptions<Request, Response>;

/**
 * ltiRoutes makes a router with `GET` and `POST /login`, `POST /launch` and `GET /jwks`; with `onContent` also
 * `POST /content`, with `onNotice` also `POST /notices`. Mount it before any body parser:
 * `app.use("/lti", ltiRoutes({ sidecar, onLaunch }))`. Works with Express 4 and 5.
 */
export function ltiRoutes(options: LtiRoutesOptions): Router {
  const { cspNonce } = options;
  const routes = new Routes(options);
  const router = Router();

  const read = async (req: Request, res: Response): Promise<BrowserRequest> => {
    const browser = await readBrowserRequest(req);
    return cspNonce ? { ...browser, cspNonce: cspNonce(req, res) } : browser;
  };

  const send = (res: Response, reply: BrowserReply): void =>
    sendBrowserReply(res, reply, { keepPolicy: cspNonce !== undefined });

  const answering =
    (answer: (req: Request, res: Response) => Promise<BrowserReply | undefined>) =>
    async (req: Request, res: Response, next: NextFunction): Promise<void> => {
      try {
        const reply = await answer(req, res).catch((error: unknown) =>
          routes.refuse(error, req, res, () => res.headersSent),
        );
        if (reply) send(res, reply);
      } catch (error) {
        next(error);
      }
    };

  const login = answering(async (req, res) => routes.login(await read(req, res)));
  router.get("/login", login);
  router.post("/login", login);
  router.post(
    "/launch",
    answering(async (req, res) => {
      const outcome = await routes.launch(await read(req, res));
      if (outcome.reply) return outcome.reply;
      const { launch, headers, answer } = outcome;
      addHeaders(res, headers);
      await answer(launch, req, res);
      return undefined;
    }),
  );
  router.get("/jwks", answering(() => routes.jwks()));
  if (options.onContent) router.post("/content", answering(async (req, res) => routes.content(await read(req, res), req)));
  if (options.onNotice) {
    router.post("/notices", answering(async (req) => routes.notices(await readBody(req, maxNoticesBytes))));
  }
  return router;
}
