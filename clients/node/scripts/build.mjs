// SPDX-License-Identifier: Apache-2.0
// Builds dist/: the same sources as ES modules and as CommonJS, each with its declarations, and the .proto files.
import { execFileSync } from "node:child_process";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
for (const project of ["tsconfig.json", "tsconfig.cjs.json"]) {
  execFileSync("node_modules/.bin/tsc", ["-p", project], { stdio: "inherit" });
}
writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
cpSync("../../proto", "dist/proto", { recursive: true, filter: (path) => !path.endsWith(".go") });
cpSync("../../LICENSE", "dist/LICENSE");
