// SPDX-License-Identifier: Apache-2.0
import { EventServiceService } from "./gen/ltisidecar/v1/event_service.js";
import { DeliveryState as DeliveryStateNumber, GradeServiceService } from "./gen/ltisidecar/v1/grade_service.js";
import { KeyServiceService } from "./gen/ltisidecar/v1/key_service.js";
import { LaunchServiceService } from "./gen/ltisidecar/v1/launch_service.js";
import { MessageType as MessageTypeNumber, type Launch as LaunchMessage } from "./gen/ltisidecar/v1/launch.js";
import { RosterServiceService } from "./gen/ltisidecar/v1/roster_service.js";
import { TokenServiceService } from "./gen/ltisidecar/v1/token_service.js";
import { fromBrowserRequest, toBrowserReply, toHeaders, type BrowserRequest } from "./browser.js";
import { fromContentItem, type ContentItem, type DeepLinkingOptions, type DeepLinkingResponse } from "./content.js";
import { Results, ScoreDeliveryWatch, toScoreDelivery } from "./delivery.js";
import type {
  ListResultsOptions,
  ListScoreDeliveriesOptions,
  ScoreDelivery,
  ScoreDeliveryPage,
  WatchScoreDeliveriesOptions,
} from "./delivery.js";
import { fromEventEndpoint, fromGradeEndpoint, fromGroupEndpoint, fromMembershipEndpoint } from "./endpoint.js";
import type { EventEndpoint, GradeEndpoint, GroupEndpoint, MembershipEndpoint } from "./endpoint.js";
import { LtiSidecarError } from "./error.js";
import { toEventDelivery, type EventDelivery, type SendEventsOptions } from "./event.js";
import { fromScore, type PostScoreOptions, type Score } from "./grade.js";
import { toLaunch, type Launch } from "./launch.js";
import { fromLineItem, pathsOf, toEnsuredLineItem, toLineItem } from "./line_item.js";
import type { EnsuredLineItem, LineItem, ListLineItemsOptions, UpdateLineItemOptions } from "./line_item.js";
import type { StartAssessment } from "./message.js";
import { toNotice, toNoticeRefusal, type NoticeResult } from "./notice.js";
import { numberOf } from "./presence.js";
import { Roster, toCourseGroups, type CourseGroups, type ListGroupsOptions, type ListMembersOptions } from "./roster.js";
import { ServiceToken, type ServiceTokenRequest } from "./service_token.js";
import type {
  AuthRequest,
  CheckedLaunch,
  LaunchOptions,
  LaunchOutcome,
  LoginOptions,
  Sidecar,
  StartAssessmentOptions,
  ToolKeySet,
} from "./sidecar.js";
import type { CallOptions, Transport } from "./transport.js";

/** Client turns what tools say into messages and back, over any transport. */
export class Client implements Sidecar {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get address(): string {
    return this.#transport.address;
  }

  async buildAuthRequest(browser: BrowserRequest, options: LoginOptions = {}): Promise<AuthRequest> {
    const request = {
      browser: fromBrowserRequest(browser),
      launchUri: options.launchUri ?? "",
      registration: options.registration ?? "",
    };
    const answer = await this.#transport.unary(LaunchServiceService.buildAuthRequest, request, options, 5_000);
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
    const answer = await this.#transport.unary(LaunchServiceService.validateLaunch, request, options, 10_000);
    const outcome = required(answer.outcome, "outcome");
    const headers = toHeaders(answer.headers);
    return outcome.$case === "launch"
      ? { launch: acceptedLaunch(outcome.value), headers }
      : { browserStep: toBrowserReply(outcome.value), headers };
  }

  async checkLaunchToken(launchToken: string, options: CallOptions = {}): Promise<CheckedLaunch> {
    const method = LaunchServiceService.checkLaunchToken;
    const answer = await this.#transport.unary(method, { launchToken }, options, 5_000);
    return {
      launch: acceptedLaunch(required(answer.launch, "launch")),
      expireTime: required(answer.expireTime, "expire_time"),
    };
  }

  async buildDeepLinkingResponse(
    deepLinkingToken: string,
    items: readonly ContentItem[],
    options: DeepLinkingOptions = {},
  ): Promise<DeepLinkingResponse> {
    const request = {
      deepLinkingToken,
      items: items.map(fromContentItem),
      message: options.message ?? "",
      log: options.log ?? "",
      errorMessage: options.errorMessage ?? "",
      errorLog: options.errorLog ?? "",
      cspNonce: options.cspNonce ?? "",
    };
    const method = LaunchServiceService.buildDeepLinkingResponse;
    const answer = await this.#transport.unary(method, request, options, 5_000);
    return { reply: toBrowserReply(required(answer.reply, "reply")), returnUri: answer.returnUri, jwt: answer.jwt };
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
    const answer = await this.#transport.unary(LaunchServiceService.buildStartAssessment, request, options, 5_000);
    return {
      reply: toBrowserReply(required(answer.reply, "reply")),
      startAssessmentUri: answer.startAssessmentUri,
      jwt: answer.jwt,
    };
  }

  async validateNotices(body: Uint8Array, options: CallOptions = {}): Promise<readonly NoticeResult[]> {
    const request = { body: Buffer.from(body) };
    const answer = await this.#transport.unary(LaunchServiceService.validateNotices, request, options, 10_000);
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
    const answer = await this.#transport.unary(
      method,
      { registration, deploymentId, scopes: [...scopes] },
      options,
      30_000,
    );
    const expireTime = required(answer.expireTime, "expire_time");
    return new ServiceToken(answer.accessToken, expireTime, answer.scopes, answer.allowedOrigins);
  }

  async postScore(endpoint: GradeEndpoint, score: Score, options: PostScoreOptions = {}): Promise<ScoreDelivery> {
    const { requestId = "", maxWaitMs } = options;
    const request = {
      endpoint: fromGradeEndpoint(offered(endpoint, "grades")),
      score: fromScore(score),
      requestId,
      maxWait: maxWaitMs === undefined ? undefined : durationOf(maxWaitMs),
    };
    const timeoutMs = 10_000 + (maxWaitMs ?? 1_000);
    const answer = await this.#transport.unary(GradeServiceService.postScore, request, options, timeoutMs);
    return toScoreDelivery(required(answer.delivery, "delivery"));
  }

  async listScoreDeliveries(
    registration: string,
    options: ListScoreDeliveriesOptions = {},
  ): Promise<ScoreDeliveryPage> {
    const request = {
      registration,
      deploymentId: options.deploymentId ?? "",
      lineItemUri: options.lineItemUri ?? "",
      userId: options.userId ?? "",
      states: (options.states ?? []).map((state) => numberOf(DeliveryStateNumber, state, "states")),
      pageSize: options.pageSize ?? 0,
      cursor: options.cursor ?? "",
    };
    const answer = await this.#transport.unary(GradeServiceService.listScoreDeliveries, request, options, 10_000);
    const { deliveries, cursor, complete } = answer;
    return { deliveries: deliveries.map(toScoreDelivery), cursor, complete };
  }

  watchScoreDeliveries(registration: string, options: WatchScoreDeliveriesOptions = {}): ScoreDeliveryWatch {
    const { cursor, signal } = options;
    const request = { registration, cursor: cursor ?? "" };
    const method = GradeServiceService.watchScoreDeliveries;
    return new ScoreDeliveryWatch(() => this.#transport.stream(method, request, { signal }, Infinity), cursor);
  }

  async retryScoreDelivery(
    registration: string,
    deliveryId: string,
    options: CallOptions = {},
  ): Promise<ScoreDelivery> {
    const method = GradeServiceService.retryScoreDelivery;
    const answer = await this.#transport.unary(method, { registration, deliveryId }, options, 10_000);
    return toScoreDelivery(required(answer.delivery, "delivery"));
  }

  async listLineItems(endpoint: GradeEndpoint, options: ListLineItemsOptions = {}): Promise<readonly LineItem[]> {
    const request = {
      endpoint: fromGradeEndpoint(offered(endpoint, "grades")),
      resourceLinkId: options.resourceLinkId ?? "",
      resourceId: options.resourceId ?? "",
      tag: options.tag ?? "",
      pageSizeHint: options.pageSizeHint ?? 0,
    };
    const answer = await this.#transport.unary(GradeServiceService.listLineItems, request, options, 60_000);
    return answer.items.map(toLineItem);
  }

  async getLineItem(endpoint: GradeEndpoint, lineItemUri = "", options: CallOptions = {}): Promise<LineItem> {
    const request = { endpoint: fromGradeEndpoint(offered(endpoint, "grades")), lineItemUri };
    const answer = await this.#transport.unary(GradeServiceService.getLineItem, request, options, 30_000);
    return toLineItem(required(answer.item, "item"));
  }

  async ensureLineItem(endpoint: GradeEndpoint, wanted: LineItem, options: CallOptions = {}): Promise<EnsuredLineItem> {
    const request = { endpoint: fromGradeEndpoint(offered(endpoint, "grades")), wanted: fromLineItem(wanted) };
    const answer = await this.#transport.unary(GradeServiceService.ensureLineItem, request, options, 60_000);
    return toEnsuredLineItem(required(answer.item, "item"), answer);
  }

  async updateLineItem(
    endpoint: GradeEndpoint,
    item: LineItem,
    options: UpdateLineItemOptions = {},
  ): Promise<LineItem> {
    const paths = pathsOf(options.fields ?? []);
    const request = {
      endpoint: fromGradeEndpoint(offered(endpoint, "grades")),
      item: fromLineItem(item),
      updateMask: paths.length > 0 ? paths : undefined,
    };
    const answer = await this.#transport.unary(GradeServiceService.updateLineItem, request, options, 30_000);
    return toLineItem(required(answer.item, "item"));
  }

  async deleteLineItem(endpoint: GradeEndpoint, lineItemUri: string, options: CallOptions = {}): Promise<void> {
    const request = { endpoint: fromGradeEndpoint(offered(endpoint, "grades")), lineItemUri };
    await this.#transport.unary(GradeServiceService.deleteLineItem, request, options, 30_000);
  }

  listResults(endpoint: GradeEndpoint, options: ListResultsOptions = {}): Results {
    const request = {
      endpoint: fromGradeEndpoint(offered(endpoint, "grades")),
      lineItemUri: options.lineItemUri ?? "",
      userId: options.userId ?? "",
      pageSizeHint: options.pageSizeHint ?? 0,
    };
    return new Results(() => this.#transport.stream(GradeServiceService.listResults, request, options, 60_000));
  }

  listMembers(endpoint: MembershipEndpoint, options: ListMembersOptions = {}): Roster {
    const request = {
      endpoint: fromMembershipEndpoint(offered(endpoint, "memberships")),
      role: options.role ?? "",
      resourceLinkId: options.resourceLinkId ?? "",
      pageSizeHint: options.pageSizeHint ?? 0,
      differencesUri: options.differencesUri ?? "",
      groups: options.groups ?? false,
    };
    return new Roster(() => this.#transport.stream(RosterServiceService.listMembers, request, options, 60_000));
  }

  async listGroups(endpoint: GroupEndpoint, options: ListGroupsOptions = {}): Promise<CourseGroups> {
    const request = {
      endpoint: fromGroupEndpoint(offered(endpoint, "groups")),
      userId: options.userId ?? "",
      pageSizeHint: options.pageSizeHint ?? 0,
    };
    return toCourseGroups(await this.#transport.unary(RosterServiceService.listGroups, request, options, 60_000));
  }

  async sendEvents(
    endpoint: EventEndpoint,
    envelopeJson: string,
    options: SendEventsOptions = {},
  ): Promise<EventDelivery> {
    const { durable = false } = options;
    const request = { endpoint: fromEventEndpoint(offered(endpoint, "events")), envelopeJson, durable };
    return toEventDelivery(await this.#transport.unary(EventServiceService.sendEvents, request, options, 30_000));
  }

  async getToolKeySet(options: CallOptions = {}): Promise<ToolKeySet> {
    const answer = await this.#transport.unary(KeyServiceService.getToolKeySet, {}, options, 5_000);
    return {
      jwks: answer.jwks,
      contentType: answer.contentType,
      maxAgeSeconds: Math.max(0, answer.cacheLifetime?.seconds ?? 0),
    };
  }

  close(): void {
    this.#transport.close();
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

function durationOf(milliseconds: number): { seconds: number; nanos: number } {
  const whole = Math.floor(milliseconds / 1_000);
  return { seconds: whole, nanos: Math.round((milliseconds - whole * 1_000) * 1e6) };
}
