// SPDX-License-Identifier: Apache-2.0
// What ltisidecar/testing gives to users, used as its documentation says: real sidecar, real simulator.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import express from "express";
import fastify from "fastify";
import { ltiRoutes } from "ltisidecar/express";
import { ltiPlugin } from "ltisidecar/fastify";
import { MissingProgram, platforms, program, startStack, type Stack } from "ltisidecar/testing";
import { needsBinaries } from "./needs_binaries.ts";

describe("a tool of a user's", needsBinaries, () => {
  let lti: Stack;
  before(async () => {
    lti = await startStack();
  });
  after(() => lti.stop());

  const expressTool = (): RequestListener => {
    const app = express();
    app.use(
      "/lti",
      ltiRoutes({ sidecar: lti.sidecar, onLaunch: (launch, _req, res) => res.send(`Hello ${launch.user?.name}`) }),
    );
    return app;
  };
  const fastifyTool = async (): Promise<RequestListener> => {
    const app = fastify();
    app.register(ltiPlugin, {
      prefix: "/lti",
      sidecar: lti.sidecar,
      onLaunch: (launch, _req, res) => res.send(`Hello ${launch.user?.name}`),
    });
    await app.ready();
    return app.routing as RequestListener;
  };

  for (const platform of platforms) {
    for (const [name, make] of Object.entries({ express: expressTool, fastify: fastifyTool })) {
      test(`${name} is launched from ${platform}`, async () => {
        const student = await lti.simulator.person(platform, "student");
        const page = await lti.browser(platform, { tool: await lti.serve(await make()) }).launch("student");
        assert.deepEqual([page.status, page.text], [200, `Hello ${student.given_name} ${student.family_name}`]);
      });
    }
  }
});

test("a missing program is explained", (t) => {
  const { LTISIDECAR_BIN, PATH } = process.env;
  const directory = mkdtempSync(join(tmpdir(), "lti-"));
  t.after(() => {
    rmSync(directory, { recursive: true });
    process.env.PATH = PATH;
    if (LTISIDECAR_BIN === undefined) delete process.env.LTISIDECAR_BIN;
    else process.env.LTISIDECAR_BIN = LTISIDECAR_BIN;
  });
  process.env.PATH = directory;
  delete process.env.LTISIDECAR_BIN;
  const explained = (error: unknown) =>
    error instanceof MissingProgram && /set LTISIDECAR_BIN to its path, or put it on PATH/.test(error.message);
  assert.throws(() => program("sidecar"), explained);
  const found = join(directory, "sidecar");
  writeFileSync(found, "#!/bin/sh\n");
  assert.throws(() => program("sidecar"), explained, "a file that cannot be run is no program");
  chmodSync(found, 0o700);
  assert.equal(program("sidecar"), found);
  process.env.LTISIDECAR_BIN = "/nowhere/sidecar";
  assert.throws(() => program("sidecar"), explained);
});
