// SPDX-License-Identifier: Apache-2.0

/** Members are those of a JSON object. */
export type Members = Readonly<Record<string, unknown>>;

/** toMembers reads the JSON text of an object; absent where it is empty. */
export function toMembers(text: string): Members | undefined {
  return text === "" ? undefined : (JSON.parse(text) as Members);
}

/** fromMembers writes JSON text, empty for none. */
export function fromMembers(members: Members | undefined): string {
  return members === undefined || Object.keys(members).length === 0 ? "" : JSON.stringify(members);
}
