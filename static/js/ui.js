// Small manners of every page. Each works on attributes, so a page needs no script of its own for them.
(() => {
  const root = document.documentElement;

  // Theme button
  const nameTheme = () => {
    const dark = root.getAttribute("data-bs-theme") === "dark";
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.setAttribute("aria-label", dark ? "Switch to the light theme" : "Switch to the dark theme");
    }
  };
  nameTheme();
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const next = root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
    root.setAttribute("data-bs-theme", next);
    try {
      localStorage.setItem("petplace-theme", next);
    } catch {
      // Private mode: the choice lasts for this page.
    }
    nameTheme();
  });

  // Menus made of <details> close on a click elsewhere and on Escape
  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
  };
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details.menu[open]");
    closeMenus(null);
    open?.querySelector("summary").focus();
  });

  // Toasts: a good word leaves by itself, a bad one stays until it is read
  for (const toast of document.querySelectorAll("[data-toast='brief']")) setTimeout(() => toast.remove(), 8000);
  document.addEventListener("click", (event) => {
    event.target.closest("[data-dismiss]")?.closest("[data-toast], .notice")?.remove();
  });

  // <form data-confirm="Cancel this booking?" data-confirm-detail="..." data-confirm-label="Cancel it">
  const ask = (form) => {
    const dialog = document.createElement("dialog");
    dialog.className = "confirm";
    const title = document.createElement("h2");
    title.id = "confirm-title";
    title.textContent = form.dataset.confirm;
    const detail = document.createElement("p");
    detail.textContent = form.dataset.confirmDetail ?? "";
    const actions = document.createElement("div");
    actions.className = "form-actions";
    const yes = document.createElement("button");
    yes.className = `btn ${form.dataset.confirmTone === "danger" ? "btn-danger" : "btn-primary"}`;
    yes.textContent = form.dataset.confirmLabel ?? "Yes, go on";
    const no = document.createElement("button");
    no.className = "btn btn-ghost";
    no.textContent = "Go back";
    actions.append(yes, no);
    dialog.append(title, detail, actions);
    dialog.setAttribute("aria-labelledby", title.id);
    document.body.append(dialog);
    dialog.addEventListener("close", () => dialog.remove());
    no.addEventListener("click", () => dialog.close());
    dialog.showModal();
    return new Promise((resolve) => {
      yes.addEventListener("click", () => {
        dialog.close();
        resolve();
      });
    });
  };
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.dataset.confirm && !form.dataset.confirmed) {
      event.preventDefault();
      event.stopImmediatePropagation();
      const button = event.submitter;
      await ask(form);
      form.dataset.confirmed = "yes";
      form.requestSubmit(button);
      return;
    }
    // One press is enough: a second one of the same form does nothing
    if (form.method === "post" && !event.defaultPrevented && !form.hasAttribute("hx-post")) {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    }
  }, true);
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // <span data-countdown="2026-11-24T17:00:00Z">: minutes and seconds left, read aloud once a minute
  const clocks = [...document.querySelectorAll("[data-countdown]")];
  const tick = () => {
    for (const clock of clocks) {
      const left = Math.max(0, Math.round((Date.parse(clock.dataset.countdown) - Date.now()) / 1000));
      const out = clock.querySelector("[data-countdown-left]") ?? clock;
      out.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
      clock.classList.toggle("is-short", left < 120);
      if (left === 0 && clock.dataset.countdownReload !== undefined && !clock.dataset.done) {
        clock.dataset.done = "yes";
        setTimeout(() => location.reload(), 1500);
      }
    }
  };
  if (clocks.length) {
    tick();
    setInterval(tick, 1000);
  }

  // <button data-copy="#field">
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.querySelector(button.dataset.copy);
    await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = before), 2000);
  });

  // <button data-locate>: the browser's own position into lat and lng of its form
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-locate]");
    if (!button) return;
    const form = button.closest("form");
    const near = form.elements.namedItem("near");
    const say = form.querySelector("[data-locate-status]");
    if (say) say.textContent = "Finding where you are…";
    button.disabled = true;
    const done = (text) => {
      button.disabled = false;
      if (say) say.textContent = text;
    };
    if (!navigator.geolocation) {
      done("This browser does not tell its location. Type a place.");
      return;
    }
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        form.elements.namedItem("lat").value = coords.latitude.toFixed(5);
        form.elements.namedItem("lng").value = coords.longitude.toFixed(5);
        near.value = "My location";
        near.dispatchEvent(new Event("located", { bubbles: true }));
        done("Using your location.");
      },
      () => done("Your location is not available. Type a place."),
      { timeout: 8000, maximumAge: 600000 },
    );
  });
  // A place that is typed replaces the position
  document.addEventListener("input", (event) => {
    const field = event.target;
    if (field.name !== "near" || !field.form?.elements.namedItem("lat")) return;
    field.form.elements.namedItem("lat").value = "";
    field.form.elements.namedItem("lng").value = "";
  });

  // <select data-autosubmit>
  document.addEventListener("change", (event) => {
    if (event.target.closest("[data-autosubmit]")) event.target.form?.requestSubmit();
  });

  // <button data-fold="#id" aria-expanded="false">: shows what a phone folded away
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-fold]");
    if (!button) return;
    const isOpen = document.querySelector(button.dataset.fold).classList.toggle("is-open");
    button.setAttribute("aria-expanded", String(isOpen));
  });

  // Minus and plus beside a number
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-step]");
    if (!button) return;
    const input = button.closest(".number-input").querySelector("input");
    if (button.dataset.step === "up") input.stepUp();
    else input.stepDown();
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });

  // A password that can be looked at
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-reveal]");
    if (!button) return;
    const input = document.getElementById(button.dataset.reveal);
    input.type = input.type === "password" ? "text" : "password";
    button.textContent = input.type === "password" ? "Show" : "Hide";
    button.setAttribute("aria-pressed", String(input.type === "text"));
  });

  // <input type="file" data-preview="img-id"> (a data URL would need a wider policy than this page has, so a canvas)
  document.addEventListener("change", async (event) => {
    const target = document.getElementById(event.target.dataset?.preview ?? "");
    const file = event.target.files?.[0];
    if (!(target instanceof HTMLCanvasElement) || !file) return;
    const image = await createImageBitmap(file).catch(() => null);
    if (!image) return;
    const side = Math.min(image.width, image.height);
    target.hidden = false;
    target.getContext("2d").drawImage(
      image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, target.width, target.height,
    );
  });
})();
