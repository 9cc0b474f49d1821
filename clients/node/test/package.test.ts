// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startScriptedSidecar } from "./scripted_sidecar.ts";

const require = createRequire(import.meta.url);
const root = new URL("../", import.meta.url);

test("CommonJS and ES modules export the same", async () => {
  for (const entry of ["ltisidecar", "ltisidecar/express", "ltisidecar/fastify", "ltisidecar/testing"]) {
    const esm: object = await import(entry);
    const cjs: object = require(entry);
    assert.deepEqual(Object.keys(cjs).sort(), Object.keys(esm).sort(), entry);
  }
});

test("both formats of the package have the tree of errors", async () => {
  const { LtiSidecarError, LaunchRejected } = require("ltisidecar");
  assert.ok(new LaunchRejected("m", "PERMISSION_DENIED") instanceof LtiSidecarError);
});

test("every file that package.json names is built", () => {
  const { exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  const named = [...JSON.stringify(exports).matchAll(/"(\.\/dist\/[^"*]+)"/g)].map(([, path]) => path!);
  assert.equal(named.length, 16);
  for (const path of named) assert.ok(existsSync(new URL(path, root)), path);
  assert.ok(require.resolve("ltisidecar/proto/ltisidecar/v1/launch_service.proto"));
});

test("the lockfiles name no registry", () => {
  for (const path of ["package-lock.json", "../../examples/node/package-lock.json"]) {
    const { packages } = JSON.parse(readFileSync(new URL(path, root), "utf8"));
    for (const [name, { resolved = "" }] of Object.entries<{ resolved?: string }>(packages)) {
      assert.doesNotMatch(resolved, /:\/\//, `${path}: ${name}`);
    }
  }
});

const call = (load: string) => `${load}
const sidecar = createSidecar({ address: process.argv[2] });
sidecar.getToolKeySet().then(({ jwks }) => (console.log(jwks), sidecar.close()));
`;

test("the tarball installs where nothing else is, and calls", { timeout: 300_000 }, async (t) => {
  const server = await startScriptedSidecar(t, {
    getToolKeySet: () => ({ jwks: "{}", contentType: "application/json", cacheLifetime: undefined }),
  });
  const directory = mkdtempSync(join(tmpdir(), "lti-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const run = async (command: string, parameters: string[], cwd = directory): Promise<string> =>
    (await promisify(execFile)(command, parameters, { cwd, timeout: 240_000 })).stdout;
  // dist is built: packing must not build it again under the feet of the other tests.
  const pack = ["pack", "--ignore-scripts", "--json", "--pack-destination", directory];
  const [packed] = JSON.parse(await run("npm", pack, fileURLToPath(root))) as { filename: string; size: number }[];
  assert.ok(packed!.size < 1 << 20, `${packed!.size} bytes`);
  writeFileSync(join(directory, "package.json"), '{ "private": true }');
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", `./${packed!.filename}`]);
  for (const [file, load] of [
    ["call.mjs", 'import { createSidecar } from "ltisidecar";'],
    ["call.cjs", 'const { createSidecar } = require("ltisidecar"); require("ltisidecar/testing");'],
  ] as const) {
    writeFileSync(join(directory, file), call(load));
    assert.equal((await run(process.execPath, [file, server.address])).trim(), "{}");
  }
});
