// SPDX-License-Identifier: Apache-2.0
// A whole LTI tool: it greets the user, posts a score and shows the roster. The sidecar does everything that is LTI.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import express from "express";
import { createSidecar, Reason, sendBrowserReply } from "ltisidecar";
import { ltiRoutes } from "ltisidecar/express";

const { TOOL_CERT, TOOL_KEY, TOOL_PORT = "8443" } = process.env;
const sidecar = createSidecar(); // finds the sidecar by LTISIDECAR_ADDRESS
const app = express();

// Before any body parser: these routes relay the browser's form as it came.
app.use("/lti", ltiRoutes({
  sidecar,
  onLaunch(launch, req, res) {
    if (remember(launch, res)) res.redirect(303, "/home");
    else res.send(home(launch)); // no cookie will come back: show the page now, its forms carry the launch token
  },
  async onError(error, req, res) {
    // The user reloaded the launch. Where this browser already holds it, go on; otherwise the sidecar's page is sent.
    if (error.reason !== Reason.NONCE_REPLAYED || !cookie(req)) return;
    const held = await sidecar.checkLaunchToken(cookie(req)).catch(() => undefined);
    if (held?.launch.launchId === error.launchId) res.redirect(303, "/home");
  },
}));

// Every page of the tool: who is it? A POST must bring the launch token in its form, because the cookie alone also
// comes with forms of other sites.
app.use(express.urlencoded({ extended: false }), async (req, res, next) => {
  res.set("Cache-Control", "no-store");
  const token = req.method === "GET" ? cookie(req) : req.body?.launch_token;
  if (!token) return res.status(403).send(page("Please open this tool from your course."));
  res.locals.launch = (await sidecar.checkLaunchToken(String(token))).launch;
  remember(res.locals.launch, res);
  next();
});
app.all("/home", (req, res) => res.send(home(res.locals.launch)));
app.post("/score", async (req, res) => {
  const { launch } = res.locals;
  const { state } = await sidecar.postScore(launch.grades, { userId: launch.user.id, scoreGiven: 8, scoreMaximum: 10 });
  res.send(page("Score", `<p>8 of 10: ${escape(state)}</p>`, button(launch, "/home", "Back")));
});
app.all("/roster", async (req, res) => {
  const { launch } = res.locals;
  if (!launch.roleSummary.instructor) return res.status(403).send(page("The roster is for instructors."));
  const members = await sidecar.listMembers(launch.memberships).toArray(); // all of them, or an error
  const rows = members.map((member) => `<li>${escape(member.name ?? member.userId)}</li>`).join("");
  res.send(page("Roster", `<p>${members.length} members</p><ul>${rows}</ul>`, button(launch, "/home", "Back")));
});
app.use((error, req, res, next) => {
  console.error(error);
  if (error.reply) sendBrowserReply(res, error.reply);
  else res.status(error.status ?? 502).send(page("That did not work.", `<p>${escape(error.reason ?? "")}</p>`));
});

function home(launch) {
  const role = launch.roleSummary.instructor ? "instructor" : launch.roleSummary.learner ? "learner" : "guest";
  return page(`Hello, ${escape(launch.user?.name ?? "friend")}`,
    `<p>Your role in ${escape(launch.context?.title ?? "this course")}: ${role}</p>`,
    launch.user && launch.grades?.canPostScore ? button(launch, "/score", "Post a score of 8 of 10") : "",
    launch.memberships && launch.roleSummary.instructor ? button(launch, "/roster", "Show the roster") : "");
}
const button = (launch, path, text) => `<form method="post" action="${path}"><input type="hidden" name="launch_token"
  value="${escape(launch.launchToken ?? "")}"><button>${text}</button></form>`;
const page = (title, ...body) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title>
<h1>${title}</h1>${body.join("")}`;
const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const cookie = (req) => /(?:^|; )__Host-lti-launch=([^;]+)/.exec(req.headers.cookie ?? "")?.[1];
function remember({ launchToken = "", browserBinding }, res) { // true where the cookie will come back
  const fits = launchToken !== "" && launchToken.length < 3800 && browserBinding !== "PLATFORM_STORAGE";
  const options = { path: "/", secure: true, httpOnly: true, sameSite: "none", partitioned: true };
  if (fits) res.cookie("__Host-lti-launch", launchToken, options);
  return fits;
}
const server = createServer({ cert: readFileSync(TOOL_CERT), key: readFileSync(TOOL_KEY) }, app);
server.listen(Number(TOOL_PORT), () => console.log(`listening on https://localhost:${server.address().port}`));
