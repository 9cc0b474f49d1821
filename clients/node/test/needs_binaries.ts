// SPDX-License-Identifier: Apache-2.0
import { MissingProgram, program } from "ltisidecar/testing";

function missing(): string | false {
  try {
    program("sidecar");
    program("platformsim");
    return false;
  } catch (error) {
    if (!(error instanceof MissingProgram) || process.env.CI === "true") throw error;
    return error.message;
  }
}

/** needsBinaries are test options: without the binaries a test is skipped. In CI it is an error. */
export const needsBinaries = { skip: missing() } as const;
