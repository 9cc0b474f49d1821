// SPDX-License-Identifier: Apache-2.0
// Launches both example tools from the simulator's course pages in a real Chromium, under the cookie settings that decide
// whether a launch in a frame works. Run by `make browser`. SHOTS=directory keeps a picture of each page.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect } from "node:tls";
import { chromium } from "playwright-core";

const WAIT = 15_000; // milliseconds for anything that a page does

// demo starts everything and returns its addresses.
async function demo() {
  const child = spawn("bin/demo", { env: { ...process.env, KEEP: "1" }, stdio: ["ignore", "pipe", "inherit"] });
  const addresses = { tools: {} };
  for await (const line of createInterface({ input: child.stdout })) {
    const course = /^ +(https:\/\/\S+)\/canvas\/course$/.exec(line);
    if (course) addresses.base = course[1];
    const tool = /^ +(https:\/\/\S+) \((\w+)\)$/.exec(line);
    if (tool) addresses.tools[tool[2]] = tool[1];
    if (line.startsWith("Ctrl-C")) return { child, ...addresses };
  }
  throw new Error("the demo ended while it started");
}

// pin returns the hash of a server's public key: Chromium then takes its certificate, and pages are secure contexts.
async function pin(origin) {
  const { hostname, port } = new URL(origin);
  const socket = connect({ host: "127.0.0.1", port, servername: hostname === "localhost" ? hostname : undefined, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const key = new X509Certificate(socket.getPeerCertificate(true).raw).publicKey;
  socket.destroy();
  return createHash("sha256").update(key.export({ type: "spki", format: "der" })).digest("base64");
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// withBrowser runs a check in a fresh Chromium, started by hand: automation libraries switch off the very partitioning
// of third-party storage that is looked at here.
async function withBrowser({ cookieControls, blocked }, pins, check) {
  const profile = mkdtempSync(join(tmpdir(), "ltisidecar-chromium-"));
  mkdirSync(join(profile, "Default"));
  const exceptions = { cookies: Object.fromEntries(blocked.map((origin) => [`${origin},*`, { setting: 2 }])) };
  writeFileSync(join(profile, "Default", "Preferences"),
    JSON.stringify({ profile: { cookie_controls_mode: cookieControls, content_settings: { exceptions } } }));
  const port = await freePort();
  const child = spawn(process.env.CHROMIUM ?? "chromium", [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    // Frames of other sites in the page's own process: the debugging protocol then sees them from the start. What a site
    // may read and which cookies it gets does not depend on it.
    "--disable-features=IsolateOrigins,site-per-process", "--disable-site-isolation-trials", `--user-data-dir=${profile}`, `--remote-debugging-port=${port}`,
    `--ignore-certificate-errors-spki-list=${pins.join(",")}`, "about:blank",
  ], { stdio: ["ignore", "ignore", "pipe"] });
  try {
    for await (const line of createInterface({ input: child.stderr })) {
      if (line.includes("DevTools listening")) break;
    }
    child.stderr.resume();
    const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
    await check(browser.contexts()[0]);
    await (await browser.newBrowserCDPSession()).send("Browser.close"); // its own processes too, before the profile goes
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  } finally {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  }
}

// launch clicks through the course page and returns the frame or window in which the tool is.
async function launch(context, base, { platform, tool, view = "iframe" }) {
  const page = context.pages()[0];
  await page.goto(`${base}/${platform}/course`);
  await page.selectOption("select[name=user]", "student");
  await page.selectOption("select[name=tool]", tool);
  await page.selectOption("select[name=view]", view);
  if (view === "window") {
    const popup = context.waitForEvent("page");
    await page.click("form#launch button");
    return { page: await popup, frame: (await popup).mainFrame() };
  }
  await page.click("form#launch button");
  return { page, frame: page.frames().find((frame) => frame.name() === "tool_content") };
}

const heading = (frame, text) => frame.locator("h1", { hasText: text }).waitFor({ timeout: WAIT });

async function works({ frame }, path) {
  await heading(frame, "Hello");
  assert.equal(new URL(frame.url()).pathname, path);
  await frame.click("button:has-text('8 of 10')");
  await frame.locator("#note", { hasText: "delivered" }).waitFor({ timeout: WAIT });
}

async function explains({ frame }) {
  await heading(frame, "The activity could not be opened");
  assert.match(await frame.locator("body").innerText(), /Allow cookies for this site/);
}

const { child, base, tools } = await demo();
let done = 0;
try {
  const pins = await Promise.all([base, ...Object.values(tools)].map(pin));
  const all = Object.values(tools);
  const allowed = { cookieControls: 2, blocked: [] };
  const thirdPartyBlocked = { cookieControls: 1, blocked: [] };
  const toolBlocked = { cookieControls: 2, blocked: all };
  const checks = [
    ["cookies allowed, frame", allowed, { platform: "moodle" }, (place) => works(place, "/home")],
    ["third-party cookies blocked, frame", thirdPartyBlocked, { platform: "moodle" }, (place) => works(place, "/home")],
    ["third-party cookies blocked, frame, storage offered", thirdPartyBlocked, { platform: "canvas" }, (place) => works(place, "/home")],
    ["third-party cookies blocked, window", thirdPartyBlocked, { platform: "canvas", view: "window" }, (place) => works(place, "/home")],
    ["all cookies of the tool blocked, frame, storage offered", toolBlocked, { platform: "canvas" }, (place) => works(place, "/lti/launch")],
    ["all cookies of the tool blocked, window, storage offered", toolBlocked, { platform: "canvas", view: "window" }, (place) => works(place, "/lti/launch")],
    ["all cookies of the tool blocked, frame, no storage", toolBlocked, { platform: "moodle" }, explains],
  ];
  for (const tool of Object.keys(tools)) {
    for (const [name, settings, where, expect] of checks) {
      await withBrowser(settings, pins, async (context) => {
        const place = await launch(context, base, { ...where, tool });
        try {
          await expect(place);
        } catch (error) {
          console.log(`browser: ${tool} ${where.platform} ${name}: FAILED at ${place.frame.url()}: ${await place.frame.locator("body").innerText()}`);
          throw error;
        } finally {
          if (process.env.SHOTS) await place.page.screenshot({ path: join(process.env.SHOTS, `${tool}-${name.replaceAll(/\W+/g, "-")}.png`) });
        }
      });
      done++;
      console.log(`browser: ${tool} ${where.platform} ${name}: ok`);
    }
  }
} finally {
  child.kill();
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
console.log(`${done} passed, 0 failed`);
