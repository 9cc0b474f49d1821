// SPDX-License-Identifier: Apache-2.0
// A server of a page that answers every call with the same bytes, over gRPC and over the Connect protocol, so that what
// a client costs can be measured beside it: canned.mjs ANSWER.bin ANSWER.json DIRECTORY. It prints the two addresses.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { Server, ServerCredentials } from "@grpc/grpc-js";

const [binary, json, directory] = process.argv.slice(2);
const answer = readFileSync(binary);
const text = readFileSync(json);

const identity = (bytes) => bytes;
const grpc = new Server();
grpc.addService(
  {
    validateLaunch: {
      path: "/ltisidecar.v1.LaunchService/ValidateLaunch",
      requestStream: false,
      responseStream: false,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    },
  },
  { validateLaunch: (_call, send) => send(null, answer) },
);
const grpcAddress = `unix://${join(directory, "grpc.sock")}`;

const http = createServer((req, res) => {
  req.resume();
  req.on("end", () => {
    const body = req.headers["content-type"] === "application/json" ? text : answer;
    res.writeHead(200, { "Content-Type": req.headers["content-type"], "Content-Length": body.length }).end(body);
  });
});
http.keepAliveTimeout = 60_000;

grpc.bindAsync(grpcAddress, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  const socket = join(directory, "http.sock");
  http.listen(socket, () => console.log(JSON.stringify({ grpc: grpcAddress, http: `http+unix://${socket}` })));
});
