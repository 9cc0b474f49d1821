// SPDX-License-Identifier: Apache-2.0
// Runs the script of a storage page with a window and a clock that are made up, and says what the page did. Standard
// input is {script, data, scenarios}, standard output one result for each scenario. Used by ../storage_test.go.
import { readFileSync } from "node:fs";
import vm from "node:vm";

const { script, data, scenarios } = JSON.parse(readFileSync(0, "utf8"));

// run plays one scenario: its events at their times, in milliseconds from the page's start.
function run(scenario) {
  const result = { posted: [], navigated: [], submitted: [] };
  let now = 0;
  let timers = [];
  let listener = null;
  let nextTimer = 1;
  const start = (every) => (call, delay) => {
    timers.push({ id: nextTimer, at: now + delay, every: every ? delay : 0, call });
    return nextTimer++;
  };
  const stop = (id) => { timers = timers.filter((timer) => timer.id !== id); };
  const runUntil = (end) => {
    for (;;) {
      const due = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0];
      if (!due) break;
      now = due.at;
      if (due.every) due.at += due.every; else stop(due.id);
      due.call();
    }
    now = end;
  };
  const makeWindow = (name) => ({
    postMessage(message, origin) { result.posted.push({ to: name, at: now, message: JSON.parse(JSON.stringify(message)), origin }); },
  });
  const frame = makeWindow("frame");
  const platform = makeWindow("platform");
  const stranger = makeWindow("stranger");
  // A frame that is not there throws, as it does across origins.
  platform.frames = new Proxy({}, {
    get(_, name) {
      if (name === scenario.frame && now >= (scenario.frame_from ?? 0)) return frame;
      throw new Error("SecurityError");
    },
  });
  const window = { addEventListener(kind, call) { if (kind === "message") listener = call; } };
  window.parent = scenario.top_level ? window : platform;
  window.opener = scenario.opener ? platform : null;
  const element = (name) => ({ name: name, children: [], appendChild(child) { this.children.push(child); } });
  const context = vm.createContext({
    window,
    document: {
      getElementById: (id) => (id === "ltisidecar" ? { textContent: JSON.stringify(data) } : null),
      createElement(name) {
        const made = element(name);
        made.submit = () => result.submitted.push({
          at: now, method: made.method, action: made.action, in_page: context.document.body.children.includes(made),
          fields: made.children.map((field) => [field.type, field.name, field.value]),
        });
        return made;
      },
      body: element("body"),
    },
    location: { href: "https://tool.example/lti/launch", replace(uri) { result.navigated.push({ at: now, uri }); } },
    setInterval: start(true), setTimeout: start(false), clearInterval: stop, clearTimeout: stop,
  });
  vm.runInContext(script, context);
  const sources = { frame, platform, stranger, null: null };
  for (const event of scenario.events ?? []) {
    runUntil(event.at);
    listener({ origin: event.origin, source: sources[event.source], data: event.data });
  }
  runUntil(10_000);
  result.timers = timers.length;
  return result;
}

process.stdout.write(JSON.stringify(scenarios.map(run)));
