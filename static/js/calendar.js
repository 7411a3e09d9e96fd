// Draws the provider's calendar over the table that the server made, and moves visits by drag.
// All times are wall-clock times of the branch: the dates here carry no zone.
(() => {
  const frame = document.getElementById("calendar");
  const status = document.getElementById("calendar-status");
  const views = { day: "resourceTimeGridDay", week: "timeGridWeek" };
  if (!frame || !views[frame.dataset.view] || !window.EventCalendar) return;
  const resources = JSON.parse(document.getElementById("calendar-resources").textContent);
  if (!resources.length) return;

  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  const two = (number) => String(number).padStart(2, "0");
  const wall = (date) =>
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;

  const say = (text, isGood) => {
    status.textContent = text;
    const item = document.createElement("li");
    item.className = `toast-item tone-${isGood ? "leaf" : "rose"}`;
    item.dataset.toast = isGood ? "brief" : "stays";
    const words = document.createElement("span");
    words.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "btn btn-ghost btn-sm";
    close.dataset.dismiss = "";
    close.textContent = "Close";
    item.append(words, close);
    document.querySelector(".toast-stack").append(item);
    if (isGood) setTimeout(() => item.remove(), 6000);
  };

  const move = async (info) => {
    const body = new FormData();
    body.append("start", wall(info.event.start));
    body.append("end", wall(info.event.end));
    if (info.newResource && info.newResource.id !== info.oldResource?.id) body.append("resource", info.newResource.id);
    let answer;
    let words;
    try {
      answer = await fetch(info.event.extendedProps.move, { method: "POST", headers: { "X-CSRFToken": token }, body });
      words = (await answer.json()).detail;
    } catch {
      words = "The booking was not moved: the connection was lost.";
    }
    if (!answer?.ok) info.revert();
    say(words ?? "The booking was not moved.", Boolean(answer?.ok));
    calendar.refetchEvents();
  };

  const plain = frame.querySelector("[data-plain]");
  const target = document.createElement("div");
  frame.append(target);
  plain.hidden = true;

  // Wide enough to read on a phone: the style sheet counts the columns
  target.style.setProperty("--columns", frame.dataset.view === "day" ? resources.length : 7);

  // The grid calls itself a table but is none (a button and an article stand where cells should). To someone who
  // listens, a plain list of visits that are links says more, and the list view has it all in order.
  const family = "[role='table'], [role='rowgroup'], [role='row'], [role='cell'], [role='columnheader'], [role='rowheader']";
  const unname = () => {
    for (const part of target.querySelectorAll(family)) part.removeAttribute("role");
    for (const part of target.querySelectorAll("[aria-colindex], [aria-rowindex]")) {
      part.removeAttribute("aria-colindex");
      part.removeAttribute("aria-rowindex");
    }
    // What scrolls can be scrolled by keyboard, also on a day without visits.
    for (const part of target.querySelectorAll(".ec-main:not([tabindex])")) {
      part.tabIndex = 0;
      part.setAttribute("aria-label", "Hours of the calendar");
    }
  };
  new MutationObserver(unname).observe(target, { childList: true, subtree: true });

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const calendar = EventCalendar.create(target, {
    view: views[frame.dataset.view],
    date: frame.dataset.date,
    firstDay: 1,
    allDaySlot: false,
    slotEventOverlap: false,
    headerToolbar: { start: "", center: "", end: "" },
    height: "46rem",
    scrollTime: "07:00:00",
    slotDuration: "00:30:00",
    slotHeight: 32,
    slotLabelFormat: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    eventTimeFormat: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    dayHeaderFormat: { weekday: "short", day: "numeric", month: "short" },
    nowIndicator: zone === frame.dataset.zone,
    resources,
    eventDurationEditable: false,
    eventStartEditable: true,
    longPressDelay: 350,
    dragScroll: true,
    eventSources: [{ url: frame.dataset.events, method: "GET", extraParams: { branch: frame.dataset.branch } }],
    eventClick: ({ event }) => {
      if (event.extendedProps.url) location.assign(event.extendedProps.url);
    },
    eventDrop: move,
  });
})();
