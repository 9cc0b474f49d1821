// SPDX-License-Identifier: Apache-2.0
import type {
  GradeEndpoint as GradeEndpointMessage,
  MembershipEndpoint as MembershipEndpointMessage,
} from "./gen/ltisidecar/v1/endpoint.js";
import { present, text } from "./presence.js";

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
