// SPDX-License-Identifier: Apache-2.0
// The example tool as its reader starts it, launched from the simulated platforms by a scripted browser.
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect } from "node:tls";
import { fileURLToPath } from "node:url";
import {
  Browser,
  Cleanup,
  platforms,
  post,
  start,
  startSidecar,
  startSimulator,
  temporaryDirectory,
} from "ltisidecar/testing";
import type { BrowserOptions, Page, Program, Sent, Simulator } from "ltisidecar/testing";
import { needsBinaries } from "../../clients/node/test/needs_binaries.ts";

const example = fileURLToPath(new URL(".", import.meta.url));
const cookieName = "__Host-lti-launch";

let simulator: Simulator;
let toolUrl: string;

/** startTool runs the example on a free port, beside the sidecar of a directory. */
async function startTool(cleanup: Cleanup, directory: string): Promise<{ program: Program; port: number }> {
  const env = {
    ...process.env,
    LTISIDECAR_ADDRESS: `unix://${join(directory, "sidecar.sock")}`,
    TOOL_CERT: join(simulator.directory, "tool.pem"),
    TOOL_KEY: join(simulator.directory, "tool-key.pem"),
    TOOL_PORT: "0",
  };
  const program = start(cleanup, [process.execPath, "server.mjs"], "SIGTERM", { cwd: example, env });
  const [, port] = await program.said(/listening on port (\d+)/);
  return { program, port: Number(port) };
}

/** Visitor is somebody before a browser of their own, in the course of one platform. */
class Visitor {
  readonly browser: Browser;
  readonly url: string;
  readonly key: string;
  readonly id: string;
  readonly name: string;

  static async of(profile: string, key: string, options: BrowserOptions = {}): Promise<Visitor> {
    const known = await simulator.person(profile, key);
    return new Visitor(profile, key, known.id, `${known.given_name} ${known.family_name}`, options);
  }

  private constructor(profile: string, key: string, id: string, name: string, options: BrowserOptions) {
    this.url = simulator.platformUrl(profile);
    this.key = key;
    this.id = id;
    this.name = name;
    this.browser = new Browser(this.url, simulator.ca, options);
  }

  /** launch opens the course, says who is there, and presses the button. */
  async launch(): Promise<Page> {
    return this.browser.press(await this.browser.open(`${this.url}/course`), "Launch", { user: this.key });
  }

  /** launchForm does the same up to what the platform wants posted to the tool's launch route. */
  async launchForm(): Promise<Sent> {
    const course = await this.browser.open(`${this.url}/course`);
    return this.browser.runTo(this.browser.pressed(course, "Launch", { user: this.key }), "/lti/launch");
  }
}

describe("the example, launched from real platforms", needsBinaries, () => {
  const cleanup = new Cleanup();

  before(async () => {
    simulator = await startSimulator(cleanup);
    const directory = temporaryDirectory(cleanup);
    toolUrl = `https://localhost:${(await startTool(cleanup, directory)).port}`;
    const registrations = await simulator.install(toolUrl, { jwks_uri: `${toolUrl}/lti/jwks` });
    await startSidecar(cleanup, directory, registrations, join(simulator.directory, "ca.pem"));
  });
  after(() => cleanup.run());

  for (const profile of platforms) {
    describe(profile, () => {
      for (const [key, role, buttons] of [
        ["student", "a learner", ["8 of 10", "My scores"]],
        ["teacher", "a teacher", ["8 of 10", "My scores", "Roster", "Service token"]],
      ] as const) {
        test(`it greets a ${key} by name and role`, async () => {
          const visitor = await Visitor.of(profile, key);
          const home = await visitor.launch();
          assert.deepEqual([home.sent.url, home.status], [`${toolUrl}/home`, 200]);
          assert.ok(home.text.includes(`<h1>Hello ${visitor.name}</h1>`));
          assert.ok(home.text.includes(`You are ${role}.`));
          assert.deepEqual(Object.keys(home.forms[0]!.buttons), buttons);
        });
      }

      test("the score button fills the grade book", async () => {
        const student = await Visitor.of(profile, "student2");
        const scored = await student.browser.press(await student.launch(), "8 of 10");
        assert.match(scored.text, /Your score of 8 of 10 is delivered\./);
        const grade = await simulator.grade(profile, student.id);
        assert.deepEqual(
          [grade?.score, grade?.activity_progress, grade?.grading_progress],
          [80, "Completed", "FullyGraded"],
        );
        const { text } = await student.browser.open(`${student.url}/course`);
        assert.ok(text.includes(`<td>${student.name} (student2)</td><td>80</td>`));
        // The page that came is as good as the first: its token is renewed, its buttons work.
        assert.equal((await student.browser.press(scored, "8 of 10")).status, 200);
      });

      test("it shows what became of a score", async () => {
        const student = await Visitor.of(profile, "student5");
        const home = await student.launch();
        assert.deepEqual((await student.browser.press(home, "My scores")).items, []);
        await student.browser.press(home, "8 of 10");
        assert.deepEqual((await student.browser.press(home, "My scores")).items, ["delivered "]);
        const teacher = await Visitor.of(profile, "teacher");
        const refused = await teacher.launch();
        assert.equal((await teacher.browser.press(refused, "8 of 10")).status, 502);
        assert.match((await teacher.browser.press(refused, "My scores")).items.at(-1) ?? "", /^refused ./);
      });

      test("an author picks a quiz", async () => {
        const author = await Visitor.of(profile, "teacher");
        const picker = await author.browser.launch("teacher", "LtiDeepLinkingRequest");
        assert.match(picker.text, /Pick a quiz/);
        const added = await author.browser.press(picker, "Add it", { quiz: "Genes" });
        assert.match(added.text, /1 items came, 1 links were made\./);
        const responses = await simulator.get<{ error?: string; items: Record<string, unknown>[] }[]>(profile, "deeplinking");
        const { error, items } = responses.at(-1)!;
        assert.equal(error, undefined);
        assert.equal(items.length, 1);
        const { type, title, custom, lineItem } = items[0]!;
        assert.deepEqual([type, title, custom], ["ltiResourceLink", "Genes", { quiz: "Genes" }]);
        assert.equal((lineItem as { scoreMaximum: number }).scoreMaximum, 10);
      });

      test("a score that the platform refuses", async () => {
        const teacher = await Visitor.of(profile, "teacher");
        const refused = await teacher.browser.press(await teacher.launch(), "8 of 10");
        assert.equal(refused.status, 502);
        assert.match(refused.text, /open the tool again from your course/);
        assert.equal(await simulator.grade(profile, teacher.id), undefined);
      });

      test("a teacher sees everybody", async () => {
        const teacher = await Visitor.of(profile, "teacher");
        const roster = await teacher.browser.press(await teacher.launch(), "Roster");
        const enrolled = (await simulator.people(profile)).filter(({ key }) => !["admin", "anonymous"].includes(key));
        assert.equal(roster.items.length, 62);
        assert.deepEqual(
          [...roster.items].sort(),
          enrolled.map((one) => `${one.given_name} ${one.family_name}`).sort(),
        );
      });

      for (const path of ["/roster", "/token", "/nothing"]) {
        test(`a student gets no ${path}`, async () => {
          const student = await Visitor.of(profile, "student");
          const { fields } = (await student.launch()).forms[0]!;
          assert.equal(fields[0]?.[0], "launch_token");
          const answer = await student.browser.send(post(toolUrl + path, fields), "same-origin");
          assert.deepEqual([answer.status, answer.items], [403, []]);
        });
      }

      test("a teacher gets a service token", async () => {
        const teacher = await Visitor.of(profile, "teacher");
        const answer = await teacher.browser.press(await teacher.launch(), "Service token");
        assert.match(answer.text, /A service token is good until \d\d:\d\d UTC\./);
      });

      test("the platform checks with the keys of the tool's route", async () => {
        const teacher = await Visitor.of(profile, "teacher");
        await teacher.browser.press(await teacher.launch(), "Roster");
        const hits = await simulator.get<Record<string, number>>(profile, "hits");
        assert.ok(hits.tool_jwks_fetch! >= 1);
        const jwks = await teacher.browser.open(`${toolUrl}/lti/jwks`);
        const { keys } = JSON.parse(jwks.text) as { keys: { kid: string }[] };
        type TokenRequest = { error?: string; header: { kid: string } };
        const requests = await simulator.get<TokenRequest[]>(profile, "tokens");
        assert.ok(requests.length > 0);
        for (const { error, header } of requests) {
          assert.equal(error, undefined);
          assert.ok(keys.some(({ kid }) => kid === header.kid));
        }
      });

      test("a tampered form shows the sidecar's page", async () => {
        const student = await Visitor.of(profile, "student");
        const form = await student.launchForm();
        const fields = form.fields.map(
          ([name, value]) => [name, name === "id_token" ? `${value.slice(0, -9)}AAAAAAAAA` : value] as const,
        );
        const refused = await student.browser.send({ ...form, fields }, "cross-site");
        assert.equal(refused.status, 403);
        assert.match(refused.text, /The activity could not be opened/);
        assert.doesNotMatch(refused.text, /signature/i);
        assert.match(refused.header("content-security-policy"), /default-src 'none'/);
        assert.equal(refused.header("x-frame-options"), "");
        assert.ok(!student.browser.cookieHeader(`${toolUrl}/`).includes(cookieName));
      });

      test("a reload of the launch leads home, in its own browser only", async () => {
        const student = await Visitor.of(profile, "student");
        const form = await student.launchForm();
        const accepted = await student.browser.send(form, "cross-site");
        assert.deepEqual([accepted.status, accepted.header("location")], [303, "/home"]);
        const again = await student.browser.reload(accepted);
        assert.deepEqual([again.sent.url, again.status], [`${toolUrl}/home`, 200]);
        assert.ok(again.text.includes(`Hello ${student.name}`));
        const other = await Visitor.of(profile, "student3");
        await other.launch();
        const stolen = await other.browser.send(form, "cross-site");
        assert.equal(stolen.status, 403);
        assert.ok(!stolen.text.includes(student.name));
      });

      test("it works with partitioned cookies only", async () => {
        const student = await Visitor.of(profile, "student", { cookies: ["partitioned"] });
        const home = await student.launch();
        assert.equal(home.path, "/home");
        assert.ok(home.text.includes(`Hello ${student.name}`));
      });

      test("another site presses no button", async () => {
        const student = await Visitor.of(profile, "student");
        await student.launch();
        const answer = await student.browser.send(post(`${toolUrl}/score`), "cross-site");
        assert.ok(answer.sent.headers.cookie?.includes(cookieName));
        assert.equal(answer.status, 403);
      });
    });
  }

  test("without cookies, the hidden field is the session", async () => {
    const student = await Visitor.of("canvas", "student4", { cookies: [] });
    const shown = await student.launch();
    assert.deepEqual([shown.path, shown.status], ["/lti/launch", 200]);
    assert.ok(shown.text.includes(`Hello ${student.name}`));
    assert.ok(!shown.headers.some(([, value]) => value.includes(cookieName)));
    const scored = await student.browser.press(shown, "8 of 10");
    assert.match(scored.text, /Your score of 8 of 10 is delivered\./);
    assert.equal((await simulator.grade("canvas", student.id))?.score, 80);
    assert.equal((await student.browser.open(`${toolUrl}/home`)).status, 403);
  });

  test("without cookies and storage, a window helps", async () => {
    const student = await Visitor.of("moodle", "student", { cookies: [] });
    const refused = await student.launch();
    assert.equal(refused.status, 403);
    assert.ok(refused.text.includes("open the activity again from your course"));
    const window = await Visitor.of("moodle", "student", { window: true });
    assert.ok((await window.launch()).text.includes(`Hello ${window.name}`));
  });

  test("it ends with SIGTERM while a browser is connected", async () => {
    const own = new Cleanup();
    try {
      const { program, port } = await startTool(own, temporaryDirectory(own));
      const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ca: simulator.ca });
      own.defer(() => void socket.destroy());
      socket.on("error", () => undefined); // the end of the process resets it
      await once(socket, "secureConnect");
      const exited = once(program.child, "exit", { signal: AbortSignal.timeout(20_000) });
      program.child.kill("SIGTERM");
      assert.deepEqual(await exited, [null, "SIGTERM"]);
    } finally {
      await own.run();
    }
  });
});
