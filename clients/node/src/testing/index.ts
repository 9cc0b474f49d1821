// SPDX-License-Identifier: Apache-2.0
// The real sidecar and a simulated platform for the tests of your tool, and a browser to launch it with.
export { Browser, Page, get, post } from "./browser.js";
export type { BrowserOptions, CookieKind, Form, Pair, Sent, Site } from "./browser.js";
export {
  Cleanup,
  MissingProgram,
  Simulator,
  Stack,
  platforms,
  program,
  start,
  startSidecar,
  startSimulator,
  startStack,
  temporaryDirectory,
} from "./processes.js";
export type {
  Grade,
  InstallOptions,
  Known,
  Person,
  Program,
  Registration,
  SidecarConfig,
  StackOptions,
} from "./processes.js";
