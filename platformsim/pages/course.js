(function () {
  var form = document.getElementById("launch"), view = document.getElementById("view");
  if (form) form.addEventListener("submit", function () {
    // A window keeps its opener: tools look for the storage frame there.
    form.target = view.value === "window" ? "platformsim_tool_window" : "tool_content";
    if (view.value === "window") window.open("about:blank", form.target);
  });
  if (document.body.dataset.storage) return; // this page keeps the values itself: storage.js answers
  var frame = document.querySelector("iframe.storage");
  window.addEventListener("message", function (e) {
    var m = e.data;
    if (!m || typeof m !== "object" || m.subject !== "lti.capabilities" || !e.source) return;
    var list = [{ subject: "lti.capabilities" }];
    if (frame) ["lti.put_data", "lti.get_data"].forEach(function (s) { list.push({ subject: s, frame: frame.name }); });
    e.source.postMessage({ subject: "lti.capabilities.response", message_id: m.message_id, supported_messages: list }, e.origin);
  });
})();
