// SPDX-License-Identifier: Apache-2.0
(function () {
  // Values live as long as this page, apart for each origin that stores them.
  var store = new Map(), maxKeys = 500, maxLength = 4096;
  window.addEventListener("message", function (e) {
    var m = e.data;
    if (!m || typeof m !== "object" || typeof m.subject !== "string" || !e.source || e.origin === "null") return;
    function reply(more) {
      e.source.postMessage(Object.assign({ subject: m.subject + ".response", message_id: m.message_id }, more), e.origin);
    }
    function fail(code, message) { reply({ error: { code: code, message: message } }); }
    if (m.subject === "lti.capabilities") {
      return reply({ supported_messages: [{ subject: "lti.capabilities" }, { subject: "lti.put_data" }, { subject: "lti.get_data" }] });
    }
    if (m.subject !== "lti.put_data" && m.subject !== "lti.get_data") {
      if (m.subject.indexOf("lti.") === 0 && !/\.response$/.test(m.subject)) fail("unsupported_subject", m.subject);
      return;
    }
    if (typeof m.key !== "string" || !m.key || !m.message_id) return fail("bad_request", "key and message_id are needed");
    var name = e.origin + "\n" + m.key;
    if (m.subject === "lti.get_data") return reply({ key: m.key, value: store.has(name) ? store.get(name) : null });
    if (m.value === null || m.value === undefined) { store.delete(name); return reply({ key: m.key, value: null }); }
    if (typeof m.value !== "string" || m.value.length > maxLength || m.key.length > maxLength) return fail("bad_request", "value must be text of at most 4096 characters");
    if (!store.has(name) && store.size >= maxKeys) return fail("storage_exhaustion", "too many keys");
    store.set(name, m.value);
    reply({ key: m.key, value: m.value });
  });
})();
