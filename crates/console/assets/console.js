// What a page does better with a script: keys, times as they are wanted, charts, and new events that wait while somebody looks.
// Without it every page says and does the same.
(() => {
  "use strict";
  const root = document.documentElement;
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  root.classList.add("js");

  // Times: UTC as the server wrote them, of this place, or how long ago.
  const clock = root.dataset.clock;
  const lang = root.lang;
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const ago = new Intl.RelativeTimeFormat(lang, { numeric: "auto", style: "short" });
  const local = new Intl.DateTimeFormat(lang === "en" ? undefined : lang, { dateStyle: "medium", timeStyle: "medium" });
  function times(within) {
    for (const time of all("time[datetime]", within)) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      if (!time.title) time.title = time.dateTime;
      if (clock === "local") {
        time.textContent = local.format(at);
      } else if (clock === "relative") {
        const seconds = Math.round((at - Date.now()) / 1000);
        const [unit, length] = units.find(([, length]) => Math.abs(seconds) >= length) ?? units[3];
        time.textContent = ago.format(Math.round(seconds / length), unit);
      }
    }
  }
  times(document);
  if (clock === "relative") setInterval(() => times(document), 15000);

  // What comes by itself waits while somebody is at it, and while nobody sees the page.
  const isBusy = (element) =>
    document.hidden || element.matches(":hover") || element.contains(document.activeElement) || one(".on", element) !== null;
  function show(element) {
    const live = one("#live");
    if (live && element.id === "rows") live.classList.toggle("paused", isBusy(element));
  }
  document.addEventListener("htmx:beforeRequest", (event) => {
    const element = event.detail.elt;
    if (!element.hasAttribute("data-live")) return;
    show(element);
    if (isBusy(element)) event.preventDefault();
  });
  for (const name of ["mouseover", "mouseout", "focusin", "focusout"]) {
    document.addEventListener(name, () => all("[data-live]").forEach(show));
  }
  // A session that has ended is a page to sign in at, and no part of this one.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.responseURL.includes("/console/sign-in")) location.reload();
  });
  const most = 200;
  document.addEventListener("htmx:afterSettle", (event) => {
    times(event.detail.elt);
    const rows = one("#rows[data-live]");
    if (rows) all(":scope > tr[data-row]", rows).slice(most).forEach((row) => row.remove());
  });

  // Charts. The server has drawn them already: whatever goes wrong, they stand.
  async function chart(figure) {
    const answer = await fetch(figure.dataset.src, { headers: { accept: "application/json" } });
    if (!answer.ok || !answer.headers.get("content-type")?.includes("json")) return;
    const data = await answer.json();
    const values = data[figure.dataset.chart].map((value) => (value === null ? null : Number(value)));
    const style = getComputedStyle(root);
    const colour = (name) => style.getPropertyValue(name).trim();
    const hour = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: clock === "local" ? undefined : "UTC" });
    const axis = { stroke: colour("--ink-3"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    const size = () => ({ width: figure.clientWidth, height: 150 });
    const options = {
      ...size(), legend: { show: false }, cursor: { y: false, drag: { x: false, y: false } },
      scales: { y: { range: (_, low, high) => [0, Math.max(high, 1) * 1.1] } },
      axes: [{ ...axis, size: 30, space: 70, values: (_, ticks) => ticks.map((tick) => hour.format(tick * 1000)) }, { ...axis, size: 46 }],
      series: [{}, { label: figure.dataset.label, stroke: colour("--accent"), fill: colour("--accent"), width: 0,
        paths: uPlot.paths.bars({ size: [0.8, 100], align: -1 }), points: { show: false } }],
    };
    figure.classList.add("drawn");
    const plot = new uPlot(options, [data.times, values], figure);
    new ResizeObserver(() => plot.setSize(size())).observe(figure);
  }
  if (window.uPlot) all("figure[data-chart]").forEach((figure) => chart(figure).catch(() => figure.classList.remove("drawn")));

  // On a narrow screen the ways are a strip: the one that is taken is to be seen.
  const strip = one("#pages");
  const here = one("[aria-current]", strip ?? document);
  if (strip && here) strip.scrollLeft = here.offsetLeft + here.offsetWidth / 2 - strip.clientWidth / 2;

  // Keys.
  const isTyping = (element) => element.matches?.("input, textarea, select, [contenteditable]");
  const rows = () => all("[data-row]").filter((row) => row.offsetParent !== null);
  function move(step) {
    const list = rows();
    if (list.length === 0) return;
    const at = list.findIndex((row) => row.classList.contains("on"));
    const next = list[Math.min(list.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
    list.forEach((row) => row.classList.remove("on"));
    next.classList.add("on");
    one("a[href]", next)?.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      rows().forEach((row) => row.classList.remove("on"));
      all("details.menu[open]").forEach((menu) => (menu.open = false));
      document.activeElement?.blur?.();
      return;
    }
    if (isTyping(event.target)) return;
    const help = one("#help");
    const does = {
      "/": () => (one("[data-filter]") ?? one("#find"))?.focus(),
      j: () => move(1),
      k: () => move(-1),
      Enter: () => {
        if (event.target.closest("a, button, summary")) return false;
        one("[data-row].on a[href]")?.click();
      },
      r: () => {
        const form = one("[data-redrive]") ?? one("#redrive-all");
        if (form instanceof HTMLAnchorElement) form.click();
        else if (form) form.focus();
        else location.reload();
      },
      "?": () => (help.open ? help.close() : help.showModal()),
    }[event.key];
    if (does && does() !== false) event.preventDefault();
  });
  // One menu at a time, and none when somebody is elsewhere.
  document.addEventListener("click", (event) => {
    for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
})();
