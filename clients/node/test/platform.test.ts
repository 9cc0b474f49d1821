// SPDX-License-Identifier: Apache-2.0
// The client against the real sidecar and the simulated platforms, with a scripted browser between them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { inspect } from "node:util";
import {
  InvalidRequest,
  LaunchRejected,
  LimitReached,
  LtiSidecarError,
  PlatformError,
  Unavailable,
  type BrowserReply,
  type Launch,
  type LaunchOutcome,
  type Sidecar,
} from "ltisidecar";
import { Browser, Page, get, platforms, startStack } from "ltisidecar/testing";
import type { BrowserOptions, CookieKind, Pair, Sent, Simulator, Stack } from "ltisidecar/testing";
import { needsBinaries } from "./needs_binaries.ts";

const toolUrl = "https://localhost:8443";
const memberScope = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly";
const scoreScope = "https://purl.imsglobal.org/spec/lti-ags/scope/score";
type AcceptedOutcome = Extract<LaunchOutcome, { launch: Launch }>;

let simulator: Simulator;
let sidecar: Sidecar;

/** Tool is what a tool's routes are, without a web server: it relays, and keeps what came of it. */
class Tool {
  readonly launches: AcceptedOutcome[] = [];
  readonly steps: BrowserReply[] = [];
  readonly errors: LtiSidecarError[] = [];

  get launch(): Launch {
    assert.deepEqual(this.errors, []);
    assert.equal(this.launches.length, 1);
    return this.launches[0]!.launch;
  }

  get error(): LtiSidecarError {
    assert.equal(this.launches.length, 0);
    assert.equal(this.errors.length, 1);
    return this.errors[0]!;
  }

  readonly answer = async (sent: Sent): Promise<Page> => {
    const url = new URL(sent.url);
    const browser = {
      method: sent.method,
      parameters: [...url.searchParams, ...sent.fields].map(([name, value]) => ({ name, value })),
      cookieHeader: sent.headers.cookie,
      origin: sent.headers.origin,
      secFetchSite: sent.headers["sec-fetch-site"],
      secFetchDest: sent.headers["sec-fetch-dest"],
    };
    try {
      if (url.pathname === "/lti/login") return page(sent, (await sidecar.buildAuthRequest(browser)).reply);
      if (url.pathname !== "/lti/launch") return new Page(sent, 200, [], "the tool");
      const outcome = await sidecar.validateLaunch(browser);
      if (outcome.browserStep) {
        this.steps.push(outcome.browserStep);
        return page(sent, outcome.browserStep);
      }
      this.launches.push(outcome);
      const headers = outcome.headers.map(({ name, value }): Pair => [name, value]);
      return new Page(sent, 303, [...headers, ["Location", "/home"]], "");
    } catch (error) {
      assert.ok(error instanceof LtiSidecarError && error.reply, String(error));
      this.errors.push(error);
      return page(sent, error.reply);
    }
  };
}

function page(sent: Sent, { status, headers, body }: BrowserReply): Page {
  return new Page(
    sent,
    status,
    headers.map(({ name, value }): Pair => [name, value]),
    body,
  );
}

/** Seat is a person before a browser, with a tool of their own. */
class Seat {
  readonly tool = new Tool();
  readonly browser: Browser;
  readonly url: string;

  constructor(profile: string, options: BrowserOptions = {}) {
    this.url = simulator.platformUrl(profile);
    this.browser = new Browser(this.url, simulator.ca, { ...options, tool: this.tool.answer });
  }

  launch(user = "student", storage = false): Promise<Page> {
    return this.browser.run(this.browser.click(user, storage), "none");
  }

  /** launchForm is the form that the platform wants posted to the tool's launch route. */
  launchForm(user = "student", storage = false): Promise<Sent> {
    return this.browser.runTo(this.browser.click(user, storage), "/lti/launch");
  }

  get loginCookies(): number {
    return this.browser.jar.filter(({ name }) => name.includes("lti")).length;
  }
}

async function launched(profile: string, user?: string): Promise<Launch> {
  const seat = new Seat(profile);
  assert.equal((await seat.launch(user)).path, "/home");
  return seat.tool.launch;
}

/** refused is the error of a call that must fail with this class and reason. */
async function refused<E extends LtiSidecarError>(
  call: Promise<unknown>,
  kind: new (...parameters: never[]) => E,
  reason: string,
): Promise<E> {
  const error: unknown = await call.then(
    () => assert.fail(`it was not refused with ${reason}`),
    (error: unknown) => error,
  );
  assert.ok(error instanceof kind, String(error));
  assert.equal(error.constructor, kind);
  assert.equal(error.reason, reason);
  return error;
}

const changed = (sent: Sent, name: string, change: (value: string) => string): Sent => ({
  ...sent,
  fields: sent.fields.map(([key, value]) => [key, key === name ? change(value) : value]),
});
const breakSignature = (token: string) => `${token.slice(0, -9)}AAAAAAAAA`;

describe("real platforms", needsBinaries, () => {
  let stack: Stack;

  before(async () => {
    stack = await startStack({ toolUrl });
    ({ simulator, sidecar } = stack);
  });
  after(() => stack.stop());

  for (const profile of platforms) {
    describe(profile, () => {
      test("a launch has typed contents", async () => {
        const launch = await launched(profile);
        const student = await simulator.person(profile, "student");
        const known = await simulator.known(profile);
        assert.equal(launch.user?.id, student.id);
        assert.equal(launch.user.name, `${student.given_name} ${student.family_name}`);
        assert.equal(launch.user.email, student.email);
        assert.match(launch.user.key, /^[0-9a-f]{32,}$/);
        assert.deepEqual(
          [launch.registration, launch.issuer, launch.clientId, launch.deploymentId],
          [profile, known.issuer, known.client_id, known.deployment_id],
        );
        assert.equal(launch.messageType, "RESOURCE_LINK");
        assert.equal(launch.targetLinkUri, `${toolUrl}/lti/launch`);
        assert.deepEqual([launch.roleSummary.learner, launch.roleSummary.instructor], [true, false]);
        assert.ok(launch.context?.title);
        assert.equal(launch.resourceLink?.id, known.resource_link_id);
        assert.equal(launch.custom.chapter, "3");
        assert.equal(launch.toolPlatform?.productFamilyCode, profile);
        assert.equal(launch.launchPresentation?.documentTarget, "iframe");
        assert.equal(launch.grades?.lineItemUri, known.line_item_uri);
        assert.equal(launch.grades.canPostScore, true);
        assert.equal(launch.memberships?.contextMembershipsUri, known.memberships_uri);
        assert.ok(Math.abs(Date.now() - launch.launchTime.getTime()) < 60_000);
        assert.equal((JSON.parse(launch.claimsJson!) as { sub: string }).sub, student.id);
      });

      test("roles are summed up", async () => {
        const teacher = (await launched(profile, "teacher")).roleSummary;
        assert.deepEqual([teacher.instructor, teacher.learner, teacher.administratorElsewhere], [true, false, false]);
        assert.equal((await launched(profile, "admin")).roleSummary.administratorElsewhere, true);
      });

      const bindings: [CookieKind[], string][] = [
        [["plain", "partitioned"], "COOKIE"],
        [["partitioned"], "PARTITIONED_COOKIE"],
        [["plain"], "COOKIE"],
      ];
      for (const [cookies, binding] of bindings) {
        for (const window of [false, true]) {
          test(`enough: ${cookies.join(" and ")} cookie in a ${window ? "window" : "frame"}`, async () => {
            const seat = new Seat(profile, { cookies, window });
            assert.equal((await seat.launch()).path, "/home");
            assert.equal(seat.tool.launch.browserBinding, binding);
            assert.equal(seat.loginCookies, 0);
          });
        }
      }

      test("without a cookie, a window from the course helps", async () => {
        const frame = new Seat(profile, { cookies: [] });
        const shown = await frame.launch();
        const { error } = frame.tool;
        assert.ok(error instanceof LaunchRejected);
        assert.deepEqual([error.reason, error.code], ["BINDING_MISSING", "PERMISSION_DENIED"]);
        assert.equal(error.metadata.sec_fetch_dest, "iframe");
        // Both platforms take a login's hint once, so no link can begin this login anew: the page says what helps instead.
        assert.deepEqual([shown.status, shown.links.length], [403, 0]);
        assert.ok(shown.text.includes("open the activity again from your course"));

        const window = new Seat(profile, { cookies: ["plain"], window: true });
        window.browser.jar = frame.browser.jar.filter(({ name }) => !name.includes("lti"));
        await window.launch();
        assert.equal(window.tool.launch.browserBinding, "COOKIE");
      });

      test("three logins at once in one browser", async () => {
        const seat = new Seat(profile);
        const forms = [await seat.launchForm(), await seat.launchForm(), await seat.launchForm()] as const;
        assert.equal(seat.loginCookies, 6);
        for (const form of [forms[1], forms[2], forms[0]]) {
          assert.equal((await seat.browser.send(form, "cross-site")).status, 303);
        }
        assert.equal(new Set(seat.tool.launches.map(({ launch }) => launch.launchId)).size, 3);
      });

      test("another browser's launch", async () => {
        const form = await new Seat(profile).launchForm();
        const other = new Seat(profile);
        await other.launchForm();
        await other.browser.send(form, "cross-site");
        assert.equal(other.tool.error.reason, "BINDING_MISSING");
      });

      test("a reload names the launch that it repeats", async () => {
        const seat = new Seat(profile);
        const accepted = await seat.browser.send(await seat.launchForm(), "cross-site");
        await seat.browser.reload(accepted);
        const [error] = seat.tool.errors;
        assert.ok(error instanceof LaunchRejected);
        assert.equal(error.reason, "NONCE_REPLAYED");
        assert.equal(error.launchId, seat.tool.launches[0]?.launch.launchId);
        assert.match(error.reply?.body ?? "", /already used/);
      });

      test("a tampered launch", async () => {
        const seat = new Seat(profile);
        const form = await seat.launchForm();
        await seat.browser.send(changed(form, "id_token", breakSignature), "cross-site");
        assert.equal(seat.tool.error.reason, "SIGNATURE_INVALID");
        assert.equal((await seat.browser.send(form, "cross-site")).status, 303, "the refusal has used nothing up");
      });

      for (const [fault, reason] of Object.entries({
        expired: "TOKEN_EXPIRED",
        clock_ahead: "TOKEN_NOT_YET_VALID",
        wrong_issuer: "ISSUER_MISMATCH",
        wrong_audience: "AUDIENCE_MISMATCH",
        altered_nonce: "NONCE_MISMATCH",
        unknown_kid: "KID_UNKNOWN",
        bad_signature: "SIGNATURE_INVALID",
        alg_none: "ALGORITHM_NOT_ALLOWED",
        wrong_deployment: "DEPLOYMENT_MISMATCH",
        missing_claim: "CLAIM_MISSING",
        wrong_state: "STATE_FORGED",
        missing_state: "PARAMETER_MISSING",
        launch_error: "PLATFORM_DENIED",
      })) {
        test(`a launch with ${fault} is refused with ${reason}`, async () => {
          await simulator.post(profile, "faults", { fault });
          const seat = new Seat(profile);
          const shown = await seat.launch();
          const { error } = seat.tool;
          assert.equal(error.constructor, LaunchRejected);
          assert.equal(error.reason, reason);
          assert.ok(shown.text.includes(error.launchId ?? error.metadata.request_id!));
          assert.ok(!shown.text.includes(reason));
        });
      }

      test("a launch token opens its launch, and is renewed", async () => {
        const launch = await launched(profile);
        const first = await sidecar.checkLaunchToken(launch.launchToken!);
        const { launchToken, claimsJson: _, ...rest } = launch;
        const { launchToken: fresh, ...checked } = first.launch;
        assert.deepEqual(checked, rest);
        assert.notEqual(fresh, launchToken);
        const left = first.expireTime.getTime() - Date.now();
        assert.ok(left > 55 * 60_000 && left <= 60 * 60_000, `${left}`);
        assert.equal((await sidecar.checkLaunchToken(fresh!)).launch.launchId, launch.launchId);
        for (const forged of [launchToken!.slice(0, -1), `${launchToken}A`, "forged"]) {
          await refused(sidecar.checkLaunchToken(forged), LaunchRejected, "LAUNCH_TOKEN_INVALID");
        }
      });

      test("a score stands in the grade book", async () => {
        const launch = await launched(profile, "student2");
        const { id } = launch.user!;
        // As a tool that grades days later.
        const grades = JSON.parse(JSON.stringify(launch.grades)) as NonNullable<Launch["grades"]>;
        const score = {
          userId: id,
          scoreGiven: 8,
          scoreMaximum: 10,
          scoreTime: new Date(),
          comment: "Well done & good",
        };
        const delivery = await sidecar.postScore(grades, score);
        assert.equal(delivery.state, "DELIVERED");
        assert.ok(delivery.sentTime);
        const grade = await simulator.grade(profile, id);
        assert.deepEqual(
          [grade?.score, grade?.comment, grade?.activity_progress, grade?.grading_progress],
          [80, "Well done & good", "Completed", "FullyGraded"],
        );
        // The same score again is harmless, and a newer one counts.
        assert.match((await sidecar.postScore(grades, score)).state, /^(DELIVERED|SUPERSEDED)$/);
        await sidecar.postScore(grades, { userId: id, scoreGiven: 9, scoreMaximum: 10 });
        assert.equal((await simulator.grade(profile, id))?.score, 90);
      });

      test("a score for somebody who is no student", async () => {
        const { grades, user } = await launched(profile, "teacher");
        const call = sidecar.postScore(grades!, { userId: user!.id, scoreGiven: 8, scoreMaximum: 10 });
        const error = await refused(call, PlatformError, "SCORE_REFUSED");
        assert.equal(error.code, "FAILED_PRECONDITION");
        assert.equal(error.reply, undefined);
        assert.equal(await simulator.grade(profile, user!.id), undefined);
      });

      test("a score for a line item that is gone, and one for another server", async () => {
        const { grades } = await launched(profile);
        const [item] = await simulator.get<{ id: string }[]>(profile, "gradebook");
        const score = { userId: "1", scoreGiven: 8, scoreMaximum: 10 };
        const gone = { ...grades!, lineItemUri: grades!.lineItemUri!.replace(`/${item!.id}`, "/99999") };
        await refused(sidecar.postScore(gone, score), PlatformError, "LINE_ITEM_NOT_FOUND");
        const elsewhere = { ...grades!, lineItemUri: "https://elsewhere.example/items/1" };
        const { token } = await simulator.get<{ token: number }>(profile, "hits");
        await refused(sidecar.postScore(elsewhere, score), PlatformError, "SERVICE_ORIGIN_PENDING");
        assert.equal((await simulator.get<{ token: number }>(profile, "hits")).token, token);
      });

      test("the roster is complete", async () => {
        const launch = await launched(profile, "teacher");
        const roster = sidecar.listMembers(launch.memberships!);
        const members = new Map((await roster.toArray()).map((member) => [member.userId, member]));
        assert.deepEqual([members.size, roster.memberCount], [62, 62]);
        assert.equal(roster.context?.id, launch.context?.id);
        assert.equal(members.get(launch.user!.id)?.userKey, launch.user?.key);
        for (const person of await simulator.people(profile)) {
          const member = members.get(person.id);
          const enrolled = !["admin", "anonymous"].includes(person.key);
          assert.equal(member !== undefined, enrolled, person.key);
          if (!member) continue;
          assert.deepEqual(
            [member.name, member.email, member.status],
            [`${person.given_name} ${person.family_name}`, person.email, "ACTIVE"],
          );
        }
        if (profile === "canvas") {
          const paged = sidecar.listMembers(launch.memberships!, { pageSizeHint: 10 });
          assert.equal((await paged.toArray()).length, 62);
        }
      });

      test("the roster of one role", async () => {
        const { memberships } = await launched(profile, "teacher");
        const ids = async (role: string) =>
          (await sidecar.listMembers(memberships!, { role }).toArray()).map(({ userId }) => userId);
        const [learners, teachers] = [await ids("Learner"), await ids("Instructor")];
        assert.ok(learners.includes((await simulator.person(profile, "student")).id));
        assert.ok(teachers.includes((await simulator.person(profile, "teacher")).id));
        // Canvas has its teaching assistant as an instructor; Moodle has everybody but the teacher as a learner.
        assert.deepEqual([learners.length, teachers.length], profile === "canvas" ? [60, 2] : [61, 1]);
      });

      test("a service token opens the platform's services", async () => {
        const { registration, deploymentId, memberships, context } = await launched(profile, "teacher");
        const token = await sidecar.getServiceToken({ registration, deploymentId, scopes: [memberScope] });
        assert.ok(token.scopes.includes(memberScope));
        assert.deepEqual(token.allowedOrigins, [simulator.url]);
        assert.ok(token.allows(memberships!.contextMembershipsUri));
        assert.ok(token.expireTime.getTime() > Date.now() + 30 * 60_000);
        assert.ok(!inspect(token).includes(token.accessToken));
        const answer = await simulator.fetch("GET", memberships!.contextMembershipsUri, {
          authorization: `Bearer ${token.accessToken}`,
          accept: "application/vnd.ims.lti-nrps.v2.membershipcontainer+json",
        });
        assert.equal(answer.status, 200);
        assert.equal((JSON.parse(answer.text) as { context: { id: string } }).context.id, context?.id);
      });

      test("a scope that the platform does not grant", async () => {
        const { registration, deploymentId } = await launched(profile);
        const scopes = [scoreScope, "https://example.org/scope/all"];
        const call = sidecar.getServiceToken({ registration, deploymentId, scopes });
        if (profile === "canvas") {
          const { metadata } = await refused(call, PlatformError, "TOKEN_REQUEST_REFUSED");
          assert.match(metadata.platform_error ?? "", /^invalid_scope: /);
        } else {
          const { metadata } = await refused(call, PlatformError, "SCOPE_NOT_GRANTED"); // it grants what it knows
          assert.equal(metadata.actual, scoreScope);
        }
      });

      test("the key set is what signs for the tool", async () => {
        const { registration, deploymentId } = await launched(profile);
        await sidecar.getServiceToken({ registration, deploymentId, scopes: [scoreScope] });
        const { jwks } = await sidecar.getToolKeySet();
        const kids = (JSON.parse(jwks) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
        type TokenRequest = { error?: string; header: { kid: string } };
        const requests = (await simulator.get<TokenRequest[]>(profile, "tokens")).filter(({ error }) => !error);
        assert.ok(requests.length > 0);
        for (const { header } of requests) assert.ok(kids.includes(header.kid));
      });

      test("a service that is out of reach, or throttles", async () => {
        const { memberships } = await launched(profile, "teacher");
        await sidecar.listMembers(memberships!).toArray(); // the service token is there
        for (const [fault, kind, reason] of [
          ["service_unavailable", Unavailable, "PLATFORM_UNAVAILABLE"],
          ["rate_limited", LimitReached, "PLATFORM_THROTTLED"],
        ] as const) {
          await simulator.post(profile, "faults", { fault, sticky: true });
          try {
            const error = await refused(sidecar.listMembers(memberships!).toArray(), kind, reason);
            assert.ok(error.retryAfterMs! > 0);
          } finally {
            await simulator.clearFaults(profile);
          }
        }
        assert.equal((await sidecar.listMembers(memberships!).toArray()).length, 62);
      });
    });
  }

  test("the platform's storage proves the browser", async () => {
    const seat = new Seat("canvas", { cookies: [] });
    assert.equal((await seat.launch("student", true)).path, "/home");
    assert.equal(seat.tool.launch.browserBinding, "PLATFORM_STORAGE");
    const [step] = seat.tool.steps;
    assert.equal(step?.status, 200);
    const policy = step.headers.find(({ name }) => name === "Content-Security-Policy")?.value ?? "";
    assert.match(policy, /script-src 'sha256-.*form-action 'self'/);
  });

  test("a cookie beats the platform's storage", async () => {
    const seat = new Seat("canvas", { storageAnswers: false });
    await seat.launch("student", true);
    assert.equal(seat.tool.launch.browserBinding, "COOKIE");
    assert.deepEqual(seat.tool.steps, []);
  });

  test("storage that does not answer", async () => {
    const seat = new Seat("canvas", { cookies: [], storageAnswers: false });
    const shown = await seat.launch("student", true);
    assert.equal(seat.tool.error.reason, "BINDING_MISSING");
    assert.deepEqual([shown.status, shown.links.length], [403, 0]);
  });

  test("a proof counts from the sidecar's own page only", async () => {
    const seat = new Seat("canvas", { cookies: [] });
    const repost = seat.browser.next(await seat.browser.send(await seat.launchForm("student", true), "cross-site"));
    assert.ok(repost);
    await seat.browser.send(repost, "cross-site");
    const [proofName] = repost.fields.at(-1)!;
    await seat.browser.send(
      changed(repost, proofName, (value) => `${value}x`),
      "same-origin",
    );
    assert.deepEqual(
      seat.tool.errors.map(({ reason }) => reason),
      ["BINDING_MISSING", "BINDING_MISMATCH"],
    );
    assert.equal((await seat.browser.send(repost, "same-origin")).status, 303);
  });

  test("an anonymous visitor is refused", async () => {
    const seat = new Seat("canvas");
    await seat.launch("anonymous");
    assert.equal(seat.tool.error.reason, "ANONYMOUS_NOT_ALLOWED");
  });

  test("a registration that is unknown, and a launch by GET", async () => {
    const call = sidecar.getServiceToken({ registration: "unknown", deploymentId: "1", scopes: [memberScope] });
    await refused(call, InvalidRequest, "REGISTRATION_UNKNOWN");
    const tool = new Tool();
    await tool.answer(get(`${toolUrl}/lti/launch?state=s&id_token=t`));
    assert.equal(tool.error.reason, "METHOD_NOT_ALLOWED");
  });
});
