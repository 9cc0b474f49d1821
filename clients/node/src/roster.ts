// SPDX-License-Identifier: Apache-2.0
import {
  MemberStatus as MemberStatusNumber,
  type ListMembersResponse,
  type Member as MemberMessage,
  type RosterContext as RosterContextMessage,
  type RosterEnd,
} from "./gen/ltisidecar/v1/roster_service.js";
import type { CallOptions } from "./channel.js";
import { RosterIncomplete } from "./error.js";
import { nameOf, present, text } from "./presence.js";

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
}

/**
 * Roster is read once, with `for await`, as it arrives. The loop throws where the roster is not complete: only after
 * a loop that ended by itself are all members seen, and `memberCount` and `differencesUri` known.
 */
export class Roster implements AsyncIterable<Member> {
  readonly #open: () => AsyncGenerator<ListMembersResponse, void, undefined>;
  #started = false;
  #context: RosterContext | undefined;
  #end: RosterEnd | undefined;

  /** @internal */
  constructor(open: () => AsyncGenerator<ListMembersResponse, void, undefined>) {
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
    if (this.#started) throw new Error("a roster is read once: call listMembers again");
    this.#started = true;
    let end: RosterEnd | undefined;
    let count = 0;
    for await (const { part } of this.#open()) {
      if (end || !part) throw broken(end ? "goes on after its end" : "has a message of no known kind");
      if (part.$case === "end") {
        end = part.value;
        continue;
      }
      if (part.value.context) this.#context = toRosterContext(part.value.context);
      count += part.value.members.length;
      for (const member of part.value.members) yield toMember(member);
    }
    if (!end) throw broken("ended without its last message, so it is not complete");
    if (end.memberCount !== count) throw broken(`has ${count} members and says it has ${end.memberCount}`);
    this.#end = end;
  }
}

function broken(what: string): RosterIncomplete {
  return new RosterIncomplete(`the roster ${what}`, "DATA_LOSS");
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
  });
}
