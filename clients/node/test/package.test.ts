// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

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
