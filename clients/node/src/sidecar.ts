// SPDX-License-Identifier: Apache-2.0
import { GradeServiceService } from "./gen/ltisidecar/v1/grade_service.js";
import { KeyServiceService } from "./gen/ltisidecar/v1/key_service.js";
import { LaunchServiceService } from "./gen/ltisidecar/v1/launch_service.js";
import { MessageType as MessageTypeNumber, type Launch as LaunchMessage } from "./gen/ltisidecar/v1/launch.js";
import { RosterServiceService } from "./gen/ltisidecar/v1/roster_service.js";
import { TokenServiceService } from "./gen/ltisidecar/v1/token_service.js";
import { fromBrowserRequest, toBrowserReply, toHeaders } from "./browser.js";
import type { BrowserReply, BrowserRequest, Header } from "./browser.js";
import { Channel, defaultAddress, type CallOptions, type TlsOptions } from "./channel.js";
import { fromGradeEndpoint, fromMembershipEndpoint } from "./endpoint.js";
import type { GradeEndpoint, MembershipEndpoint } from "./endpoint.js";
import { LtiSidecarError } from "./error.js";
import { fromScore, toScoreDelivery, type Score, type ScoreDelivery } from "./grade.js";
import { toLaunch, type Launch, type MessageType } from "./launch.js";
import type { StartAssessment, VerifiedUser } from "./message.js";
import { toNotice, toNoticeRefusal, type NoticeResult } from "./notice.js";
import { numberOf } from "./presence.js";
import { Roster, type ListMembersOptions } from "./roster.js";
import { ServiceToken, type ServiceTokenRequest } from "./service_token.js";

/** SidecarOptions say where the sidecar is. */
export interface SidecarOptions {
  /**
   * Address: `unix:///path` or `host:port`. Unset: the environment's LTISIDECAR_ADDRESS, else
   * `unix:///run/ltisidecar/sidecar.sock`.
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
   * postScore sends one score. Default timeout 30 s. Retry after Unavailable with the same `scoreTime`: a repeat
   * of the same score is harmless.
   */
  postScore(endpoint: GradeEndpoint, score: Score, options?: CallOptions): Promise<ScoreDelivery>;

  /**
   * listMembers reads a roster as it arrives; the call begins with the loop over it. `timeoutMs` bounds the wait for
   * each message (default 60 s), not the whole. Safe to retry from the start.
   */
  listMembers(endpoint: MembershipEndpoint, options?: ListMembersOptions): Roster;

  /** getToolKeySet gets the tool's public keys for its JWKS route. Default timeout 5 s. Safe to retry. */
  getToolKeySet(options?: CallOptions): Promise<ToolKeySet>;

  /** close ends the connection. Calls under way are finished; later ones throw. */
  close(): void;
}

/**
 * createSidecar makes a client. It connects at the first call. Throws a TypeError for an address that is neither a Unix
 * socket nor on loopback where `tls` is missing.
 */
export function createSidecar(options: SidecarOptions = {}): Sidecar {
  const address = options.address || process.env.LTISIDECAR_ADDRESS || defaultAddress;
  return new GrpcSidecar(new Channel(address, options.tls));
}

class GrpcSidecar implements Sidecar {
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  get address(): string {
    return this.#channel.address;
  }

  async buildAuthRequest(browser: BrowserRequest, options: LoginOptions = {}): Promise<AuthRequest> {
    const request = {
      browser: fromBrowserRequest(browser),
      launchUri: options.launchUri ?? "",
      registration: options.registration ?? "",
    };
    const answer = await this.#channel.unary(LaunchServiceService.buildAuthRequest, request, options, 5_000);
    return {
      reply: toBrowserReply(required(answer.reply, "reply")),
      authorizationUri: answer.authorizationUri,
      state: answer.state,
      expireTime: required(answer.expireTime, "expire_time"),
      registration: answer.registration,
    };
  }

  async validateLaunch(browser: BrowserRequest, options: LaunchOptions = {}): Promise<LaunchOutcome> {
    const request = {
      browser: fromBrowserRequest(browser),
      launchUri: options.launchUri ?? "",
      acceptMessageTypes: (options.acceptMessageTypes ?? []).map((name) =>
        numberOf(MessageTypeNumber, name, "acceptMessageTypes"),
      ),
    };
    const answer = await this.#channel.unary(LaunchServiceService.validateLaunch, request, options, 10_000);
    const outcome = required(answer.outcome, "outcome");
    const headers = toHeaders(answer.headers);
    return outcome.$case === "launch"
      ? { launch: acceptedLaunch(outcome.value), headers }
      : { browserStep: toBrowserReply(outcome.value), headers };
  }

  async checkLaunchToken(launchToken: string, options: CallOptions = {}): Promise<CheckedLaunch> {
    const method = LaunchServiceService.checkLaunchToken;
    const answer = await this.#channel.unary(method, { launchToken }, options, 5_000);
    return {
      launch: acceptedLaunch(required(answer.launch, "launch")),
      expireTime: required(answer.expireTime, "expire_time"),
    };
  }

  async buildStartAssessment(
    proctoringToken: string,
    options: StartAssessmentOptions = {},
  ): Promise<StartAssessment> {
    const user = options.verifiedUser;
    const request = {
      proctoringToken,
      endAssessmentReturn: options.endAssessmentReturn ?? false,
      verifiedUser: user && {
        givenName: user.givenName ?? "",
        middleName: user.middleName ?? "",
        familyName: user.familyName ?? "",
        fullName: user.fullName ?? "",
        picture: user.picture ?? "",
      },
      cspNonce: options.cspNonce ?? "",
    };
    const answer = await this.#channel.unary(LaunchServiceService.buildStartAssessment, request, options, 5_000);
    return {
      reply: toBrowserReply(required(answer.reply, "reply")),
      startAssessmentUri: answer.startAssessmentUri,
      jwt: answer.jwt,
    };
  }

  async validateNotices(body: Uint8Array, options: CallOptions = {}): Promise<readonly NoticeResult[]> {
    const request = { body: Buffer.from(body) };
    const answer = await this.#channel.unary(LaunchServiceService.validateNotices, request, options, 10_000);
    return answer.results.map((result) => {
      const outcome = required(result.outcome, "outcome");
      return outcome.$case === "notice"
        ? { notice: toNotice(outcome.value) }
        : { refusal: toNoticeRefusal(outcome.value) };
    });
  }

  async getServiceToken(request: ServiceTokenRequest, options: CallOptions = {}): Promise<ServiceToken> {
    const { registration, deploymentId, scopes } = request;
    const method = TokenServiceService.getServiceToken;
    const answer = await this.#channel.unary(
      method,
      { registration, deploymentId, scopes: [...scopes] },
      options,
      30_000,
    );
    const expireTime = required(answer.expireTime, "expire_time");
    return new ServiceToken(answer.accessToken, expireTime, answer.scopes, answer.allowedOrigins);
  }

  async postScore(endpoint: GradeEndpoint, score: Score, options: CallOptions = {}): Promise<ScoreDelivery> {
    const request = { endpoint: fromGradeEndpoint(offered(endpoint, "grades")), score: fromScore(score) };
    const answer = await this.#channel.unary(GradeServiceService.postScore, request, options, 30_000);
    return toScoreDelivery(required(answer.delivery, "delivery"));
  }

  listMembers(endpoint: MembershipEndpoint, options: ListMembersOptions = {}): Roster {
    const request = {
      endpoint: fromMembershipEndpoint(offered(endpoint, "memberships")),
      role: options.role ?? "",
      resourceLinkId: options.resourceLinkId ?? "",
      pageSizeHint: options.pageSizeHint ?? 0,
      differencesUri: options.differencesUri ?? "",
    };
    return new Roster(() => this.#channel.stream(RosterServiceService.listMembers, request, options, 60_000));
  }

  async getToolKeySet(options: CallOptions = {}): Promise<ToolKeySet> {
    const answer = await this.#channel.unary(KeyServiceService.getToolKeySet, {}, options, 5_000);
    return {
      jwks: answer.jwks,
      contentType: answer.contentType,
      maxAgeSeconds: Math.max(0, answer.cacheLifetime?.seconds ?? 0),
    };
  }

  close(): void {
    this.#channel.close();
  }
}

/** acceptedLaunch refuses a launch without an id: whatever sent it, it is no launch that the sidecar accepted. */
function acceptedLaunch(message: LaunchMessage): Launch {
  required(message.launchId || undefined, "launch_id");
  required(message.launchTime, "launch_time");
  return toLaunch(message);
}

function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw new LtiSidecarError(`the sidecar's answer has no ${field}`, "INTERNAL");
  return value;
}

function offered<T>(endpoint: T | undefined, property: string): T {
  if (!endpoint) throw new TypeError(`no endpoint: the platform did not offer the service (launch.${property})`);
  return endpoint;
}
