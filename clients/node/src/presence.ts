// SPDX-License-Identifier: Apache-2.0

/** text reads a proto3 text that is empty where nothing came. */
export function text(value: string): string | undefined {
  return value === "" ? undefined : value;
}

/** present leaves out the properties that are undefined, so that printed and compared values show what came. */
export function present<T extends object>(value: { readonly [K in keyof T]: T[K] }): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T;
}

/** withTexts leaves out the empty texts of a message, which stand for what the platform did not send. */
export function withTexts<T extends object>(value: { [K in keyof T]: T[K] }): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== "" && v !== undefined)) as T;
}

type Named<E> = Exclude<keyof E, "UNSPECIFIED" | "UNRECOGNIZED">;

/** nameOf answers the name of an enum's number, and `fallback` for a number that this version does not know. */
export function nameOf<E extends Record<string, number>, F>(values: E, number: number, fallback: F): Named<E> | F {
  for (const [name, value] of Object.entries(values)) {
    if (value === number && name !== "UNSPECIFIED" && name !== "UNRECOGNIZED") return name as Named<E>;
  }
  return fallback;
}

/** numberOf answers the number of an enum's name; 0 for undefined. Throws a TypeError for a name that is not there. */
export function numberOf<E extends Record<string, number>>(
  values: E,
  name: Named<E> | undefined,
  property: string,
): E[keyof E] {
  if (name === undefined) return 0 as E[keyof E];
  const number = Object.hasOwn(values, name) ? values[name] : undefined;
  if (number === undefined || number <= 0) {
    throw new TypeError(`${property}: ${String(name)} is not one of ${names(values).join(", ")}`);
  }
  return number;
}

function names(values: Record<string, number>): string[] {
  return Object.keys(values).filter((name) => values[name]! > 0);
}
