// SPDX-License-Identifier: Apache-2.0
// An LTI tool in one file: greets its user by name and role, posts a score and shows what became of it, shows teachers the
// roster, and lets authors pick a quiz for their course.
//
// Its session is the launch token, which the sidecar seals and checks: in a cookie for GET /home, and in every form,
// which works where the browser blocks cookies, keeps tabs apart, and no other site can post. It is never in a URL.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import express from "express";
import { createSidecar, Reason, sendBrowserReply } from "ltisidecar";
import { ltiRoutes } from "ltisidecar/express";

const COOKIE = "__Host-lti-launch";
const SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly";
const sidecar = createSidecar(); // at LTISIDECAR_ADDRESS
const app = express();
const escape = (text) => String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

function show(res, launch, note = "", lines = []) {
  const { user, grades, memberships, launchToken = "", roleSummary: role } = launch;
  res.set("Cache-Control", "no-store").send(`<!doctype html><html lang="en"><meta charset="utf-8">
<title>Example tool</title><h1>Hello ${escape(user ? (user.name ?? "you") : "guest")}</h1>
<p>You are ${role.instructor ? "a teacher" : role.learner ? "a learner" : "a visitor"}.</p>
${note && `<p id="note">${escape(note)}</p>`}
<ul>${lines.map((line) => `<li>${escape(line)}</li>`).join("")}</ul>
<form method="post"><input type="hidden" name="launch_token" value="${escape(launchToken)}">
${user && grades?.canPostScore ? '<button formaction="/score">8 of 10</button>' : ""}
${user && grades?.canPostScore ? '<button formaction="/deliveries">My scores</button>' : ""}
${memberships && role.instructor ? '<button formaction="/roster">Roster</button>' : ""}
${role.instructor ? '<button formaction="/token">Service token</button>' : ""}</form></html>`);
}

const picker = ({ deepLinkingToken, acceptLineItem }) => `<!doctype html><html lang="en"><meta charset="utf-8">
<title>Example tool</title><h1>Pick a quiz</h1><form method="post" action="/lti/content">
<input type="hidden" name="deep_linking_token" value="${escape(deepLinkingToken)}">
<input type="hidden" name="graded" value="${acceptLineItem === false ? "" : "yes"}">
<select name="quiz"><option>Cells</option><option>Genes</option></select> <button>Add it</button></form></html>`;

const cookie = (req) => new RegExp(`(?:^|; )${COOKIE}=([^;]+)`).exec(req.headers.cookie ?? "")?.[1];
const check = async (token) => (await sidecar.checkLaunchToken(String(token || "none"))).launch; // or LaunchRejected

// The LTI routes relay the browser's form as it came: they stand before the body parser.
app.use("/lti", ltiRoutes({
  sidecar,
  onLaunch(launch, req, res) {
    const { browserBinding, launchToken: token = "" } = launch;
    const fits = token !== "" && token.length < 3500;
    if (browserBinding === "PLATFORM_STORAGE" || !fits) return show(res, launch); // no cookie would come back
    res.cookie(COOKIE, token, { secure: true, httpOnly: true, sameSite: "none", partitioned: true });
    res.redirect(303, "/home"); // so that a reload repeats only GET /home
  },
  onDeepLinking(launch, req, res) {
    res.set("Cache-Control", "no-store").send(picker(launch.deepLinking));
  },
  onContent(form) { // the picker's form; the sidecar checks the token, signs the item, and sends the author back
    const quiz = form.get("quiz");
    const lineItem = form.get("graded") ? { label: quiz, scoreMaximum: 10 } : undefined;
    return [{ type: "ltiResourceLink", title: quiz, custom: { quiz }, lineItem }];
  },
  async onError(error, req, res) {
    if (error.reason !== Reason.NONCE_REPLAYED || !cookie(req)) return; // the sidecar's page
    const held = await check(cookie(req));
    if (held.launchId === error.launchId) res.redirect(303, "/home"); // this browser posted its own launch again
  },
}));

app.use(express.urlencoded({ extended: false }));
app.get("/home", async (req, res) => show(res, await check(cookie(req))));
app.post("/:action", async (req, res) => {
  const launch = await check(req.body?.launch_token);
  const { user, grades, memberships, registration, deploymentId, roleSummary } = launch;
  const teacher = roleSummary.instructor;
  if (req.params.action === "score" && user && grades) {
    const { state } = await sidecar.postScore(grades, { userId: user.id, scoreGiven: 8, scoreMaximum: 10 });
    show(res, launch, `Your score of 8 of 10 is ${state.toLowerCase()}.`);
  } else if (req.params.action === "deliveries" && user && grades) {
    const mine = { lineItemUri: grades.lineItemUri, userId: user.id };
    const { deliveries } = await sidecar.listScoreDeliveries(registration, mine);
    show(res, launch, "", deliveries.map(({ state, platformError = "" }) => `${state.toLowerCase()} ${platformError}`));
  } else if (req.params.action === "roster" && memberships && teacher) {
    const members = await sidecar.listMembers(memberships).toArray();
    show(res, launch, "", members.map((member) => member.name ?? member.userId));
  } else if (req.params.action === "token" && teacher) { // for calls to the platform that the sidecar does not make
    const { expireTime } = await sidecar.getServiceToken({ registration, deploymentId, scopes: [SCOPE] });
    show(res, launch, `A service token is good until ${expireTime.toISOString().slice(11, 16)} UTC.`);
  } else res.status(403).send("This launch does not offer that.");
});
app.use((error, req, res, next) => {
  console.error(error);
  if (error.reply) sendBrowserReply(res, error.reply);
  else res.status(error.status ?? 502).send("This did not work. Please open the tool again from your course.");
});

const { TOOL_CERT, TOOL_KEY, TOOL_PORT = "8443" } = process.env;
const server = createServer({ cert: readFileSync(TOOL_CERT), key: readFileSync(TOOL_KEY) }, app);
server.listen(Number(TOOL_PORT), "127.0.0.1", () => console.log(`listening on port ${server.address().port}`));
