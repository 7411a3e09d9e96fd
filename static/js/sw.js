// The service worker: pushes, and a page for when there is no network. SHELL stands above, written by the server.
// It keeps that page and what it loads, and no other page: what is private is never stored here by itself.
const KEPT = `petplace-shell-${SHELL.version}`;
const PRIVATE = "petplace-private"; // the next bookings, put there by static/js/pwa.js

self.addEventListener("install", (event) => {
  const fill = async () => {
    const cache = await caches.open(KEPT);
    // Without cookies: the page is made for nobody
    const fresh = { cache: "reload", credentials: "omit" };
    await cache.addAll([SHELL.page, ...SHELL.files].map((url) => new Request(url, fresh)));
    await self.skipWaiting();
  };
  event.waitUntil(fill());
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    const names = await caches.keys();
    const old = names.filter((name) => name.startsWith("petplace-shell-") && name !== KEPT);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.registration.navigationPreload?.enable();
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

const page = async (event) => {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch {
    return (await caches.match(SHELL.page, { cacheName: KEPT, ignoreVary: true })) ?? Response.error();
  }
};

const file = async (request) => {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await caches.match(request.url, { cacheName: KEPT, ignoreVary: true });
    if (kept) return kept;
    throw error;
  }
};

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (request.method === "POST" && url.pathname === SHELL.logout) {
    event.waitUntil(caches.delete(PRIVATE));
    return;
  }
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(page(event));
  else if (SHELL.files.includes(url.pathname)) event.respondWith(file(request));
});

const ours = (address) => {
  const url = new URL(address || "/", self.location.origin);
  return url.origin === self.location.origin ? url.href : self.location.origin;
};

self.addEventListener("push", (event) => {
  let said = {};
  try {
    said = event.data?.json() ?? {};
  } catch {
    said = { body: event.data.text() };
  }
  const actions = (said.actions ?? []).slice(0, 2);
  event.waitUntil(
    self.registration.showNotification(said.title || "Pet Place", {
      body: said.body ?? "",
      tag: said.tag || undefined,
      renotify: Boolean(said.tag),
      icon: SHELL.icon,
      badge: SHELL.badge,
      data: { url: ours(said.url), actions: actions.map((action) => ours(action.url)) },
      actions: actions.map((action, index) => ({ action: String(index), title: action.title })),
    }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url, actions = [] } = event.notification.data ?? {};
  // An action opens its page, which shows what will happen and asks: nothing is done by a click here
  const target = (event.action && actions[Number(event.action)]) || url || self.location.origin;
  const go = async () => {
    const open = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const same = open.find((client) => client.url === target);
    return same ? same.focus() : self.clients.openWindow(target);
  };
  event.waitUntil(go());
});
