// SPDX-License-Identifier: Apache-2.0
// What the integrations of web frameworks share: they relay requests and replies, and decide nothing themselves.
import type { BrowserReply, BrowserRequest, Header } from "./browser.js";
import type { ContentItem } from "./content.js";
import { LtiSidecarError } from "./error.js";
import type { Launch, MessageType } from "./launch.js";
import type { Notice, NoticeRefusal } from "./notice.js";
import type { Sidecar } from "./sidecar.js";

/** RouteOptions are what the routes need of the tool. */
export interface RouteOptions<Request, Response> {
  /** Client of the sidecar. */
  readonly sidecar: Sidecar;
  /**
   * Answers an accepted launch, best with a redirect with 303 to a page of the same origin. The answer already deletes
   * the cookies of the login: add cookies, and replace none.
   */
  readonly onLaunch: (launch: Launch, req: Request, res: Response) => unknown;
  /**
   * Lets an author pick content: answers a launch of type DEEP_LINKING, which the launch route then accepts. Its page
   * posts a form to the content route, with `launch.deepLinking.deepLinkingToken` in the hidden field
   * `deep_linking_token`.
   */
  readonly onDeepLinking?: ((launch: Launch, req: Request, res: Response) => unknown) | undefined;
  /**
   * Makes content items of the form that was posted to the content route; none where the author cancelled. The route
   * signs them and sends the author back to the platform. Unset: there is no such route.
   */
  readonly onContent?:
    | ((form: URLSearchParams, req: Request) => readonly ContentItem[] | Promise<readonly ContentItem[]>)
    | undefined;
  /**
   * Gets each notice that a platform posts to the notices route. It may get one twice: see `Notice.duplicate`. Unset:
   * there is no such route.
   */
  readonly onNotice?: ((notice: Notice) => unknown) | undefined;
  /** Sees each notice that was refused, for the log. */
  readonly onNoticeRefused?: ((refusal: NoticeRefusal) => unknown) | undefined;
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

/** LaunchAnswer is a reply to send, or the function that answers an accepted launch, and headers to add. */
export type LaunchAnswer<Request, Response> =
  | { readonly reply: BrowserReply; readonly launch?: undefined }
  | {
      readonly reply?: undefined;
      readonly launch: Launch;
      readonly headers: readonly Header[];
      readonly answer: (launch: Launch, req: Request, res: Response) => unknown;
    };

/** The largest body of notices that is read, in bytes: what the sidecar takes. */
export const maxNoticesBytes = 256 * 1024;

/** Refusals of these kinds pass: the platform shall send the notice again. */
const passing: ReadonlySet<string> = new Set([
  "JWKS_UNREACHABLE",
  "OVERLOADED",
  "STORE_CLOCK_SKEW",
  "STORE_FULL",
  "STORE_UNAVAILABLE",
]);

/** Routes are the answers of the LTI routes, whatever serves them. */
export class Routes<Request, Response> {
  readonly #options: RouteOptions<Request, Response>;

  constructor(options: RouteOptions<Request, Response>) {
    this.#options = options;
  }

  async login(browser: BrowserRequest): Promise<BrowserReply> {
    const { sidecar, launchUri, registration } = this.#options;
    return (await sidecar.buildAuthRequest(browser, { launchUri, registration })).reply;
  }

  async launch(browser: BrowserRequest): Promise<LaunchAnswer<Request, Response>> {
    const { sidecar, launchUri, onLaunch, onDeepLinking, acceptMessageTypes = ["RESOURCE_LINK"] } = this.#options;
    const types = new Set(acceptMessageTypes);
    if (onDeepLinking) types.add("DEEP_LINKING");
    const outcome = await sidecar.validateLaunch(browser, { launchUri, acceptMessageTypes: [...types] });
    if (outcome.browserStep) return { reply: outcome.browserStep };
    const { launch, headers } = outcome;
    const answer = onDeepLinking && launch.messageType === "DEEP_LINKING" ? onDeepLinking : onLaunch;
    return { launch, headers, answer };
  }

  async content(browser: BrowserRequest, req: Request): Promise<BrowserReply> {
    const form = new URLSearchParams();
    for (const { name, value } of browser.parameters) form.append(name, value);
    const items = (await this.#options.onContent?.(form, req)) ?? [];
    const token = form.get("deep_linking_token") || "none";
    const { cspNonce } = browser;
    return (await this.#options.sidecar.buildDeepLinkingResponse(token, items, { cspNonce })).reply;
  }

  async notices(body: Uint8Array): Promise<BrowserReply> {
    const { sidecar, onNotice, onNoticeRefused } = this.#options;
    let status = 200;
    for (const { notice, refusal } of await sidecar.validateNotices(body)) {
      if (notice) await onNotice?.(notice);
      else {
        await onNoticeRefused?.(refusal);
        if (passing.has(refusal.reason)) status = 503;
      }
    }
    return { status, headers: [{ name: "Cache-Control", value: "no-store" }], body: "" };
  }

  async jwks(): Promise<BrowserReply> {
    const { jwks, contentType, maxAgeSeconds } = await this.#options.sidecar.getToolKeySet();
    const headers = [
      { name: "Content-Type", value: contentType },
      { name: "Cache-Control", value: `public, max-age=${maxAgeSeconds}` },
    ];
    return { status: 200, headers, body: jwks };
  }

  /**
   * refuse offers a failed call to the tool's onError. Resolves with the reply to send, or with undefined where onError
   * has answered. Rejects with what is not for it to answer.
   */
  async refuse(error: unknown, req: Request, res: Response, answered: () => boolean): Promise<BrowserReply | undefined> {
    if (!(error instanceof LtiSidecarError)) throw error;
    await this.#options.onError?.(error, req, res);
    if (answered()) return undefined;
    if (!error.reply) throw error;
    return error.reply;
  }
}
