// The pay page while the bank thinks: look again a few times, more and more rarely.
(() => {
  const waiting = document.querySelector("[data-look-again]");
  if (!waiting) return;
  const key = `look-again:${location.pathname}`;
  let count = 0;
  try {
    count = Number(sessionStorage.getItem(key)) || 0;
    sessionStorage.setItem(key, String(count + 1));
  } catch {
    // Private mode: there is the link.
    count = 8;
  }
  if (count < 8) setTimeout(() => location.assign(waiting.dataset.lookAgain), 3000 * 1.6 ** count);
})();
