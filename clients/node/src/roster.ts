// SPDX-License-Identifier: Apache-2.0
import {
  MemberStatus as MemberStatusNumber,
  type ListGroupsResponse,
  type ListMembersResponse,
  type Member as MemberMessage,
  type MemberBatch,
  type RosterContext as RosterContextMessage,
  type RosterEnd,
} from "./gen/ltisidecar/v1/roster_service.js";
import { nameOf, present, text, withTexts } from "./presence.js";
import { Once, wholeList } from "./stream.js";
import type { CallOptions } from "./transport.js";

/** MemberStatus is a member's standing in the context; DELETED only in differences. */
export type MemberStatus = "ACTIVE" | "INACTIVE" | "DELETED";

/** Member is one person of a roster. Properties are absent as the platform's privacy settings say. */
export interface Member {
  /** User key, the same as `User.key` of this person's launches. */
  readonly userKey: string;
  /** User id (sub). */
  readonly userId: string;
  /** Status; `UNKNOWN` where this version of the client has no name for it. */
  readonly status: MemberStatus | "UNKNOWN";
  /** Roles as URIs; short names expanded to context roles, unknown ones kept. */
  readonly roles: readonly string[];
  readonly name?: string | undefined;
  readonly givenName?: string | undefined;
  readonly familyName?: string | undefined;
  readonly middleName?: string | undefined;
  /** E-mail address. It is no identity. */
  readonly email?: string | undefined;
  /** Picture URL. */
  readonly picture?: string | undefined;
  readonly personSourcedid?: string | undefined;
  /** LTI 1.1 user id. */
  readonly lti11LegacyUserId?: string | undefined;
  /** Message section, verbatim JSON text, where a resource link was asked for and the platform sent one. */
  readonly messageJson?: string | undefined;
  /** Ids of the member's groups, where groups were asked for and the platform sent them. */
  readonly groupIds: readonly string[];
}

/** RosterContext is the course or group of a roster. */
export interface RosterContext {
  readonly id: string;
  readonly label?: string | undefined;
  readonly title?: string | undefined;
}

/** ListMembersOptions say how much of a roster to read. */
export interface ListMembersOptions extends CallOptions {
  /** Role to keep: a context role as URI or short name, such as `Learner`; its sub-roles count. Unset: everybody. */
  readonly role?: string | undefined;
  /** Only users who can open this resource link, with its message section. Unset: the whole context. */
  readonly resourceLinkId?: string | undefined;
  /** Page size to ask the platform for, 1 to 1000. A hint. */
  readonly pageSizeHint?: number | undefined;
  /** `differencesUri` of an earlier roster: only what has changed since. Unset: the whole roster. */
  readonly differencesUri?: string | undefined;
  /** Ask for each member's groups too. Platforms without course groups ignore it. */
  readonly groups?: boolean | undefined;
}

/**
 * Roster is read once, with `for await`, as it arrives. The loop throws where the roster is not complete: only after
 * a loop that ended by itself are all members seen, and `memberCount` and `differencesUri` known.
 */
export class Roster implements AsyncIterable<Member> {
  readonly #open: () => AsyncIterable<ListMembersResponse>;
  readonly #once = new Once();
  #context: RosterContext | undefined;
  #end: RosterEnd | undefined;

  /** @internal */
  constructor(open: () => AsyncIterable<ListMembersResponse>) {
    this.#open = open;
  }

  /** Context of the roster; undefined before the first member is read. */
  get context(): RosterContext | undefined {
    return this.#context;
  }

  /** How many members the roster has, after the role filter; undefined before the loop ended by itself. */
  get memberCount(): number | undefined {
    return this.#end?.memberCount;
  }

  /** URI to ask for later differences with; undefined before the loop ended, and where the platform offers none. */
  get differencesUri(): string | undefined {
    return this.#end && text(this.#end.differencesUri);
  }

  /** toArray reads the whole roster into memory. */
  async toArray(): Promise<Member[]> {
    const members: Member[] = [];
    for await (const member of this) members.push(member);
    return members;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Member, void, undefined> {
    this.#once.begin("a roster");
    const itemsOf = (batch: MemberBatch): Member[] => {
      if (batch.context) this.#context = toRosterContext(batch.context);
      return batch.members.map(toMember);
    };
    this.#end = yield* wholeList<MemberBatch, RosterEnd, Member>(this.#open(), "roster", itemsOf, (end) => end.memberCount);
  }
}

function toRosterContext(m: RosterContextMessage): RosterContext {
  return present<RosterContext>({ id: m.id, label: text(m.label), title: text(m.title) });
}

function toMember(m: MemberMessage): Member {
  return present<Member>({
    userKey: m.userKey,
    userId: m.userId,
    status: nameOf(MemberStatusNumber, m.status, "UNKNOWN"),
    roles: m.roles,
    name: text(m.name),
    givenName: text(m.givenName),
    familyName: text(m.familyName),
    middleName: text(m.middleName),
    email: text(m.email),
    picture: text(m.picture),
    personSourcedid: text(m.personSourcedid),
    lti11LegacyUserId: text(m.lti11LegacyUserId),
    messageJson: text(m.messageJson),
    groupIds: m.groupIds,
  });
}

/** Group is some members of a course. */
export interface Group {
  /** Id, unique within the context; `Member.groupIds` has it. */
  readonly id: string;
  readonly name?: string | undefined;
  readonly tag?: string | undefined;
  /** Ids of the group sets that the group belongs to. */
  readonly setIds: readonly string[];
  /** Hidden from students. */
  readonly hidden: boolean;
}

/** GroupSet is a set of groups, such as those of one project. */
export interface GroupSet {
  readonly id: string;
  readonly name?: string | undefined;
  readonly tag?: string | undefined;
  /** Hidden from students. */
  readonly hidden: boolean;
}

/** CourseGroups are the groups of a course and their sets, in the platform's order. */
export interface CourseGroups {
  readonly groups: readonly Group[];
  /** Empty where the platform has none. */
  readonly sets: readonly GroupSet[];
}

/** ListGroupsOptions say which groups. */
export interface ListGroupsOptions extends CallOptions {
  /** Only the groups of this user. Unset: all. */
  readonly userId?: string | undefined;
  /** Page size to ask the platform for, 1 to 1000. A hint. */
  readonly pageSizeHint?: number | undefined;
}

export function toCourseGroups(m: ListGroupsResponse): CourseGroups {
  return {
    groups: m.groups.map((group) => withTexts<Group>({ ...group })),
    sets: m.sets.map((set) => withTexts<GroupSet>({ ...set })),
  };
}
