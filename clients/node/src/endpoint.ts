// SPDX-License-Identifier: Apache-2.0
import type {
  EventEndpoint as EventEndpointMessage,
  GradeEndpoint as GradeEndpointMessage,
  GroupEndpoint as GroupEndpointMessage,
  MembershipEndpoint as MembershipEndpointMessage,
} from "./gen/ltisidecar/v1/endpoint.js";
import { present, text, withTexts } from "./presence.js";

/**
 * GradeEndpoint is where and how grades of one launch are reported. It is plain data: store it as JSON, replace it at
 * each launch, hand it to `postScore` weeks later.
 */
export interface GradeEndpoint {
  /** Registration name. */
  readonly registration: string;
  /** Deployment id. */
  readonly deploymentId: string;
  /** Line item URI of the resource link; absent where the platform keeps none or several. */
  readonly lineItemUri?: string | undefined;
  /** Line items URI: the container of the context's line items. */
  readonly lineItemsUri?: string | undefined;
  /** Scopes that the platform offers to this tool for its grades. */
  readonly scopes: readonly string[];
  /** True where `postScore` can be called with this endpoint. */
  readonly canPostScore: boolean;
}

/**
 * MembershipEndpoint is where the roster of one launch's context is read. It is plain data: store it as JSON, replace
 * it at each launch, hand it to `listMembers` weeks later.
 */
export interface MembershipEndpoint {
  /** Registration name. */
  readonly registration: string;
  /** Deployment id. */
  readonly deploymentId: string;
  /** Context memberships URI. */
  readonly contextMembershipsUri: string;
  /** Service versions that the platform offers, such as `2.0`. */
  readonly serviceVersions: readonly string[];
}

/**
 * GroupEndpoint is where the groups of one launch's context are read. It is plain data: store it as JSON, replace it at
 * each launch, hand it to `listGroups` weeks later.
 */
export interface GroupEndpoint {
  /** Registration name. */
  readonly registration: string;
  /** Deployment id. */
  readonly deploymentId: string;
  /** Context groups URI. */
  readonly contextGroupsUri: string;
  /** Context group sets URI; absent where the platform offers none. */
  readonly contextGroupSetsUri?: string | undefined;
  /** Service versions that the platform offers, such as `1.0`. */
  readonly serviceVersions: readonly string[];
  /** Scopes that the platform offers to this tool for its groups. */
  readonly scopes: readonly string[];
}

/**
 * EventEndpoint is where Caliper events of one launch are sent. It is plain data: store it as JSON, replace it at each
 * launch, hand it to `sendEvents` weeks later.
 */
export interface EventEndpoint {
  /** Registration name. */
  readonly registration: string;
  /** Deployment id. */
  readonly deploymentId: string;
  /** Caliper endpoint URI. */
  readonly caliperEndpointUri: string;
  /** Federated session id, to put into each event as it is. */
  readonly federatedSessionId?: string | undefined;
  /** Scopes that the platform offers to this tool for its events. */
  readonly scopes: readonly string[];
}

const scoreScope = "https://purl.imsglobal.org/spec/lti-ags/scope/score";

/**
 * withLineItem answers the endpoint of another line item of the same context, such as one that `ensureLineItem` found:
 * `postScore` sends there.
 */
export function withLineItem(endpoint: GradeEndpoint, lineItemUri: string): GradeEndpoint {
  return { ...endpoint, lineItemUri, canPostScore: endpoint.scopes.includes(scoreScope) };
}

export function toGradeEndpoint(m: GradeEndpointMessage): GradeEndpoint {
  return present<GradeEndpoint>({
    registration: m.registration,
    deploymentId: m.deploymentId,
    lineItemUri: text(m.lineItemUri),
    lineItemsUri: text(m.lineItemsUri),
    scopes: m.scopes,
    canPostScore: m.canPostScore,
  });
}

export function fromGradeEndpoint(endpoint: GradeEndpoint): GradeEndpointMessage {
  return {
    registration: endpoint.registration,
    deploymentId: endpoint.deploymentId,
    lineItemUri: endpoint.lineItemUri ?? "",
    lineItemsUri: endpoint.lineItemsUri ?? "",
    scopes: [...endpoint.scopes],
    canPostScore: endpoint.canPostScore,
  };
}

export function toMembershipEndpoint(m: MembershipEndpointMessage): MembershipEndpoint {
  return {
    registration: m.registration,
    deploymentId: m.deploymentId,
    contextMembershipsUri: m.contextMembershipsUri,
    serviceVersions: m.serviceVersions,
  };
}

export function fromMembershipEndpoint(endpoint: MembershipEndpoint): MembershipEndpointMessage {
  return {
    registration: endpoint.registration,
    deploymentId: endpoint.deploymentId,
    contextMembershipsUri: endpoint.contextMembershipsUri,
    serviceVersions: [...endpoint.serviceVersions],
  };
}

export function toGroupEndpoint(m: GroupEndpointMessage): GroupEndpoint {
  return withTexts<GroupEndpoint>({ ...m });
}

export function fromGroupEndpoint(endpoint: GroupEndpoint): GroupEndpointMessage {
  return {
    registration: endpoint.registration,
    deploymentId: endpoint.deploymentId,
    contextGroupsUri: endpoint.contextGroupsUri,
    contextGroupSetsUri: endpoint.contextGroupSetsUri ?? "",
    serviceVersions: [...endpoint.serviceVersions],
    scopes: [...endpoint.scopes],
  };
}

export function toEventEndpoint(m: EventEndpointMessage): EventEndpoint {
  return withTexts<EventEndpoint>({ ...m });
}

export function fromEventEndpoint(endpoint: EventEndpoint): EventEndpointMessage {
  return {
    registration: endpoint.registration,
    deploymentId: endpoint.deploymentId,
    caliperEndpointUri: endpoint.caliperEndpointUri,
    federatedSessionId: endpoint.federatedSessionId ?? "",
    scopes: [...endpoint.scopes],
  };
}
