// Local times, the connection state and protection against accidental taps. Without it the page still works,
// but has to be reloaded.
(() => {
  "use strict";

  const SILENCE_MS = 11_000; // the server sends a heartbeat every 4 s
  const LOCK_MS = 400; // buttons of a card that just appeared or moved are disabled this long
  const IDLE_MS = 10_000; // decided cards are removed when the page was idle this long
  const RETRY_MS = 2_000;
  const MAX_SEEN_REPORT = 100; // the server accepts at most 200

  const stream = document.getElementById("stream");
  const state = document.getElementById("connection");
  const lost = document.getElementById("lost");
  const title = document.title.replace(/^\(\d+\) /, "");

  let connection = null;
  let lastHeartbeat = Date.now();
  let lastInput = Date.now();
  let offset = Number(state.dataset.now) - Date.now(); // server clock minus local clock
  let superseded = false;

  // -- the stream

  function show(name, text, warning) {
    if (state.textContent !== text) state.textContent = text;
    document.body.dataset.connection = name;
    lost.hidden = !warning;
    if (warning && lost.textContent !== warning) lost.textContent = warning;
  }

  function disconnected() {
    show("lost", "NOT CONNECTED", "NOT CONNECTED. This page may be out of date. A decision is valid only if the server still has the same request waiting.");
  }

  document.addEventListener("htmx:sse:after:connection", (event) => {
    connection = event.detail.connection;
    lastHeartbeat = Date.now();
  });

  stream.addEventListener("heartbeat", (event) => {
    const { now, problem } = JSON.parse(event.detail.data);
    lastHeartbeat = Date.now();
    offset = now - lastHeartbeat;
    show("live", "Connected");
    const exchange = document.getElementById("exchange");
    exchange.hidden = !problem;
    exchange.textContent = exchange.title = problem ?? "";
  });

  stream.addEventListener("superseded", () => {
    superseded = true;
    show("superseded", "Not updating", "This tab no longer updates; its buttons still work. Reload it to get updates again.");
    stream.remove(); // otherwise htmx would connect again
  });

  document.addEventListener("htmx:sse:error", (event) => {
    if (event.detail.status === 401) location.reload();
    else if (!superseded) disconnected();
  });

  document.addEventListener("htmx:response:error", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement === stream && ctx.response.status === 401) location.reload();
  });

  function checkSilence() {
    if (superseded || Date.now() - lastHeartbeat < SILENCE_MS) return;
    disconnected();
    connection?.reader?.cancel(); // htmx does not notice a frozen server; this makes it reconnect
  }

  // -- times

  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

  function localise(root) {
    for (const time of root.querySelectorAll("time:not(.countdown)")) {
      const at = new Date(time.dateTime);
      const today = at.toDateString() === new Date().toDateString();
      time.title = time.dateTime.slice(0, 19).replace("T", " ") + " UTC";
      time.textContent = (today ? "" : day.format(at) + ", ") + clock.format(at);
    }
  }

  function timeLeft(seconds) {
    if (seconds <= 0) return "expired";
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const two = (number) => String(number).padStart(2, "0");
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  }

  function countDown() {
    for (const time of document.querySelectorAll("time.countdown")) {
      const seconds = Math.ceil((Number(time.dataset.expiresAt) - Date.now() - offset) / 1000);
      time.textContent = timeLeft(seconds);
      time.classList.toggle("soon", seconds < 60);
    }
  }

  // -- cards

  function lock(card) {
    const focused = document.activeElement;
    const buttons = [...card.querySelectorAll(".buttons button:enabled")];
    for (const button of buttons) button.disabled = true;
    setTimeout(() => {
      for (const button of buttons) button.disabled = false;
      if (buttons.includes(focused) && document.activeElement === document.body) focused.focus();
    }, LOCK_MS);
  }

  function lockAll() {
    document.querySelectorAll(".card.waiting").forEach(lock);
  }

  function removeDecided() {
    const since = Date.now() - IDLE_MS;
    if (lastInput > since) return;
    const decided = [...document.querySelectorAll("#pending .settled")].filter((card) => card.dataset.since < since);
    for (const card of decided) card.remove();
    if (decided.length) lockAll();
  }

  for (const kind of ["pointerdown", "pointermove", "keydown", "scroll", "focusin"]) {
    addEventListener(kind, () => { lastInput = Date.now(); }, { passive: true, capture: true });
  }

  // A replaced card keeps its height, so that nothing moves under a finger.
  document.addEventListener("htmx:before:swap", (event) => {
    for (const { fragment, swapSpec } of event.detail.tasks) {
      const card = fragment.querySelector(".card");
      const before = card && document.getElementById(card.id);
      if (!before || !["outerHTML", "upsert"].includes(swapSpec.style)) continue;
      if (before.contains(document.activeElement)) card.dataset.focus = "";
      if (card.matches(".waiting")) continue;
      card.dataset.since = Date.now();
      card.style.minHeight = `${before.getBoundingClientRect().height}px`;
    }
  });

  document.addEventListener("htmx:after:settle", (event) => {
    for (const added of event.detail.newContent) {
      if (!(added instanceof Element)) continue;
      localise(added.parentElement ?? added);
      if (added.matches(".card")) lock(added);
      if (added.matches(".against, .halt, .halted")) lockAll(); // its height may have changed
      if ("focus" in added.dataset) added.focus({ preventScroll: true });
    }
    countDown();
    const count = Number(document.getElementById("count").textContent);
    document.title = (count ? `(${count}) ` : "") + title;
  });

  // A click without a response: ask the server whether it was recorded.
  document.addEventListener("htmx:error", (event) => {
    const source = event.detail.ctx?.sourceElement;
    const card = source?.closest?.(".card");
    if (card) reloadCard(card);
    const problem = source?.closest?.("#trading") && source.querySelector(".problem");
    if (problem) problem.textContent = "Not confirmed: the broker did not answer. Try again, or use `broker halt` on its machine.";
  });

  async function reloadCard(card) {
    card.querySelector(".problem").textContent = "Not confirmed, checking …";
    await new Promise((done) => setTimeout(done)); // htmx enables the buttons first
    const response = await fetchUntilOk(`/intents/${card.id.slice("intent-".length)}`, () => {
      for (const button of card.querySelectorAll(".buttons button")) button.disabled = true;
    });
    if (response.redirected) return location.reload();
    if (!card.isConnected) return; // the stream replaced it first
    const text = await response.text();
    await htmx.swap({ text, sourceElement: card, target: card, swap: "outerHTML", select: ".card" });
    const problem = document.querySelector(`#${card.id} .stub .problem`);
    if (problem) problem.textContent = "Not recorded so far. You can safely decide again: only the first decision counts.";
  }

  async function fetchUntilOk(address, beforeEach) {
    for (;;) {
      beforeEach();
      try {
        const response = await fetch(address, { signal: AbortSignal.timeout(5_000) });
        if (response.ok) return response;
      } catch { /* retried below */ }
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }

  // -- report seen requests, only while the page is visible

  const reported = new Set(); // digests

  async function reportSeen() {
    if (document.visibilityState !== "visible") return;
    const digestOf = (card) => card.querySelector("[name=digest]")?.value; // new figures are reported again
    const unreported = [...document.querySelectorAll(".card.waiting")].filter((card) => !reported.has(digestOf(card)));
    const cards = unreported.slice(0, MAX_SEEN_REPORT); // the others a second later
    if (!cards.length) return;
    const digests = cards.map(digestOf);
    for (const digest of digests) reported.add(digest);
    const body = new URLSearchParams(cards.map((card) => ["id", card.dataset.intent]));
    const ok = await fetch("/seen", { method: "POST", body }).then((response) => response.ok, () => false);
    if (!ok) setTimeout(() => digests.forEach((digest) => reported.delete(digest)), RETRY_MS);
  }

  document.addEventListener("visibilitychange", reportSeen);

  // -- start

  show("connecting", "Connecting …");
  localise(document);
  countDown();
  lockAll();
  setInterval(() => { countDown(); checkSilence(); removeDecided(); reportSeen(); }, 1_000);
})();
