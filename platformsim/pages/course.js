// SPDX-License-Identifier: Apache-2.0
(function () {
  var form = document.getElementById("launch"), view = document.getElementById("view");
  if (form) form.addEventListener("submit", function () {
    // A window keeps its opener: tools look for the storage frame there.
    form.target = view.value === "window" ? "platformsim_tool_window" : "tool_content";
    if (view.value === "window") window.open("about:blank", form.target);
  });
  var frame = document.querySelector("iframe.storage");
  window.addEventListener("message", function (e) {
    var m = e.data;
    if (!frame || !m || typeof m !== "object" || m.subject !== "lti.capabilities" || !e.source || e.origin === "null") return;
    var list = [{ subject: "lti.capabilities" }];
    ["lti.put_data", "lti.get_data"].forEach(function (s) { list.push({ subject: s, frame: frame.name }); });
    e.source.postMessage({ subject: "lti.capabilities.response", message_id: m.message_id, supported_messages: list }, e.origin);
  });
  // The grade book follows the scores; the tool's frame stays as it is.
  setInterval(function () {
    if (document.hidden) return;
    fetch(location.pathname).then(function (r) { return r.text(); }).then(function (t) {
      var fresh = new DOMParser().parseFromString(t, "text/html").getElementById("grades");
      if (fresh) document.getElementById("grades").replaceWith(fresh);
    }).catch(function () { /* the simulator has stopped: keep what is shown */ });
  }, 3000);
})();
