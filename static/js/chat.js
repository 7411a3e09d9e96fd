// A talk that goes on by itself: what others write appears, what is written here waits until it is sent, in order and
// once. Every text has a number of its own (client_id) before its first try, so that trying again cannot double it.
(() => {
  const talk = document.querySelector("[data-conversation]");
  if (!talk) return;
  const { conversation, side, sinceUrl, sendUrl, readUrl, deliveredUrl } = talk.dataset;
  const list = talk.querySelector("[data-bubbles]");
  const scroller = talk.querySelector("[data-scroll]");
  const form = talk.querySelector("[data-composer]");
  const isOlder = new URLSearchParams(location.search).has("before");
  const key = `petplace-outbox-${document.body.dataset.person}-${conversation}`;
  const token = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  const json = (url, body) =>
    fetch(url, { method: "POST", body, headers: { Accept: "application/json", "X-CSRFToken": token() } });

  let last = Math.max(0, ...[...list.querySelectorAll("[data-seq]")].map((one) => Number(one.dataset.seq)));
  if (!isOlder) last = Math.max(last, Number(talk.dataset.lastSeq));

  // --- Scrolling ----------------------------------------------------------------------------------

  const isAtEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 100;
  const toEnd = () => {
    scroller.scrollTop = scroller.scrollHeight;
    jump.hidden = true;
  };
  const jump = document.createElement("button");
  jump.type = "button";
  jump.className = "btn btn-sm btn-primary talk-jump";
  jump.textContent = "New messages";
  jump.hidden = true;
  jump.addEventListener("click", () => (isOlder ? location.assign(location.pathname) : toEnd()));
  scroller.after(jump);
  scroller.addEventListener("scroll", () => {
    if (isAtEnd() && !isOlder) jump.hidden = true;
  });
  if (!isOlder) toEnd();

  // --- What comes ---------------------------------------------------------------------------------

  const mark = (seen, delivered) => {
    for (const bubble of list.querySelectorAll(".is-own[data-seq]")) {
      const seq = Number(bubble.dataset.seq);
      const state = seq <= seen ? "seen" : seq <= delivered ? "delivered" : null;
      if (!state || bubble.dataset.state === "seen") continue;
      bubble.dataset.state = state;
      const label = bubble.querySelector("[data-state-label]");
      if (label) label.textContent = state === "seen" ? "Seen" : "Delivered";
    }
  };

  const add = (bubbles) => {
    let fresh = 0;
    for (const bubble of bubbles) {
      const seq = Number(bubble.dataset.seq ?? 0);
      if (bubble.dataset.seq && (seq <= last || list.querySelector(`[data-seq="${seq}"]`))) continue;
      const id = bubble.dataset.clientId;
      if (id) {
        pending.get(id)?.remove();
        pending.delete(id);
        drop(id);
      }
      const first = list.querySelector(".is-pending");
      list.insertBefore(bubble, first); // what is not sent yet stays below
      if (seq) {
        last = seq;
        fresh += 1;
      }
    }
    return fresh;
  };

  let asking = false;
  let again = false;
  const ask = async () => {
    if (isOlder) {
      jump.hidden = false;
      return;
    }
    again = true;
    if (asking) return;
    asking = true;
    try {
      while (again) {
        again = false;
        const answer = await fetch(`${sinceUrl}${last}/`, { cache: "no-store" });
        if (!answer.ok || answer.redirected) return;
        const made = document.createElement("template");
        made.innerHTML = await answer.text();
        const stays = isAtEnd();
        const fresh = add([...made.content.children]);
        mark(Number(answer.headers.get("X-Seen-Seq")), Number(answer.headers.get("X-Delivered-Seq")));
        if (!fresh) continue;
        talk.querySelector(".talk-empty")?.remove();
        if (stays) toEnd();
        else jump.hidden = false;
        tell();
        again ||= fresh >= 200;
      }
    } catch {
      setTimeout(ask, 5000);
    } finally {
      asking = false;
    }
  };

  // --- What was read ------------------------------------------------------------------------------

  let told = Number(talk.dataset.readSeq);
  let telling = 0;
  const tell = () => {
    clearTimeout(telling);
    telling = setTimeout(async () => {
      const upto = last;
      const isRead = document.visibilityState === "visible";
      if (isOlder || upto <= told) return;
      try {
        const answer = await json(isRead ? readUrl : deliveredUrl, new URLSearchParams({ upto }));
        if (answer.ok && isRead) told = Math.max(told, upto);
      } catch {
        // The next message, or coming back to this page, tells again
      }
    }, 300);
  };
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") tell();
  });

  document.addEventListener("live:message", ({ detail }) => {
    if (detail.conversation === conversation && detail.seq > last) ask();
  });
  document.addEventListener("live:read", ({ detail }) => {
    if (detail.conversation === conversation && detail.side !== side) mark(detail.seq, detail.delivered ?? 0);
  });
  for (const kind of ["reset", "hello"]) document.addEventListener(`live:${kind}`, ask);
  tell();

  // --- What is written ----------------------------------------------------------------------------

  const pending = new Map(); // client_id -> bubble
  const files = new Map(); // client_id -> photo: only as long as this page is open
  let unsaved = [];
  const outbox = () => {
    try {
      return JSON.parse(localStorage.getItem(key) ?? "[]").concat(unsaved);
    } catch {
      return unsaved;
    }
  };
  const save = (items) => {
    unsaved = items.filter((one) => files.has(one.id));
    const kept = items.filter((one) => !files.has(one.id));
    try {
      if (kept.length) localStorage.setItem(key, JSON.stringify(kept));
      else localStorage.removeItem(key);
    } catch {
      unsaved = items; // storage is switched off: it lasts as long as this page
    }
  };
  const drop = (id) => {
    if (outbox().some((one) => one.id === id)) save(outbox().filter((one) => one.id !== id));
    files.delete(id);
  };
  const sorted = () => outbox().sort((one, other) => one.at - other.at);
  if (!form) {
    save([]); // closed or blocked: nothing goes out any more
    return;
  }

  const field = form.elements.namedItem("text");
  const photo = form.elements.namedItem("photo");
  const uuid = () => {
    if (crypto.randomUUID) return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16)); // without TLS there is no randomUUID
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const hex = [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
    return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
  };

  const draw = (item) => {
    const bubble = document.createElement("li");
    bubble.className = "bubble is-own is-first is-pending";
    bubble.dataset.clientId = item.id;
    const body = document.createElement("div");
    body.className = "bubble-body";
    const text = document.createElement("p");
    text.className = "bubble-text";
    text.dir = "auto";
    text.textContent = files.has(item.id) ? `Photo: ${files.get(item.id).name}${item.text ? `\n${item.text}` : ""}` : item.text;
    const foot = document.createElement("span");
    foot.className = "bubble-foot";
    body.append(text, foot);
    bubble.append(body);
    list.append(bubble);
    pending.set(item.id, bubble);
    word(item);
    talk.querySelector(".talk-empty")?.remove();
    return bubble;
  };
  const word = (item, state = "Sending…") => {
    const foot = pending.get(item.id)?.querySelector(".bubble-foot");
    if (foot) foot.textContent = item.error ? "Not sent" : state;
    const bubble = pending.get(item.id);
    bubble?.classList.toggle("is-failed", Boolean(item.error));
    if (!item.error || !bubble || bubble.querySelector(".bubble-failed")) return;
    const row = document.createElement("p");
    row.className = "bubble-failed";
    row.setAttribute("role", "alert");
    const why = document.createElement("span");
    why.textContent = item.error;
    const retry = document.createElement("button");
    retry.type = "button";
    retry.className = "btn btn-sm btn-ghost";
    retry.textContent = "Edit";
    retry.addEventListener("click", () => {
      field.value = [item.text, field.value].filter(Boolean).join("\n");
      bubble.remove();
      pending.delete(item.id);
      drop(item.id);
      field.focus();
    });
    row.append(why, retry);
    bubble.append(row);
  };
  const fail = (item, error) => {
    const items = outbox().map((one) => (one.id === item.id ? { ...one, error } : one));
    save(items);
    word({ ...item, error });
  };

  let wait = 0;
  let timer = 0;
  const retryIn = (seconds) => {
    clearTimeout(timer);
    timer = setTimeout(flush, seconds * 1000);
  };
  // Returns whether to go on with the next one.
  const send = async (item) => {
    const body = new FormData();
    body.set("text", item.text);
    body.set("client_id", item.id);
    if (files.has(item.id)) body.set("photo", files.get(item.id));
    let answer;
    try {
      answer = await json(sendUrl, body);
    } catch {
      word(item, "Waiting for a connection");
      wait = Math.min(Math.max(wait * 2, 2), 30);
      retryIn(wait);
      return false;
    }
    if (answer.redirected || answer.status === 401) {
      word(item, "Please sign in again to send this");
      return false;
    }
    if (answer.status === 429 || answer.status >= 500) {
      const told = Number(answer.headers.get("Retry-After")) || Math.min(Math.max(wait * 2, 2), 30);
      word(item, answer.status === 429 ? "Sent in a moment" : "Waiting for the server");
      wait = told;
      retryIn(told);
      return false;
    }
    wait = 0;
    if (answer.ok) {
      drop(item.id);
      word(item, "Sent");
      await ask();
      return true;
    }
    const { detail } = await answer.json().catch(() => ({}));
    fail(item, detail || "This message could not be sent.");
    return true;
  };

  let flushing = false;
  const flush = async () => {
    if (flushing) return;
    flushing = true;
    clearTimeout(timer);
    const all = async () => {
      let item;
      while ((item = sorted().find((one) => !one.error))) if (!(await send(item))) break;
    };
    try {
      // Two tabs with the same talk: one sends
      await (navigator.locks ? navigator.locks.request(key, all) : all());
    } finally {
      flushing = false;
    }
  };

  const chosen = document.createElement("p");
  chosen.className = "composer-chosen";
  chosen.hidden = true;
  const chosenName = document.createElement("span");
  const chosenOff = document.createElement("button");
  chosenOff.type = "button";
  chosenOff.className = "btn btn-sm btn-ghost";
  chosenOff.textContent = "Remove";
  chosen.append(chosenName, chosenOff);
  form.prepend(chosen);
  const showChosen = () => {
    chosen.hidden = !photo.files.length;
    chosenName.textContent = photo.files[0]?.name ?? "";
  };
  photo.addEventListener("change", showChosen);
  chosenOff.addEventListener("click", () => {
    photo.value = "";
    showChosen();
    field.focus();
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    delete form.dataset.sent;
    const text = field.value.trim();
    if (!text && !photo.files.length) return;
    const item = { id: uuid(), text, at: Date.now() };
    if (photo.files.length) files.set(item.id, photo.files[0]);
    save([...outbox(), item]);
    draw(item);
    field.value = "";
    photo.value = "";
    showChosen();
    form.querySelectorAll(".composer-error").forEach((one) => one.remove());
    toEnd();
    field.focus();
    flush();
  });
  field.addEventListener("keydown", (event) => {
    const isPlain = event.key === "Enter" && !event.shiftKey && !event.isComposing;
    if (!isPlain || !matchMedia("(pointer: fine)").matches) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-quick]");
    if (!chip) return;
    event.preventDefault();
    field.value = [field.value.trim(), chip.dataset.quick].filter(Boolean).join("\n");
    field.focus();
  });

  // What was not sent when this page was left. Some of it may have arrived all the same.
  for (const item of sorted()) {
    const there = list.querySelector(`[data-client-id="${CSS.escape(item.id)}"]`);
    if (there) drop(item.id);
    else draw(item);
  }
  if (pending.size && !isOlder) toEnd();
  window.addEventListener("online", flush);
  document.addEventListener("live:state", ({ detail }) => {
    if (detail.state === "open") flush();
  });
  flush();
})();
