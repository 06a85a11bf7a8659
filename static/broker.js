// What a page needs beyond htmx: times, the state of the stream, and care about taps. Without it the page
// still works, one reload at a time.
(() => {
  "use strict";

  const SILENCE_MS = 11_000; // the server is heard every 4 s
  const REST_MS = 400; // a card that just appeared or moved can't be tapped by accident
  const IDLE_MS = 10_000; // decided cards leave once nobody has touched the page for so long
  const ASK_AGAIN_MS = 2_000;
  const SEEN_AT_ONCE = 100; // the server takes no more than 200

  const stream = document.getElementById("stream");
  const state = document.getElementById("connection");
  const lost = document.getElementById("lost");
  const title = document.title.replace(/^\(\d+\) /, "");

  let connection = null;
  let heard = Date.now();
  let touched = Date.now();
  let ahead = Number(state.dataset.now) - Date.now(); // of this machine's clock
  let superseded = false;

  // -- the stream

  function show(name, text, warning) {
    if (state.textContent !== text) state.textContent = text;
    document.body.dataset.connection = name;
    lost.hidden = !warning;
    if (warning && lost.textContent !== warning) lost.textContent = warning;
  }

  function disconnected() {
    show("lost", "NOT CONNECTED", "NOT CONNECTED. What stands here may be old. A decision still counts only for what the server has waiting.");
  }

  document.addEventListener("htmx:sse:after:connection", (event) => {
    connection = event.detail.connection;
    heard = Date.now();
  });

  stream.addEventListener("heartbeat", (event) => {
    const { now, problem } = JSON.parse(event.detail.data);
    heard = Date.now();
    ahead = now - heard;
    show("live", "Connected");
    const exchange = document.getElementById("exchange");
    exchange.hidden = !problem;
    exchange.textContent = exchange.title = problem ?? "";
  });

  stream.addEventListener("superseded", () => {
    superseded = true;
    show("superseded", "Not followed here", "This tab no longer updates; its buttons still work. Reload to follow here again.");
    stream.remove(); // or htmx would connect again
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
    if (superseded || Date.now() - heard < SILENCE_MS) return;
    disconnected();
    connection?.reader?.cancel(); // htmx does not notice a peer that is frozen; now it connects again
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

  function left(seconds) {
    if (seconds <= 0) return "time is up";
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const two = (number) => String(number).padStart(2, "0");
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  }

  function countDown() {
    for (const time of document.querySelectorAll("time.countdown")) {
      const seconds = Math.ceil((Number(time.dataset.expiresAt) - Date.now() - ahead) / 1000);
      time.textContent = left(seconds);
      time.classList.toggle("soon", seconds < 60);
    }
  }

  // -- cards

  function rest(card) {
    const focused = document.activeElement;
    const buttons = [...card.querySelectorAll(".buttons button:enabled")];
    for (const button of buttons) button.disabled = true;
    setTimeout(() => {
      for (const button of buttons) button.disabled = false;
      if (buttons.includes(focused) && document.activeElement === document.body) focused.focus();
    }, REST_MS);
  }

  function restAll() {
    document.querySelectorAll(".card.waiting").forEach(rest);
  }

  function sweep() {
    const since = Date.now() - IDLE_MS;
    if (touched > since) return;
    const decided = [...document.querySelectorAll("#pending .settled")].filter((card) => card.dataset.since < since);
    for (const card of decided) card.remove();
    if (decided.length) restAll();
  }

  for (const kind of ["pointerdown", "pointermove", "keydown", "scroll", "focusin"]) {
    addEventListener(kind, () => { touched = Date.now(); }, { passive: true, capture: true });
  }

  // What replaces a card is as high as the card was, so that nothing moves under a finger.
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
      if (added.matches(".card")) rest(added);
      if (added.matches(".against, .halt, .halted")) restAll(); // it may have grown
      if ("focus" in added.dataset) added.focus({ preventScroll: true });
    }
    countDown();
    const count = Number(document.getElementById("count").textContent);
    document.title = (count ? `(${count}) ` : "") + title;
  });

  // A click without an answer: nobody knows whether it counted until the server says.
  document.addEventListener("htmx:error", (event) => {
    const source = event.detail.ctx?.sourceElement;
    const card = source?.closest?.(".card");
    if (card) askUntilAnswered(card);
    const problem = source?.closest?.("#trading") && source.querySelector(".problem");
    if (problem) problem.textContent = "Not confirmed: the broker did not answer. Try again, or use `broker halt` on its machine.";
  });

  async function askUntilAnswered(card) {
    card.querySelector(".problem").textContent = "Not confirmed, checking …";
    await new Promise((done) => setTimeout(done)); // htmx enables the buttons first
    const answer = await ask(`/intents/${card.id.slice("intent-".length)}`, () => {
      for (const button of card.querySelectorAll(".buttons button")) button.disabled = true;
    });
    if (answer.redirected) return location.reload();
    if (!card.isConnected) return; // the stream said it first
    const text = await answer.text();
    await htmx.swap({ text, sourceElement: card, target: card, swap: "outerHTML", select: ".card" });
    const problem = document.querySelector(`#${card.id} .stub .problem`);
    if (problem) problem.textContent = "Not recorded so far. Deciding again is safe: only the first decision counts.";
  }

  async function ask(address, eachTime) {
    for (;;) {
      eachTime();
      try {
        const answer = await fetch(address, { signal: AbortSignal.timeout(5_000) });
        if (answer.ok) return answer;
      } catch { /* asked again */ }
      await new Promise((done) => setTimeout(done, ASK_AGAIN_MS));
    }
  }

  // -- what was seen: only of a page that somebody can look at

  const seen = new Set();

  async function tellSeen() {
    if (document.visibilityState !== "visible") return;
    const shown = (card) => card.querySelector("[name=digest]")?.value; // shown anew, it is seen anew
    const untold = [...document.querySelectorAll(".card.waiting")].filter((card) => !seen.has(shown(card)));
    const cards = untold.slice(0, SEEN_AT_ONCE); // the others a second later
    if (!cards.length) return;
    const digests = cards.map(shown);
    for (const digest of digests) seen.add(digest);
    const body = new URLSearchParams(cards.map((card) => ["id", card.dataset.intent]));
    const told = await fetch("/seen", { method: "POST", body }).then((answer) => answer.ok, () => false);
    if (!told) setTimeout(() => digests.forEach((digest) => seen.delete(digest)), ASK_AGAIN_MS);
  }

  document.addEventListener("visibilitychange", tellSeen);

  // -- start

  show("connecting", "Connecting …");
  localise(document);
  countDown();
  restAll();
  setInterval(() => { countDown(); checkSilence(); sweep(); tellSeen(); }, 1_000);
})();
