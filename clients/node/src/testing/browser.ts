// SPDX-License-Identifier: Apache-2.0
// A browser of a page: cookies with their partitions, redirects, forms, and the platform's postMessage storage.
import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";

export type Pair = readonly [name: string, value: string];
export type CookieKind = "plain" | "partitioned";
/** Sec-Fetch-Site. */
export type Site = "none" | "same-origin" | "cross-site";

export interface Sent {
  readonly method: string;
  readonly url: string;
  /** Form body of a POST. */
  readonly fields: readonly Pair[];
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Form {
  readonly method: string;
  readonly action: string;
  /** The page posts it by itself. */
  readonly automatic: boolean;
  readonly fields: Pair[];
  /** Text of each button, with the address that it posts to. */
  readonly buttons: Record<string, string>;
}

export class Page {
  readonly sent: Sent;
  readonly status: number;
  readonly headers: readonly Pair[];
  readonly text: string;

  constructor(sent: Sent, status: number, headers: readonly Pair[], text: string) {
    this.sent = sent;
    this.status = status;
    this.headers = headers;
    this.text = text;
  }

  header(name: string): string {
    return this.headers.find(([key]) => key.toLowerCase() === name)?.[1] ?? "";
  }

  get path(): string {
    return new URL(this.sent.url).pathname;
  }

  get forms(): Form[] {
    const posts = this.text.includes("document.forms[0].submit()");
    return [...this.text.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)].map(([, tag = "", inside = ""], index) => {
      const action = attribute(tag, "action");
      const fields: Pair[] = [];
      // A select that nobody touched sends its first option.
      const field = /<input\b([^>]*)>|<select\b([^>]*)>\s*<option\b([^>]*)>([^<]*)/g;
      for (const [, input, select = "", option = "", text = ""] of inside.matchAll(field)) {
        if (input !== undefined) fields.push([attribute(input, "name"), attribute(input, "value")]);
        else fields.push([attribute(select, "name"), attribute(option, "value") || unescape(text)]);
      }
      const buttons: Record<string, string> = {};
      for (const [, button = "", text = ""] of inside.matchAll(/<button\b([^>]*)>([^<]*)/g)) {
        buttons[text] = attribute(button, "formaction") || action;
      }
      const method = attribute(tag, "method").toUpperCase() || "GET";
      return { method, action, automatic: tag.includes("data-auto-submit") || (posts && index === 0), fields, buttons };
    });
  }

  get links(): { href: string; target: string }[] {
    return [...this.text.matchAll(/<a\b([^>]*)>/g)].map(([, tag = ""]) => ({
      href: attribute(tag, "href"),
      target: attribute(tag, "target"),
    }));
  }

  /** Texts of the list items. */
  get items(): string[] {
    return [...this.text.matchAll(/<li>([^<]*)<\/li>/g)].map(([, text = ""]) => unescape(text));
  }

  /** What the sidecar's storage script would read. */
  get storageData(): StorageData | undefined {
    const [, json] = /<script type="application\/json" id="ltisidecar">([^<]*)/.exec(this.text) ?? [];
    return json === undefined ? undefined : (JSON.parse(json) as StorageData);
  }
}

interface StorageData {
  readonly origin: string;
  readonly key: string;
  readonly value?: string;
  readonly next?: string;
  readonly proof_name?: string;
  readonly parameters?: readonly { readonly Name: string; readonly Value: string }[];
}

function attribute(tag: string, name: string): string {
  return unescape(new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(tag)?.[1] ?? "");
}

function unescape(text: string): string {
  const named: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"' };
  return text.replace(/&(?:#(\d+)|(\w+));/g, (whole, number?: string, name?: string) =>
    number ? String.fromCodePoint(Number(number)) : (named[name ?? ""] ?? whole),
  );
}

const origin = (url: string): string => new URL(url).origin;

export interface BrowserOptions {
  /** Which of the tool's cookies come back. Unset: both. */
  readonly cookies?: readonly CookieKind[];
  /** The tool is in a window of its own, not in a frame of the platform's page. */
  readonly window?: boolean;
  /** False: the platform offers its storage and does not answer. */
  readonly storageAnswers?: boolean;
  /** Answers, in the place of a server, whatever goes elsewhere than to the platform. Unset: it is asked over HTTPS. */
  readonly tool?: (sent: Sent) => Promise<Page>;
}

interface Cookie {
  readonly host: string;
  readonly path: string;
  readonly name: string;
  readonly kind: CookieKind;
  readonly value: string;
}

/**
 * Browser is one person at one machine, who looks at one platform. Which of the tool's cookies come back is what browsers
 * differ in. Cookies of the platform itself always come back: its pages are on top.
 */
export class Browser {
  jar: Cookie[] = [];
  readonly #platformUrl: string;
  readonly #platform: string;
  readonly #ca: Buffer;
  readonly #options: BrowserOptions;
  /** Values by the tool's origin and the key. */
  readonly #storage = new Map<string, string>();

  constructor(platformUrl: string, ca: Buffer, options: BrowserOptions = {}) {
    this.#platformUrl = platformUrl;
    this.#platform = origin(platformUrl);
    this.#ca = ca;
    this.#options = options;
  }

  /** open opens an address and goes where it leads, up to the page where a person would read. */
  open(url: string): Promise<Page> {
    return this.run(get(url), "none");
  }

  /** press presses a button of the page's first form, after choosing in it. */
  press(page: Page, text: string, choices: Record<string, string> = {}): Promise<Page> {
    const sent = this.pressed(page, text, choices);
    return this.run(sent, this.#site(page, sent));
  }

  /** pressed is what pressing a button would send. */
  pressed(page: Page, text: string, choices: Record<string, string> = {}): Sent {
    const [form] = page.forms;
    const action = form?.buttons[text];
    assert.ok(form && action !== undefined, `no button ${text}: ${page.status} ${page.text}`);
    return submission(
      page,
      form.method,
      action,
      form.fields.map(([name, value]) => [name, choices[name] ?? value]),
    );
  }

  async run(sent: Sent, site: Site): Promise<Page> {
    for (let step = 0; step < 20; step++) {
      const page = await this.send(sent, site);
      const following = this.next(page);
      if (!following) return page;
      site = this.#site(page, following);
      sent = following;
    }
    return assert.fail(`${sent.url}: goes in circles`);
  }

  /** runTo goes on like run, but stops before it sends something to this path, which it returns. */
  async runTo(sent: Sent, path: string): Promise<Sent> {
    let site: Site = "none";
    while (new URL(sent.url).pathname !== path) {
      const page = await this.send(sent, site);
      const following = this.next(page);
      assert.ok(following, `${sent.url} answered ${page.status}: ${page.text}`);
      site = this.#site(page, following);
      sent = following;
    }
    return this.#complete(sent, site);
  }

  /** launch clicks on the tool in the course, and goes where that leads. `message` may be `LtiDeepLinkingRequest`. */
  launch(user = "student", message = ""): Promise<Page> {
    return this.run(this.click(user, false, message), "none");
  }

  /** click is the click on the tool's link in the course. With `storage` the platform offers its own. */
  click(user = "student", storage = false, message = ""): Sent {
    const query = new URLSearchParams({ tool: "quiz", user, view: this.#options.window ? "window" : "iframe" });
    if (message) query.set("message", message);
    if (!storage) query.set("storage", "off");
    return get(`${this.#platformUrl}/course/launch?${query.toString()}`);
  }

  /** reload sends what led to this page once more. */
  reload(page: Page): Promise<Page> {
    return this.run(page.sent, "same-origin");
  }

  /** send sends one request. Of an answer, cookies are kept; nothing is followed. */
  async send(sent: Sent, site: Site): Promise<Page> {
    const complete = this.#complete(sent, site);
    const { tool } = this.#options;
    const page = tool && !this.#firstParty(sent.url) ? await tool(complete) : await this.#exchange(complete);
    for (const [name, value] of page.headers) if (name.toLowerCase() === "set-cookie") this.#keep(sent.url, value);
    return page;
  }

  /** next is what the browser sends by itself after this page. */
  next(page: Page): Sent | undefined {
    if ([301, 302, 303].includes(page.status)) return get(new URL(page.header("location"), page.sent.url).href);
    const form = page.forms.find(({ automatic }) => automatic);
    if (form) return submission(page, form.method, form.action, form.fields);
    return page.storageData && this.#runStorageScript(page, page.storageData);
  }

  /** cookieHeader is what goes to an address: plain cookies first. */
  cookieHeader(url: string): string {
    const { hostname, pathname } = new URL(url);
    const kinds = this.#firstParty(url) ? undefined : this.#options.cookies;
    return this.jar
      .filter(
        ({ host, path, kind }) => host === hostname && pathname.startsWith(path) && (kinds?.includes(kind) ?? true),
      )
      .sort((a, b) => Number(a.kind === "partitioned") - Number(b.kind === "partitioned"))
      .map(({ name, value }) => `${name}=${value}`)
      .join("; ");
  }

  #firstParty(url: string): boolean {
    return origin(url) === this.#platform;
  }

  #keep(url: string, text: string): void {
    const [pair = "", ...rest] = text.split(";").map((part) => part.trim());
    const attributes = new Map(
      rest.map((part) => [part.split("=")[0]!.toLowerCase(), part.slice(part.indexOf("=") + 1)] as const),
    );
    const name = pair.slice(0, pair.indexOf("="));
    const path = attributes.get("path") ?? "/";
    if (name.startsWith("__Host-")) {
      assert.ok(attributes.has("secure") && path === "/" && !attributes.has("domain"), text);
    }
    // In a frame, any other would be neither kept nor sent.
    if (!this.#firstParty(url) && (attributes.get("samesite") !== "None" || !attributes.has("secure"))) return;
    const kind = attributes.has("partitioned") ? "partitioned" : "plain";
    const host = new URL(url).hostname;
    const same = (c: Cookie) => c.host === host && c.path === path && c.name === name && c.kind === kind;
    this.jar = this.jar.filter((cookie) => !same(cookie));
    if (attributes.get("max-age") === "0" || attributes.get("expires")?.includes("1970")) return;
    this.jar.push({ host, path, name, kind, value: pair.slice(pair.indexOf("=") + 1) });
  }

  /** Does what the page's script does: puts a value and goes on, or gets one and posts it with the form. */
  #runStorageScript(page: Page, data: StorageData): Sent {
    assert.equal(data.origin, this.#platform);
    const key = `${origin(page.sent.url)} ${data.key}`;
    if (data.value) {
      if (this.#options.storageAnswers ?? true) this.#storage.set(key, data.value);
      return get(data.next!);
    }
    const fields = data.parameters!.map(({ Name, Value }): Pair => [Name, Value]);
    fields.push([data.proof_name!, this.#storage.get(key) ?? ""]);
    return { method: "POST", url: page.sent.url, fields, headers: {} };
  }

  #site(page: Page, { url }: Sent): Site {
    return origin(page.sent.url) === origin(url) ? "same-origin" : "cross-site";
  }

  /** Adds the headers that a browser adds. */
  #complete({ method, url, fields }: Sent, site: Site): Sent {
    const headers: Record<string, string> = {
      "sec-fetch-site": site,
      "sec-fetch-mode": "navigate",
      "sec-fetch-dest": this.#options.window ? "document" : "iframe",
    };
    if (method === "POST") headers.origin = site === "same-origin" ? origin(url) : this.#platform;
    const cookies = this.cookieHeader(url);
    if (cookies) headers.cookie = cookies;
    return { method, url, fields, headers };
  }

  async #exchange(sent: Sent): Promise<Page> {
    const { hostname: host, port, pathname, search } = new URL(sent.url);
    const headers: Record<string, string> = { ...sent.headers };
    const body = sent.method === "POST" ? encode(sent.fields) : "";
    if (sent.method === "POST") headers["content-type"] = "application/x-www-form-urlencoded";
    const outgoing = httpsRequest({
      ...{ host, port, path: pathname + search, method: sent.method, headers, ca: this.#ca },
      ...{ family: 4, agent: false, timeout: 30_000 },
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`${sent.url}: no answer`)));
    outgoing.end(body);
    const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of answer.setEncoding("utf8")) text += String(chunk);
    const lines: Pair[] = [];
    for (let i = 0; i < answer.rawHeaders.length; i += 2)
      lines.push([answer.rawHeaders[i]!, answer.rawHeaders[i + 1]!]);
    return new Page(sent, answer.statusCode!, lines, text);
  }
}

export function get(url: string): Sent {
  return { method: "GET", url, fields: [], headers: {} };
}

export function post(url: string, fields: readonly Pair[] = []): Sent {
  return { method: "POST", url, fields, headers: {} };
}

function submission(page: Page, method: string, action: string, fields: readonly Pair[]): Sent {
  const url = new URL(action, page.sent.url);
  if (method === "POST") return post(url.href, fields);
  url.search = encode(fields);
  return get(url.href);
}

function encode(fields: readonly Pair[]): string {
  return new URLSearchParams(fields.map(([name, value]): [string, string] => [name, value])).toString();
}
