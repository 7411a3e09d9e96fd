// "This browser gets notifications": asks, subscribes at the browser's push service, and tells our server.
(() => {
  const box = document.querySelector("[data-push]");
  if (!box) return;
  const status = box.querySelector("[data-push-status]");
  const on = box.querySelector("[data-push-on]");
  const off = box.querySelector("[data-push-off]");

  const show = (text, { canStart = false, canStop = false } = {}) => {
    status.textContent = text;
    on.hidden = !canStart;
    off.hidden = !canStop;
    on.disabled = off.disabled = false;
  };
  const isOn = () => show("Gets notifications.", { canStop: true });
  const isOff = () => show("Gets no notifications.", { canStart: true });

  if (!("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) {
    const isPhone = /iPhone|iPad/.test(navigator.userAgent);
    show(
      isPhone
        ? "Add Pet Place to your home screen first (Share, then “Add to Home Screen”), and open it from there."
        : "This browser does not know notifications, or this page was not opened over https.",
    );
    return;
  }

  const subscription = async () => (await navigator.serviceWorker.ready).pushManager.getSubscription();
  const { petplacePush } = window;

  const refresh = async () => {
    if (Notification.permission === "denied") {
      show("Notifications of this site are blocked. Allow them in the browser's settings for this site.");
      return;
    }
    const current = await subscription();
    if (!current) {
      isOff();
    } else if (await petplacePush.tell(box.dataset.pushAdd, current)) {
      isOn();
    } else {
      show("It could not be saved. Check the connection and try again.", { canStart: true });
    }
  };

  on.addEventListener("click", async () => {
    on.disabled = true;
    try {
      if ((await Notification.requestPermission()) !== "granted") {
        await refresh();
        return;
      }
      const { pushManager } = await navigator.serviceWorker.ready;
      const key = petplacePush.bytes(box.dataset.pushKey);
      const old = await pushManager.getSubscription();
      // One that was made with another key of ours cannot be used any more
      if (old && !petplacePush.isSame(old.options.applicationServerKey, key)) await old.unsubscribe();
      await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
      await refresh();
      if (!off.hidden) location.reload(); // the list below has one more
    } catch {
      show("This browser could not reach its push service. Please try again later.", { canStart: true });
    }
  });

  off.addEventListener("click", async () => {
    off.disabled = true;
    const current = await subscription();
    if (current) {
      await petplacePush.post(box.dataset.pushForget, { endpoint: current.endpoint });
      await current.unsubscribe();
    }
    isOff();
  });

  refresh();
})();
