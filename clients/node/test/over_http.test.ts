// SPDX-License-Identifier: Apache-2.0
// The tests of the client once more, over the other transport.
process.env.SCRIPTED_TRANSPORT = "http";
await import("./error.test.ts");
await import("./message.test.ts");
await import("./roster.test.ts");
await import("./sidecar.test.ts");
await import("./grade.test.ts");
