// SPDX-License-Identifier: Apache-2.0
import type { BrowserReply, BrowserRequest, Header } from "./browser.js";
import { Client } from "./client.js";
import type { ContentItem, DeepLinkingOptions, DeepLinkingResponse } from "./content.js";
import type {
  ListResultsOptions,
  ListScoreDeliveriesOptions,
  Results,
  ScoreDelivery,
  ScoreDeliveryPage,
  ScoreDeliveryWatch,
  WatchScoreDeliveriesOptions,
} from "./delivery.js";
import type { EventEndpoint, GradeEndpoint, GroupEndpoint, MembershipEndpoint } from "./endpoint.js";
import type { EventDelivery, SendEventsOptions } from "./event.js";
import type { PostScoreOptions, Score } from "./grade.js";
import { GrpcTransport } from "./grpc.js";
import { HttpTransport } from "./http_transport.js";
import type { Launch, MessageType } from "./launch.js";
import type { EnsuredLineItem, LineItem, ListLineItemsOptions, UpdateLineItemOptions } from "./line_item.js";
import type { StartAssessment, VerifiedUser } from "./message.js";
import type { NoticeResult } from "./notice.js";
import type { CourseGroups, ListGroupsOptions, ListMembersOptions, Roster } from "./roster.js";
import type { ServiceToken, ServiceTokenRequest } from "./service_token.js";
import { defaultAddress, isHttp, type CallOptions, type TlsOptions } from "./transport.js";

/** SidecarOptions say where the sidecar is. */
export interface SidecarOptions {
  /**
   * Address: `http+unix:///path` or `http://host:port` for HTTP, `unix:///path` or `host:port` for gRPC. Unset: the
   * environment's LTISIDECAR_ADDRESS, else `http+unix:///run/ltisidecar/sidecar-json.sock`.
   */
  readonly address?: string | undefined;
  /** Certificates; required where the address is neither a Unix socket nor on loopback. */
  readonly tls?: TlsOptions | undefined;
}

/** LoginOptions are for `buildAuthRequest`. */
export interface LoginOptions extends CallOptions {
  /** Launch URI that the platform is to answer to. Unset: the first one of the registration. */
  readonly launchUri?: string | undefined;
  /** Registration name, for a login initiation URL of its own. Unset: found by issuer and client id. */
  readonly registration?: string | undefined;
}

/** LaunchOptions are for `validateLaunch`. */
export interface LaunchOptions extends CallOptions {
  /** Launch URI that was given to `buildAuthRequest`. Unset: the first one of the registration. */
  readonly launchUri?: string | undefined;
  /** Message types that this route can serve. Unset: RESOURCE_LINK. */
  readonly acceptMessageTypes?: readonly MessageType[] | undefined;
}

/** StartAssessmentOptions are for `buildStartAssessment`. */
export interface StartAssessmentOptions extends CallOptions {
  /** Ask the platform to launch the tool with END_ASSESSMENT when the assessment is over. */
  readonly endAssessmentReturn?: boolean | undefined;
  /** What the tool found out about who sits there. */
  readonly verifiedUser?: VerifiedUser | undefined;
  /** Nonce of the tool's own Content-Security-Policy. */
  readonly cspNonce?: string | undefined;
}

/** AuthRequest is the next step for a browser that began a login. */
export interface AuthRequest {
  /** Reply to send to the browser. */
  readonly reply: BrowserReply;
  /** Authorization URI that the reply leads to, for logs and tests. */
  readonly authorizationUri: string;
  /** State sent to the platform, for logs and tests. */
  readonly state: string;
  /** The launch must arrive before this time. */
  readonly expireTime: Date;
  /** Registration name that was found. */
  readonly registration: string;
}

/**
 * LaunchOutcome is an accepted launch, or one more step for the browser: where `browserStep` is there, send it as it
 * is and do nothing else. `headers` belong to the tool's own answer to an accepted launch.
 */
export type LaunchOutcome =
  | { readonly launch: Launch; readonly browserStep?: undefined; readonly headers: readonly Header[] }
  | { readonly launch?: undefined; readonly browserStep: BrowserReply; readonly headers: readonly Header[] };

/** CheckedLaunch is the launch behind a launch token. */
export interface CheckedLaunch {
  /** Launch without claimsJson, with a fresh launchToken. */
  readonly launch: Launch;
  /** Expire time of the fresh launch token. */
  readonly expireTime: Date;
}

/** ToolKeySet is the answer of a JWKS route. */
export interface ToolKeySet {
  /** The document to serve, JSON text. */
  readonly jwks: string;
  readonly contentType: string;
  /** How long platforms may keep it, in whole seconds: the max-age of Cache-Control. */
  readonly maxAgeSeconds: number;
}

/** Sidecar is a client of the sidecar. One for the whole process is enough; it is safe for concurrent calls. */
export interface Sidecar {
  /** Address in use. */
  readonly address: string;

  /** buildAuthRequest answers the platform's login initiation. Default timeout 5 s. Safe to retry. */
  buildAuthRequest(browser: BrowserRequest, options?: LoginOptions): Promise<AuthRequest>;

  /**
   * validateLaunch checks the platform's answer and redeems its nonce. Default timeout 10 s. A launch is accepted once:
   * never call it again for the same request. A refused launch rejects with LaunchRejected.
   */
  validateLaunch(browser: BrowserRequest, options?: LaunchOptions): Promise<LaunchOutcome>;

  /**
   * checkLaunchToken opens a launch token, and renews it. It keeps a user signed in where the browser blocks cookies.
   * Default timeout 5 s. Safe to retry.
   */
  checkLaunchToken(launchToken: string, options?: CallOptions): Promise<CheckedLaunch>;

  /**
   * buildDeepLinkingResponse signs the content that an author chose, and makes the page that takes it to the platform.
   * The token is that of the launch. No items: the author cancelled. What the platform does not accept is refused before
   * anything is signed: InvalidRequest names the field. Default timeout 5 s. Safe to retry.
   */
  buildDeepLinkingResponse(
    deepLinkingToken: string,
    items: readonly ContentItem[],
    options?: DeepLinkingOptions,
  ): Promise<DeepLinkingResponse>;

  /**
   * buildStartAssessment signs the message that lets a proctored user begin, from the proctoring token of the launch.
   * Default timeout 5 s. Safe to retry.
   */
  buildStartAssessment(proctoringToken: string, options?: StartAssessmentOptions): Promise<StartAssessment>;

  /**
   * validateNotices checks the notices that a platform posted to the tool's notice handler, each alone: one result for
   * each, in order. `body` is that of the request, as it came. Default timeout 10 s. Safe to retry, but what was
   * accepted before then counts as a duplicate.
   */
  validateNotices(body: Uint8Array, options?: CallOptions): Promise<readonly NoticeResult[]>;

  /** getServiceToken gets a token for calls that the sidecar does not make. Default timeout 30 s. Safe to retry. */
  getServiceToken(request: ServiceTokenRequest, options?: CallOptions): Promise<ServiceToken>;

  /**
   * postScore hands over one score. It is durable before the answer, and delivered later where the platform cannot take
   * it now: see the state of the answer. A refusal by the platform rejects with its words. Default timeout: `maxWaitMs`
   * and 10 s. Retry after Unavailable with the same `scoreTime`, best with the same `requestId`: a repeat is harmless.
   */
  postScore(endpoint: GradeEndpoint, score: Score, options?: PostScoreOptions): Promise<ScoreDelivery>;

  /**
   * listScoreDeliveries answers a page of what became of scores, kept for 90 days. Default timeout 10 s. Safe to retry.
   */
  listScoreDeliveries(registration: string, options?: ListScoreDeliveriesOptions): Promise<ScoreDeliveryPage>;

  /** watchScoreDeliveries reads deliveries as they change, without an end; the call begins with the loop over it. */
  watchScoreDeliveries(registration: string, options?: WatchScoreDeliveriesOptions): ScoreDeliveryWatch;

  /**
   * retryScoreDelivery queues a refused or unconfirmed delivery once more, as when the platform was corrected. Default
   * timeout 10 s. Safe to retry. A newer score of the same user and line item stays in front.
   */
  retryScoreDelivery(registration: string, deliveryId: string, options?: CallOptions): Promise<ScoreDelivery>;

  /** listLineItems answers the line items of the context, all pages. Default timeout 60 s. Safe to retry. */
  listLineItems(endpoint: GradeEndpoint, options?: ListLineItemsOptions): Promise<readonly LineItem[]>;

  /** getLineItem reads one line item; without a URI the endpoint's own. Default timeout 30 s. Safe to retry. */
  getLineItem(endpoint: GradeEndpoint, lineItemUri?: string, options?: CallOptions): Promise<LineItem>;

  /**
   * ensureLineItem finds the line item that is wanted, and makes it only where there is none. Default timeout 60 s. Safe
   * to retry. `wanted` has a label and a scoreMaximum, and at least one of resourceLinkId, resourceId and tag, by which it
   * is found. An item that is there is never changed. `withLineItem` then makes the endpoint to post scores to.
   */
  ensureLineItem(endpoint: GradeEndpoint, wanted: LineItem, options?: CallOptions): Promise<EnsuredLineItem>;

  /** updateLineItem changes a line item, and leaves what is not named as it is. Default timeout 30 s. Safe to retry. */
  updateLineItem(endpoint: GradeEndpoint, item: LineItem, options?: UpdateLineItemOptions): Promise<LineItem>;

  /** deleteLineItem deletes a line item with its scores. Default timeout 30 s. Safe to retry. */
  deleteLineItem(endpoint: GradeEndpoint, lineItemUri: string, options?: CallOptions): Promise<void>;

  /**
   * listResults reads the grades that the platform has for a line item, as they arrive; the call begins with the loop.
   * `timeoutMs` bounds the wait for each message (default 60 s), not the whole. Safe to retry from the start.
   */
  listResults(endpoint: GradeEndpoint, options?: ListResultsOptions): Results;

  /**
   * listMembers reads a roster as it arrives; the call begins with the loop over it. `timeoutMs` bounds the wait for
   * each message (default 60 s), not the whole. Safe to retry from the start.
   */
  listMembers(endpoint: MembershipEndpoint, options?: ListMembersOptions): Roster;

  /** listGroups answers the groups of a course and their sets, all pages. Default timeout 60 s. Safe to retry. */
  listGroups(endpoint: GroupEndpoint, options?: ListGroupsOptions): Promise<CourseGroups>;

  /**
   * sendEvents sends one Caliper envelope, as JSON text. Default timeout 30 s. Safe to retry where each event has an id
   * of its own.
   */
  sendEvents(endpoint: EventEndpoint, envelopeJson: string, options?: SendEventsOptions): Promise<EventDelivery>;

  /** getToolKeySet gets the tool's public keys for its JWKS route. Default timeout 5 s. Safe to retry. */
  getToolKeySet(options?: CallOptions): Promise<ToolKeySet>;

  /** close ends the connection. Calls under way are finished; later ones throw. */
  close(): void;
}

/**
 * createSidecar makes a client. It connects at the first call; its address chooses gRPC or HTTP. Throws a TypeError for
 * an address that is neither a Unix socket nor on loopback where `tls` is missing.
 */
export function createSidecar(options: SidecarOptions = {}): Sidecar {
  const address = options.address || process.env.LTISIDECAR_ADDRESS || defaultAddress;
  if (!isHttp(address)) return new Client(new GrpcTransport(address, options.tls));
  if (options.tls) throw new TypeError(`the sidecar address ${address} takes no tls option: mutual TLS is for gRPC, host:port`);
  return new Client(new HttpTransport(address));
}
