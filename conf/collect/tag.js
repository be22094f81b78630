/* Merganser's event tag.
 * <script async src="https://news.example.com/tag.js" data-key="WRITE KEY"></script>
 * mrg("track", "Product Viewed", {sku: "4711"}); mrg("page"); mrg("consent", true) */
(function (w, d, n) {
  "use strict";
  var queued = (w.mrg && w.mrg.q) || [];
  var off = n.globalPrivacyControl || n.doNotTrack === "1" || w.doNotTrack === "1";
  if (off) {
    w.mrg = function () {};
    return;
  }
  var script = d.currentScript || d.querySelector("script[data-key][src*='/tag.js']");
  var key = script.getAttribute("data-key");
  var base = script.src.replace(/tag\.js.*$/, "v1/");
  var NAME = "mrg";
  var stored = {};
  try { stored = JSON.parse(w.localStorage.getItem(NAME)) || {}; } catch (e) {}
  function random() {
    if (w.crypto && w.crypto.randomUUID) return w.crypto.randomUUID();
    return Math.random().toString(36).slice(2) + Date.now().toString(36);
  }
  var me = {anonymousId: stored.anonymousId || random(), mrgId: stored.mrgId};
  var consent = !!stored.anonymousId;
  function keep() {
    try { w.localStorage.setItem(NAME, JSON.stringify(me)); } catch (e) {}
  }
  function send(type, fields) {
    var body = {writeKey: key, messageId: random(), timestamp: new Date().toISOString()};
    var name;
    for (name in me) if (me[name]) body[name] = me[name];
    for (name in fields) body[name] = fields[name];
    body = JSON.stringify(body);
    if (n.sendBeacon && n.sendBeacon(base + type, body)) return;
    if (w.fetch) w.fetch(base + type, {method: "POST", body: body, keepalive: true, mode: "no-cors"});
  }
  var verbs = {
    track: function (name, properties) {
      send("track", {event: String(name), properties: properties || {}});
    },
    page: function (name, properties) {
      properties = properties || {};
      properties.path = properties.path || w.location.pathname;
      properties.title = properties.title || d.title;
      send("page", {name: name || "", properties: properties});
    },
    /* Only then is anything kept in the browser. */
    consent: function (given) {
      consent = !!given;
      if (consent) return keep();
      try { w.localStorage.removeItem(NAME); } catch (e) {}
    }
  };
  w.mrg = function (verb) {
    if (verbs[verb]) verbs[verb].apply(null, [].slice.call(arguments, 1));
  };
  /* The sealed id of a click: taken out of the address, so that nobody shares it. */
  var found = /[?&]mrg_id=([\w-]+)/.exec(w.location.search);
  if (found) {
    me.mrgId = found[1];
    if (w.history.replaceState) {
      var rest = w.location.search.replace(/([?&])mrg_id=[\w-]+(&|$)/, "$1").replace(/[?&]$/, "");
      w.history.replaceState(w.history.state, "", w.location.pathname + rest + w.location.hash);
    }
    if (consent) keep();
    send("identify", {});
  }
  queued.forEach(function (args) { w.mrg.apply(null, args); });
})(window, document, navigator);
