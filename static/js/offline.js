// The page without a network: shows the bookings that static/js/pwa.js kept on this device.
(() => {
  const box = document.querySelector("[data-offline]");
  const list = box.querySelector("[data-offline-list]");
  const note = box.querySelector("[data-offline-note]");

  const row = (visit) => {
    const item = document.querySelector("#visit").content.firstElementChild.cloneNode(true);
    for (const part of item.querySelectorAll("[data-field]")) {
      const value = visit[part.dataset.field];
      if (value) (part.querySelector("[data-text]") ?? part).textContent = value;
      else part.remove();
    }
    return item;
  };

  const show = async () => {
    if (!("caches" in window)) return;
    const answer = await caches.match(box.dataset.offline, { cacheName: "petplace-private", ignoreVary: true });
    if (!answer) return;
    const { visits, at } = await answer.json();
    const ahead = visits.filter((visit) => Date.parse(visit.ends_at) > Date.now());
    list.replaceChildren(...ahead.map(row));
    const then = new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    note.textContent = ahead.length ? `As of ${then}. It may have changed since.` : "No visit is ahead.";
    box.hidden = false;
  };

  document.querySelector("[data-offline-retry]").addEventListener("click", () => location.reload());
  window.addEventListener("online", () => location.reload());
  show();
})();
