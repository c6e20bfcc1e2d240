// Everything works without this script. With it: a theme to choose, values under the pointer, cards that fill themselves,
// pages that change without a reload, ages that stay true. What comes from data is only ever set as text.
"use strict";
(() => {
  const root = document.documentElement;
  const SVG = "http://www.w3.org/2000/svg";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const html = { headers: { accept: "text/html" } };

  // Theme: set here, in the head, before anything is painted. Storage may be forbidden: then the system's choice stays.
  const remembered = (value) => {
    try { return value ? (localStorage.theme = value) : localStorage.theme; } catch { return value; }
  };
  if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();
  const switchTheme = () => {
    const now = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    root.dataset.theme = remembered(now === "dark" ? "light" : "dark");
  };

  // Ages count from the server's time, whatever the clock of this machine says.
  let opened = performance.now();
  const some = (n, unit) => `${n} ${unit}${n === 1 ? "" : "s"} ago`;
  const age = (seconds) => seconds < 10 ? "just now" : seconds < 60 ? some(seconds | 0, "second")
    : seconds < 3600 ? some(seconds / 60 | 0, "minute") : seconds < 172800 ? some(seconds / 3600 | 0, "hour")
    : some(seconds / 86400 | 0, "day");
  const tellAges = () => {
    const now = Date.parse(root.dataset.now) + performance.now() - opened;
    for (const time of all("time[data-ago]")) time.textContent = age((now - Date.parse(time.dateTime)) / 1000);
  };

  // Values under the pointer or the arrow keys. The native title is taken over, or there would be two.
  const POINTS = ".hits rect, .map path";
  const texts = new WeakMap();
  let tip, current;
  const textOf = (point) => {
    const title = point.querySelector("title");
    if (title || !texts.has(point)) {
      texts.set(point, title ? title.textContent : "");
      title?.remove();
    }
    return texts.get(point);
  };
  const hide = () => {
    if (!current) return;
    current.classList.remove("on");
    all(".cross").forEach((cross) => cross.remove());
    tip.hidden = true;
    current = undefined;
  };
  const draw = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    return element;
  };
  const crosshair = (point, plot) => {
    const cross = draw("g", { class: "cross" });
    const x = point.dataset.x + "%";
    cross.append(draw("line", { x1: x, x2: x, y2: "100%" }));
    point.dataset.y.split(" ").forEach((y, i, { length }) => {
      cross.append(draw("circle", { class: length > 1 ? "s" + Math.min(i, 6) : "one", cx: x, cy: y + "%", r: 4 }));
    });
    plot.append(cross);
  };
  const show = (point, left, top) => {
    if (point !== current) {
      hide();
      current = point;
      const plot = point.closest(".plot");
      if (plot) crosshair(point, plot);
      else point.classList.add("on");
      const [head, ...lines] = textOf(point).split("\n");
      const bold = document.createElement("b");
      bold.textContent = head;
      const rows = lines.map((line, i) => {
        const row = document.createElement("p");
        if (lines.length > 1) {
          const swatch = document.createElement("span");
          swatch.className = "swatch s" + Math.min(i, 6);
          row.append(swatch);
        }
        row.append(line);
        return row;
      });
      tip.replaceChildren(bold, ...rows);
      tip.hidden = false;
    }
    const { width, height } = tip.getBoundingClientRect();
    const x = left + 16 + width > innerWidth ? left - 16 - width : left + 16;
    const y = Math.min(Math.max(top - height - 12, 6), innerHeight - height - 6);
    tip.style.transform = `translate(${Math.max(x, 6)}px, ${y}px)`;
  };
  const byPointer = (event) => {
    const point = event.target.closest?.(POINTS);
    if (point) show(point, event.clientX, event.clientY);
    else hide();
  };
  const byKey = (event) => {
    if (event.key === "Escape") return hide();
    const chart = event.target.closest?.(".plot, svg.map");
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
    if (!chart || !step) return;
    event.preventDefault();
    // Lines and areas of a plot are paths with classes too, and nothing to point at.
    const points = all(chart.matches(".map") ? "path[class]" : ".hits rect", chart);
    const from = points.indexOf(current);
    const point = points[Math.min(Math.max((from < 0 ? (step < 0 ? points.length : -1) : from) + step, 0), points.length - 1)];
    const box = point?.getBoundingClientRect();
    if (box) show(point, box.left + box.width / 2, box.top + box.height / 3);
  };

  // Cards that are being computed are asked for until they are there; those that are being refreshed, until they are newer.
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const seen = () => document.hidden
    ? new Promise((done) => document.addEventListener("visibilitychange", done, { once: true })) : undefined;
  const parse = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");
  const computed = (card) => card.querySelector("time[data-ago]")?.dateTime;
  const FOCUSABLE = "a, summary, [tabindex]";
  const exchange = (card, fresh) => {
    const focus = all(FOCUSABLE, card).indexOf(document.activeElement);
    const scrolled = all(".scroll", card).map((part) => [part.scrollLeft, part.scrollTop]);
    if (card.contains(current)) hide();
    all("details", fresh).forEach((details, i) => { details.open = all("details", card)[i]?.open || false; });
    card.replaceWith(fresh);
    prepare(fresh.parentElement);
    all(".scroll", fresh).forEach((part, i) => part.scrollTo(...(scrolled[i] || [0, 0])));
    if (focus >= 0) all(FOCUSABLE, fresh)[focus]?.focus({ preventScroll: true });
  };
  // A card is asked for again when a newer value is due, then ever less often until it is there. Nobody is told: it is no news.
  const isInUse = (card) => card.contains(current) || (getSelection().type === "Range" && getSelection().containsNode(card, true));
  const watch = async (card) => {
    for (let wait = Math.max(card.dataset.due * 1000, 10000), again = 15000; ; wait = again, again = Math.min(again * 1.5, 300000)) {
      // Many pages are open at once: they do not ask all at once.
      await pause(wait + 2000 + Math.random() * 8000);
      await seen();
      // Whoever reads a value or marks a text is left alone, but not for ever: a finger that is lifted leaves the value in sight.
      for (let i = 0; i < 60 && isInUse(card); i += 1) await pause(2000);
      if (!card.isConnected) return;
      try {
        const headers = { ...html.headers, "if-none-match": `"${card.dataset.tag}"` };
        const answer = await fetch(card.dataset.fragment, { headers });
        if (answer.status !== 200) continue;
        const fresh = (await parse(answer)).querySelector(".card");
        if (!card.isConnected) return;
        if (fresh.dataset.state === "refreshing" && computed(fresh) === computed(card)) continue;
        return exchange(card, fresh);
      } catch { /* The next one may do. */ }
    }
  };
  const fill = async (card) => {
    const pending = card.dataset.state === "pending";
    const until = performance.now() + 600000;
    for (let wait = pending ? 300 : 2000, faults = 0; ; wait = Math.min(wait * 1.4, pending ? 3000 : 15000)) {
      await pause(wait);
      await seen();
      if (!card.isConnected) return;
      if (faults > 4 || performance.now() > until) {
        const status = pending && card.querySelector("[role=status]");
        if (status) status.textContent = "It is still not there. Reload the page to look again.";
        card.removeAttribute("aria-busy");
        return pending || watch(card);
      }
      try {
        const answer = await fetch(card.dataset.fragment, html);
        if (answer.status === 202) continue;
        if (!answer.ok) throw answer;
        const fresh = (await parse(answer)).querySelector(".card");
        if (!card.isConnected) return;
        if (pending || computed(fresh) !== computed(card) || fresh.dataset.state !== "refreshing") {
          return exchange(card, fresh);
        }
      } catch { faults += 1; }
    }
  };

  // What every new piece of a page needs.
  const prepare = (piece) => {
    all(".theme", piece).forEach((button) => { button.hidden = false; });
    all(".plot, svg.map", piece).forEach((chart) => chart.setAttribute("tabindex", "0"));
    all("[data-state=pending], [data-state=refreshing]", piece).forEach(fill);
    all("[data-due]:not([data-state=refreshing])", piece).forEach(watch);
    // Where the bar is wider than the screen: the entry of this page is moved into sight, and the page itself stays.
    const bar = piece.querySelector?.("header.site nav"), entry = bar?.querySelector("[aria-current]");
    if (entry) bar.scrollLeft += entry.getBoundingClientRect().left - bar.getBoundingClientRect().left - (bar.clientWidth - entry.offsetWidth) / 2;
    tellAges();
  };

  // Another page or period without a reload. Whatever is unexpected is left to the browser.
  const LINKS = "header.site a, .periods a, .crumbs a, .ranking a, .nothing a";
  let shown = location.pathname + location.search, asked;
  const scripts = (page) => all("script[src]", page).map((script) => script.getAttribute("src")).join();
  const go = async (href, link) => {
    asked?.abort();
    asked = new AbortController();
    const { signal } = asked;
    root.classList.add("loading");
    try {
      const answer = await fetch(href, { ...html, signal });
      const page = await parse(answer);
      if (!answer.ok || scripts(page) !== scripts(document)) throw answer;
      hide();
      for (const part of ["header.site", "main"]) {
        document.querySelector(part).replaceWith(page.querySelector(part));
      }
      document.title = page.title;
      root.dataset.now = page.documentElement.dataset.now;
      opened = performance.now();
      if (link) history.pushState(null, "", answer.url);
      shown = location.pathname + location.search;
      prepare(document);
      // Two navigations may name one address: the focus stays in that which was used.
      const used = link?.closest(".periods, header.site nav");
      const same = used && document.querySelector(`${used.matches(".periods") ? ".periods" : "header.site nav"} a[aria-current]`);
      if (link && !link.closest(".periods")) scrollTo(0, 0);
      (same || document.querySelector("main")).focus({ preventScroll: true });
      root.classList.remove("loading");
    } catch {
      if (!signal.aborted) location.assign(href);
    }
  };

  addEventListener("click", (event) => {
    if (event.target.closest(".theme")) return switchTheme();
    const link = event.target.closest(LINKS);
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey
      || link.origin !== location.origin) return;
    event.preventDefault();
    go(link.href, link);
  });
  addEventListener("popstate", () => {
    if (location.pathname + location.search !== shown) go(location.href);
  });
  addEventListener("DOMContentLoaded", () => {
    tip = document.createElement("div");
    tip.className = "tip";
    tip.setAttribute("role", "status");
    tip.hidden = true;
    document.body.append(tip);
    addEventListener("pointermove", byPointer);
    addEventListener("pointerdown", byPointer);
    root.addEventListener("pointerleave", hide);
    addEventListener("keydown", byKey);
    addEventListener("scroll", hide, { passive: true });
    addEventListener("focusout", hide);
    prepare(document);
    setInterval(tellAges, 10000);
  });
})();
