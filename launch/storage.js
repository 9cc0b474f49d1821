// SPDX-License-Identifier: Apache-2.0
// LTI postMessage storage: puts the secret of a login into the platform's storage, or gets it back.
(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("ltisidecar").textContent);
  var subject = data.value ? "lti.put_data" : "lti.get_data";
  var id = "ltisidecar-" + data.key + "-" + subject;
  var peer = null, done = false;

  function find() {
    var base = window.parent !== window ? window.parent : window.opener;
    if (!base) { return null; }
    if (data.target === "_parent") { return base; }
    // Looking up a frame that does not exist in a page of another origin throws.
    try { return base.frames[data.target] || null; } catch (e) { return null; }
  }

  function finish(proof) {
    if (done) { return; }
    done = true;
    clearInterval(repeat);
    clearTimeout(deadline);
    if (data.value) { location.replace(data.next); return; }
    var form = document.createElement("form");
    form.method = "post";
    form.action = location.href;
    data.parameters.concat([{ Name: data.proof_name, Value: proof }]).forEach(function (parameter) {
      var input = document.createElement("input");
      input.type = "hidden";
      input.name = parameter.Name;
      input.value = parameter.Value;
      form.appendChild(input);
    });
    document.body.appendChild(form);
    form.submit();
  }

  function send() {
    // A frame that is still loading swallows messages, so the message is sent again until the deadline.
    peer = find() || peer;
    if (!peer) { return; }
    var message = { subject: subject, message_id: id, key: data.key };
    if (data.value) { message.value = data.value; }
    try { peer.postMessage(message, data.origin); } catch (e) { /* a closed window: the deadline ends it */ }
  }

  window.addEventListener("message", function (event) {
    var answer = event.data;
    if (!peer || event.source !== peer || event.origin !== data.origin || !answer || typeof answer !== "object") { return; }
    if (answer.subject !== subject + ".response" || answer.message_id !== id) { return; }
    finish(!answer.error && typeof answer.value === "string" ? answer.value : "");
  });
  var repeat = setInterval(send, 200);
  var deadline = setTimeout(function () { finish(""); }, 1500);
  send();
})();
