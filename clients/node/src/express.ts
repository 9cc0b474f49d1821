// SPDX-License-Identifier: Apache-2.0
import { Router, type NextFunction, type Request, type Response } from "express";
import type { BrowserReply, BrowserRequest } from "./browser.js";
import { LtiSidecarError } from "./error.js";
import { addHeaders, readBrowserRequest, sendBrowserReply } from "./http.js";
import type { Launch, MessageType } from "./launch.js";
import type { Sidecar } from "./sidecar.js";

export { FormError, addHeaders, readBrowserRequest, sendBrowserReply } from "./http.js";

/** LtiRoutesOptions are what the routes need of the tool. */
export interface LtiRoutesOptions {
  /** Client of the sidecar. */
  readonly sidecar: Sidecar;
  /**
   * Answers an accepted launch, best with `res.redirect(303, ...)` to a page of the same origin. `res` already deletes
   * the cookies of the login: add cookies with `res.cookie` or `res.append`.
   */
  readonly onLaunch: (launch: Launch, req: Request, res: Response) => unknown;
  /**
   * Sees every failure of a call to the sidecar, for the log, and may answer it. Where it sends nothing, the error's
   * reply is sent; an error without one goes to the error handler of the app.
   */
  readonly onError?: ((error: LtiSidecarError, req: Request, res: Response) => unknown) | undefined;
  /** Launch URI of these routes, as registered. Unset: the first one of the registration. */
  readonly launchUri?: string | undefined;
  /** Registration name, for routes of one registration. Unset: found by issuer and client id. */
  readonly registration?: string | undefined;
  /**
   * Nonce of this answer's Content-Security-Policy, for tools whose middleware must send one with every answer; that
   * header then stays. Unset: the replies of the sidecar come with their own policy alone.
   */
  readonly cspNonce?: ((req: Request, res: Response) => string) | undefined;
  /** Message types that `onLaunch` can serve. Unset: RESOURCE_LINK. */
  readonly acceptMessageTypes?: readonly MessageType[] | undefined;
}

/**
 * ltiRoutes makes a router with `GET` and `POST /login`, `POST /launch` and `GET /jwks`. Mount it before any body
 * parser: `app.use("/lti", ltiRoutes({ sidecar, onLaunch }))`. Works with Express 4 and 5.
 */
export function ltiRoutes(options: LtiRoutesOptions): Router {
  const { sidecar, onLaunch, onError, launchUri, registration, acceptMessageTypes, cspNonce } = options;
  const router = Router();

  const read = async (req: Request, res: Response): Promise<BrowserRequest> => {
    const browser = await readBrowserRequest(req);
    return cspNonce ? { ...browser, cspNonce: cspNonce(req, res) } : browser;
  };

  const send = (res: Response, reply: BrowserReply): void =>
    sendBrowserReply(res, reply, { keepPolicy: cspNonce !== undefined });

  const answering =
    (answer: (req: Request, res: Response) => Promise<void>) =>
    async (req: Request, res: Response, next: NextFunction): Promise<void> => {
      try {
        await answer(req, res);
      } catch (error) {
        await refuse(error, req, res).catch(next);
      }
    };

  const refuse = async (error: unknown, req: Request, res: Response): Promise<void> => {
    if (!(error instanceof LtiSidecarError)) throw error;
    await onError?.(error, req, res);
    if (res.headersSent) return;
    if (!error.reply) throw error;
    send(res, error.reply);
  };

  const login = answering(async (req, res) => {
    const browser = await read(req, res);
    const { reply } = await sidecar.buildAuthRequest(browser, { launchUri, registration });
    send(res, reply);
  });
  router.get("/login", login);
  router.post("/login", login);

  router.post(
    "/launch",
    answering(async (req, res) => {
      const browser = await read(req, res);
      const outcome = await sidecar.validateLaunch(browser, { launchUri, acceptMessageTypes });
      if (outcome.browserStep) return send(res, outcome.browserStep);
      addHeaders(res, outcome.headers);
      await onLaunch(outcome.launch, req, res);
    }),
  );

  router.get(
    "/jwks",
    answering(async (_req, res) => {
      const { jwks, contentType, maxAgeSeconds } = await sidecar.getToolKeySet();
      res.setHeader("Content-Type", contentType);
      res.setHeader("Cache-Control", `public, max-age=${maxAgeSeconds}`);
      res.end(jwks);
    }),
  );
  return router;
}
