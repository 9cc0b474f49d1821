// SPDX-License-Identifier: Apache-2.0
// A learning platform of a page: it signs launches, gives service tokens, takes scores and has a roster of two pages.
import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, randomUUID, sign, verify, type JsonWebKey } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";

const ags = "https://purl.imsglobal.org/spec/lti-ags";
const nrps = "https://purl.imsglobal.org/spec/lti-nrps";
const lti = "https://purl.imsglobal.org/spec/lti/claim";
const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

export interface Platform {
  readonly issuer: string;
  readonly clientId: string;
  readonly deploymentId: string;
  /** PEM file of the certificate, which is its own authority, and of its key; valid for 127.0.0.1 and localhost. */
  readonly certificate: string;
  readonly key: string;
  /** The tool's public keys, to check its assertions with. */
  toolKeys: JsonWebKey[];
  /** Bodies of the scores that came with a good token. */
  readonly scores: Record<string, unknown>[];
  /** idToken answers a signed id_token for one authentication request, with claims changed. */
  idToken(nonce: string, changes?: Record<string, unknown>): string;
}

export async function startPlatform(t: TestContext, directory: string): Promise<Platform> {
  const certificate = join(directory, "cert.pem");
  const key = join(directory, "key.pem");
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key];
  execFileSync("openssl", ["req", "-x509", ...newKey, "-out", certificate, "-days", "1", ...subject], {
    stdio: "pipe",
  });

  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const tokens = new Set<string>();
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const { status, type, body, link } = answer(req, Buffer.concat(chunks).toString());
      res.writeHead(status, { "Content-Type": type, ...(link ? { Link: link } : {}) });
      res.end(body === undefined ? undefined : JSON.stringify(body));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;

  type Answered = { status: number; type: string; body?: unknown; link?: string };
  function answer(req: IncomingMessage, body: string): Answered {
    const path = req.url ?? "";
    const type = "application/json";
    if (path === "/jwks") {
      return {
        status: 200,
        type,
        body: { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k1", alg: "RS256", use: "sig" }] },
      };
    }
    if (path === "/token") return tokenAnswer(new URLSearchParams(body));
    if (!tokens.has(req.headers.authorization?.replace(/^Bearer /, "") ?? "")) return { status: 401, type, body: {} };
    if (path === "/items/1/scores") {
      platform.scores.push(JSON.parse(body) as Record<string, unknown>);
      return { status: 200, type, body: {} };
    }
    if (path.startsWith("/members")) {
      const page = path.includes("page=2") ? 2 : 1;
      const member = { user_id: `user-${page}`, name: `Person ${page}`, roles: ["Learner"], status: "Active" };
      return {
        status: 200,
        type: "application/vnd.ims.lti-nrps.v2.membershipcontainer+json",
        body: { id: `${issuer}/members`, context: { id: "course-1", title: "Biology" }, members: [member] },
        ...(page === 1 ? { link: `<${issuer}/members?page=2>; rel="next"` } : {}),
      };
    }
    return { status: 404, type, body: {} };
  }

  function tokenAnswer(form: URLSearchParams): Answered {
    const type = "application/json";
    const [header = "", payload = "", signature = ""] = (form.get("client_assertion") ?? "").split(".");
    const { kid } = JSON.parse(Buffer.from(header, "base64url").toString()) as { kid: string };
    const jwk = platform.toolKeys.find((candidate) => candidate.kid === kid);
    const good =
      jwk !== undefined &&
      verify(
        "sha256",
        Buffer.from(`${header}.${payload}`),
        createPublicKey({ key: jwk, format: "jwk" }),
        Buffer.from(signature, "base64url"),
      );
    if (!good) return { status: 401, type, body: { error: "invalid_client" } };
    const token = randomUUID();
    tokens.add(token);
    return {
      status: 200,
      type,
      body: { access_token: token, token_type: "Bearer", expires_in: 3600, scope: form.get("scope") },
    };
  }

  const platform: Platform = {
    issuer,
    clientId: "client-1",
    deploymentId: "deployment-1",
    certificate,
    key,
    toolKeys: [],
    scores: [],
    idToken(nonce, changes = {}) {
      const now = Math.floor(Date.now() / 1000);
      const signed = `${base64url({ alg: "RS256", typ: "JWT", kid: "k1" })}.${base64url({
        iss: issuer,
        aud: this.clientId,
        sub: "user-1",
        name: "Ada Lovelace",
        iat: now,
        exp: now + 300,
        nonce,
        [`${lti}/version`]: "1.3.0",
        [`${lti}/message_type`]: "LtiResourceLinkRequest",
        [`${lti}/deployment_id`]: this.deploymentId,
        [`${lti}/target_link_uri`]: "https://localhost:8443/start",
        [`${lti}/resource_link`]: { id: "link-1", title: "Quiz" },
        [`${lti}/context`]: { id: "course-1", title: "Biology" },
        [`${lti}/roles`]: ["http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"],
        [`${lti}/custom`]: { chapter: "3" },
        [`${ags}/claim/endpoint`]: { scope: [`${ags}/scope/score`], lineitem: `${issuer}/items/1` },
        [`${nrps}/claim/namesroleservice`]: { context_memberships_url: `${issuer}/members`, service_versions: ["2.0"] },
        ...changes,
      })}`;
      return `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
    },
  };
  return platform;
}
