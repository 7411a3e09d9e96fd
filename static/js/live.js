// What happens elsewhere, on this page at once. One stream for all tabs of a person: the tab that holds the lock reads
// it and tells the others. Where no stream can be had the tab asks from time to time, and nobody is bothered with that.
// Each line becomes a DOM event: document.addEventListener("live:message", (event) => event.detail.conversation)
(() => {
  const { person, live, liveSince } = document.body.dataset;
  if (!person || !live || !("EventSource" in window)) return;

  const KINDS = ["message", "read", "booking", "notification", "badge"];
  const POLL_EVERY = 10000;
  const REMEMBERED = 50; // lines for a tab that opens a moment later
  const name = `petplace-live-${person}`;
  const root = document.documentElement;

  // --- Places -------------------------------------------------------------------------------------

  let place = "";
  const isNewer = (one, other) => {
    if (!one || !other) return Boolean(one);
    const [left, right] = [one.split("-").map(BigInt), other.split("-").map(BigInt)];
    return left[0] === right[0] ? left[1] > right[1] : left[0] > right[0];
  };
  const move = (to) => {
    if (isNewer(to, place)) place = to;
  };

  const dispatch = (kind, detail = {}) => document.dispatchEvent(new CustomEvent(`live:${kind}`, { detail }));
  const show = (line) => {
    if (line.kind !== "reset" && !isNewer(line.id, place)) return;
    if (line.kind === "reset") place = line.id;
    else move(line.id);
    dispatch(line.kind, line.data);
  };
  const setState = (state) => {
    if (root.dataset.live === state) return;
    root.dataset.live = state;
    dispatch("state", { state });
  };

  // --- The tab that reads -------------------------------------------------------------------------

  let channel = null;
  let source = null;
  let release = null; // set while this tab reads
  let poller = 0;
  let retry = 0;
  let pause = 0;
  let recent = [];

  const post = (message) => channel?.postMessage(message);
  const take = (line) => {
    recent = [...recent, { ...line, at: Date.now() }].slice(-REMEMBERED);
    show(line);
    post({ type: "line", line });
  };
  const say = (state) => {
    setState(state);
    post({ type: "state", state, place });
  };
  const stop = () => {
    clearTimeout(retry);
    clearInterval(poller);
    retry = poller = 0;
    source?.close();
    source = null;
  };
  const end = () => {
    stop();
    say("off"); // signed out, or somebody else is signed in: this page gets no more
  };
  const query = () => (place ? `after=${place}` : `since=${liveSince}`);

  const ask = async () => {
    try {
      const answer = await fetch(`${live}poll/?${query()}`, { cache: "no-store" });
      if (answer.status === 401 || answer.status === 403) return end();
      if (!answer.ok) return undefined;
      const body = await answer.json();
      if (body.user !== person) return end();
      if (body.reset) take({ kind: "reset", id: body.place, data: {} });
      for (const line of body.events) take(line);
      move(body.place);
      if (source?.readyState !== EventSource.OPEN && release) say("polling");
    } catch {
      // No network: the browser says so where it matters
    }
    return undefined;
  };
  const poll = () => {
    if (poller || !release) return;
    poller = setInterval(ask, POLL_EVERY);
    ask();
  };

  const connect = () => {
    if (!release) return;
    clearTimeout(retry);
    source?.close();
    source = new EventSource(`${live}?${query()}`);
    const mine = source;
    source.addEventListener("open", () => {
      pause = 0;
      clearInterval(poller);
      poller = 0;
      say("open");
    });
    source.addEventListener("hello", (event) => {
      if (JSON.parse(event.data).user !== person) end();
      else dispatch("hello");
    });
    source.addEventListener("place", (event) => move(event.lastEventId));
    for (const kind of [...KINDS, "reset"]) {
      source.addEventListener(kind, (event) => take({ kind, id: event.lastEventId, data: JSON.parse(event.data) }));
    }
    source.addEventListener("crowded", () => {
      mine.close();
      later(60000);
    });
    source.addEventListener("error", () => {
      if (mine !== source) return;
      if (mine.readyState === EventSource.CLOSED) later();
      else setTimeout(() => mine === source && mine.readyState !== EventSource.OPEN && poll(), 5000); // it comes back by itself
    });
  };
  const later = (at) => {
    poll();
    pause = at ?? Math.min(Math.max(pause * 2, 30000), 300000);
    clearTimeout(retry);
    retry = setTimeout(connect, pause);
  };

  // --- The tabs -----------------------------------------------------------------------------------

  const tab = `${Date.now()}-${Math.random()}`;
  const hear = ({ data }) => {
    if (data.type === "line") show(data.line);
    else if (data.type === "state" && !release) {
      setState(data.state);
      if (!place) move(data.place);
    } else if (data.type === "new" && release) {
      const missed = recent.filter((line) => line.at >= data.since);
      post({ type: "missed", tab: data.tab, missed, place, state: root.dataset.live });
    } else if (data.type === "missed" && data.tab === tab && !release) {
      for (const line of data.missed) show(line);
      move(data.place);
      setState(data.state);
    }
  };
  const lead = () =>
    new Promise((resolve) => {
      release = resolve;
      connect();
    });
  const begin = () => {
    if ("BroadcastChannel" in window) {
      channel = new BroadcastChannel(name);
      channel.addEventListener("message", hear);
      post({ type: "new", tab, since: performance.timeOrigin });
    }
    const wanting = new AbortController();
    if (navigator.locks) {
      navigator.locks.request(name, { signal: wanting.signal }, lead).catch(() => {
        // The page was left before it was its turn
      });
    } else lead();
    return wanting;
  };
  let wanting = begin();
  window.addEventListener("pagehide", () => {
    stop();
    wanting.abort();
    release?.();
    release = null;
    channel?.close();
    channel = null;
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    wanting = begin();
    dispatch("reset");
  });
  window.addEventListener("online", () => {
    if (release && root.dataset.live !== "off" && source?.readyState !== EventSource.OPEN) connect();
  });

  // --- Parts of pages: <div id="visit" data-live-part="booking:ABC123"> is fetched anew when its booking changes ------

  const changed = (part) =>
    [...part.querySelectorAll("input, textarea, select")].some((field) => {
      if (field === document.activeElement) return true;
      if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
      if (field.options) return [...field.options].some((one) => one.selected !== one.defaultSelected && !field.options[0].selected);
      return field.type !== "hidden" && field.value !== field.defaultValue;
    }) || part.querySelector("dialog[open], details.menu[open]") !== null;

  const status = document.createElement("p");
  status.className = "visually-hidden";
  status.setAttribute("role", "status");
  document.body.append(status);

  const offer = (part) => {
    if (part.previousElementSibling?.dataset.liveOffer !== undefined) return;
    const note = document.createElement("p");
    note.className = "notice tone-sky live-offer";
    note.dataset.liveOffer = "";
    note.setAttribute("role", "status");
    const text = document.createElement("span");
    text.textContent = "This has changed meanwhile.";
    const link = document.createElement("a");
    link.className = "btn btn-sm btn-secondary";
    link.href = location.href;
    link.textContent = "Show the change";
    note.append(text, link);
    part.before(note);
  };

  const plain = (part) => part.innerHTML.replace(/name="csrfmiddlewaretoken" value="[^"]*"/g, "");
  const put = (part, fresh) => {
    if (plain(part) === plain(fresh)) return false;
    const focus = part.contains(document.activeElement) ? document.activeElement : null;
    part.replaceWith(fresh);
    window.htmx?.process(fresh);
    if (focus) {
      const same = [...fresh.querySelectorAll(focus.tagName)].find((one) => one.textContent === focus.textContent);
      if (!same) fresh.tabIndex = -1;
      (same ?? fresh).focus({ preventScroll: true });
    }
    return true;
  };

  const wanted = new Set();
  let fetching = false;
  let due = 0;
  const refresh = async () => {
    if (fetching || !wanted.size) return;
    fetching = true;
    const ids = [...wanted];
    wanted.clear();
    try {
      const answer = await fetch(location.href, { cache: "no-store", headers: { "X-Live": "1" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ids) {
        const part = document.getElementById(id);
        const fresh = page.getElementById(id);
        if (!part || !fresh) continue;
        if (changed(part)) offer(part);
        else if (put(part, document.adoptNode(fresh))) status.textContent = part.dataset.liveSays ?? "The page was brought up to date.";
      }
      dispatch("refreshed");
    } catch {
      // No network: the next line tries again
    } finally {
      fetching = false;
      if (wanted.size) soon();
    }
  };
  const soon = () => {
    clearTimeout(due);
    due = setTimeout(refresh, 250);
  };
  const want = (kind, key) => {
    for (const part of document.querySelectorAll("[data-live-part]")) {
      const asked = part.dataset.livePart.split(" ");
      const isMine = kind === "reset" || asked.includes(kind) || (key && asked.includes(`${kind}:${key}`));
      if (isMine && part.offsetParent !== null) wanted.add(part.id);
    }
    if (!wanted.size) return;
    for (const part of document.querySelectorAll("[data-live-along]")) wanted.add(part.id);
    soon();
  };
  for (const kind of [...KINDS, "reset"]) {
    document.addEventListener(`live:${kind}`, ({ detail }) => want(kind, detail.reference ?? detail.conversation));
  }

  // --- Numbers in the navigation ------------------------------------------------------------------

  const dot = (link, number, label) => {
    let found = link.querySelector(".count-dot, .pill");
    if (!number) return found?.remove();
    if (!found) {
      found = document.createElement("span");
      found.className = link.closest(".side-nav") ? "pill" : "count-dot";
      link.append(found);
    }
    const said = document.createElement("span");
    said.className = "visually-hidden";
    said.textContent = ` ${label}`;
    found.replaceChildren(number > 99 ? "99+" : String(number), ...(label ? [said] : []));
    return undefined;
  };
  const count = async () => {
    try {
      const answer = await fetch(`${live}badges/`, { cache: "no-store" });
      if (!answer.ok) return;
      const { notifications, talks } = await answer.json();
      const bell = document.querySelector("[data-bell]");
      if (bell) {
        bell.setAttribute("aria-label", notifications ? `Notifications, ${notifications} unread` : "Notifications");
        dot(bell, notifications, "");
        bell.querySelector(".count-dot")?.setAttribute("aria-hidden", "true");
      }
      for (const link of document.querySelectorAll(".side-nav a, .bottom-bar a")) {
        const path = new URL(link.href).pathname;
        if (path.endsWith("/messages/")) dot(link, talks[path] ?? 0, "unread");
      }
    } catch {
      // No network
    }
  };
  let counting = 0;
  for (const kind of [...KINDS, "reset"]) {
    document.addEventListener(`live:${kind}`, () => {
      clearTimeout(counting);
      counting = setTimeout(count, 300);
    });
  }
})();
