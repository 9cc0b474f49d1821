// SPDX-License-Identifier: Apache-2.0
import { Incomplete } from "./error.js";

/** Part is one message of a list that streams in batches, and ends with a count. */
export interface Part<Batch, End> {
  readonly part?: { readonly $case: "batch"; readonly value: Batch } | { readonly $case: "end"; readonly value: End } | undefined;
}

/**
 * wholeList yields the items of a list as they arrive, and returns its end. It throws Incomplete where the list is not
 * whole: without its end, with another count than its end says, or with more after it.
 */
export async function* wholeList<Batch, End, Item>(
  messages: AsyncIterable<Part<Batch, End>>,
  what: string,
  itemsOf: (batch: Batch) => readonly Item[],
  countOf: (end: End) => number,
): AsyncGenerator<Item, End, undefined> {
  const broken = (how: string) => new Incomplete(`the ${what} ${how}`, "DATA_LOSS");
  let end: End | undefined;
  let count = 0;
  for await (const { part } of messages) {
    if (end || !part) throw broken(end ? "goes on after its end" : "has a message of no known kind");
    if (part.$case === "end") {
      end = part.value;
      continue;
    }
    const items = itemsOf(part.value);
    count += items.length;
    yield* items;
  }
  if (!end) throw broken("ended without its last message, so it is not complete");
  if (countOf(end) !== count) throw broken(`has ${count} entries and says it has ${countOf(end)}`);
  return end;
}

/** Once is for what can be read once. */
export class Once {
  #begun = false;

  begin(what: string): void {
    if (this.#begun) throw new Error(`${what} is read once: call again`);
    this.#begun = true;
  }
}
