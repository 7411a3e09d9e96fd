// On every page: installs the service worker, keeps the next bookings for when there is no network, and forgets them
// as soon as somebody else, or nobody, is signed in. Also what push.js needs to talk to our server.
(() => {
  const PRIVATE = "petplace-private";
  const PERSON = "petplace-person";
  const FRESH = 5 * 60 * 1000;
  const { person, sw, bookings, pushKey, pushAdd } = document.body.dataset;

  const stored = (storage, name, value) => {
    try {
      if (value === undefined) return storage.getItem(name);
      if (value === null) storage.removeItem(name);
      else storage.setItem(name, value);
    } catch {
      // Storage is switched off: everything is done anew on each page
    }
    return null;
  };

  const token = () => JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";
  const post = (url, values) =>
    fetch(url, { method: "POST", body: new URLSearchParams(values), headers: { "X-CSRFToken": token() } });
  const bytes = (text) => {
    const raw = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(raw, (char) => char.charCodeAt(0));
  };
  const isSame = (one, other) => {
    const left = new Uint8Array(one ?? []);
    return left.length === other.length && left.every((value, index) => value === other[index]);
  };
  const tell = async (url, subscription) => {
    const { endpoint, keys } = subscription.toJSON();
    const answer = await post(url, { endpoint, ...keys }).catch(() => null);
    if (answer?.ok) stored(sessionStorage, "petplace-push", `${person} ${endpoint}`);
    return Boolean(answer?.ok);
  };
  window.petplacePush = { post, bytes, isSame, tell };

  // Words that were written and not sent wait in this browser for whoever wrote them, and for nobody else
  const UNSENT = "petplace-outbox-";
  const wipe = (writer) => {
    try {
      for (const name of Object.keys(localStorage)) {
        if (name.startsWith(UNSENT) && !(writer && name.startsWith(`${UNSENT}${writer}-`))) localStorage.removeItem(name);
      }
    } catch {
      // Storage is switched off: nothing was kept
    }
  };
  const signsOut = (form) => form.action?.endsWith("/accounts/logout/");
  if (person !== undefined) {
    wipe(person);
    document.addEventListener("submit", (event) => {
      if (signsOut(event.target)) wipe("");
    });
  }

  // No attribute: a page that is made for nobody, such as that of an error. It says nothing of who is signed in.
  if (person === undefined || !("caches" in window) || !("serviceWorker" in navigator)) return;

  const forget = async () => {
    await caches.delete(PRIVATE);
    stored(localStorage, PERSON, null);
    stored(sessionStorage, "petplace-kept", null);
  };

  const keep = async () => {
    const last = Number(stored(sessionStorage, "petplace-kept"));
    if (Date.now() - last < FRESH && !document.querySelector("[data-refresh-offline]")) return;
    const answer = await fetch(bookings, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (!answer.ok || answer.redirected) return;
    // Somebody else may have signed in meanwhile, in another tab
    if ((await answer.clone().json()).person !== person) return;
    await (await caches.open(PRIVATE)).put(bookings, answer);
    stored(sessionStorage, "petplace-kept", String(Date.now()));
  };

  // A browser that was asked before goes on getting pushes when its owner signs in again
  const resume = async () => {
    if (!pushKey || !("Notification" in window) || Notification.permission !== "granted") return;
    const { pushManager } = await navigator.serviceWorker.ready;
    const current = await pushManager?.getSubscription();
    if (!current || stored(sessionStorage, "petplace-push") === `${person} ${current.endpoint}`) return;
    if (isSame(current.options.applicationServerKey, bytes(pushKey))) await tell(pushAdd, current);
  };

  const begin = async () => {
    if (!person || stored(localStorage, PERSON) !== person) await forget();
    if (person) stored(localStorage, PERSON, person);
    await navigator.serviceWorker.register(sw, { scope: "/" });
    if (!person) return;
    await keep();
    await resume();
  };
  window.addEventListener("load", () => {
    begin().catch(() => {
      // Private windows and full disks: the site works without all this
    });
  });
  document.addEventListener("submit", (event) => {
    if (signsOut(event.target)) forget();
  });
})();
