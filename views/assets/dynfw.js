// Keeps the live page up to date over the WebSocket. What comes from it is only ever set as text.
"use strict";
(() => {
  const live = document.getElementById("live");
  const id = (name) => document.getElementById(name);
  const { details, period, pageSize } = live.dataset;
  const size = Number(pageSize);
  const words = new Map([...id("live-words").content.querySelectorAll("data")].map((d) => [d.value, d.textContent]));
  const group = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
  const make = (name, text, properties = {}) => Object.assign(document.createElement(name), { textContent: text, ...properties });
  const set = (name, text) => { if (id(name).textContent !== text) id(name).textContent = text; };

  // The list: addresses in the order of their numbers, IPv4 first.
  const addresses = new Map();
  const key = (ip) => {
    if (!ip.includes(":")) return "4" + ip.split(".").map((part) => part.padStart(3, "0")).join("");
    const [head, tail] = ip.split("::").map((half) => (half ? half.split(":") : []));
    const parts = tail ? [...head, ...Array(8 - head.length - tail.length).fill("0"), ...tail] : head;
    return "6" + parts.map((part) => part.padStart(4, "0")).join("");
  };
  let sorted, version, page = 1, touched = false, due, known = false;
  let updated = id("live-updated").firstElementChild?.dateTime, heard = id("live-heard").firstElementChild?.dateTime;
  const search = id("live-q");
  page = Number(new URLSearchParams(location.search).get("page")) || 1;

  // The address of one attacker's page, made out for 0.0.0.0; none where nobody knows where these pages are.
  const link = (ip) => details
    ? make("a", ip, { className: "typed", href: details.replace("0.0.0.0", encodeURI(ip)) })
    : make("span", ip, { className: "typed" });
  const moment = (ts) => {
    const date = new Date(ts * 1000);
    const time = make("time", date.toISOString().slice(11, 19));
    time.dateTime = date.toISOString();
    return time;
  };
  const row = (body, ...cells) => {
    const tr = document.createElement("tr");
    tr.className = "new";
    for (const cell of cells) {
      const td = document.createElement("td");
      td.append(...[cell].flat());
      tr.append(td);
    }
    body.prepend(tr);
    while (body.rows.length > Number(body.dataset.rows)) body.lastElementChild.remove();
  };

  // Countries: the outlines of the map carry the numbers.
  const outlines = new Map([...live.querySelectorAll(".map path")].map((path) => [path.dataset.code, path]));
  const names = new Map([...outlines].map(([code, path]) => [code, path.querySelector("title").textContent.replace(/: [\d,]+$/, "")]));
  const flag = (code) => /^[A-Z]{2}$/.test(code) ? String.fromCodePoint(...[...code].map((c) => 0x1f1e6 + c.charCodeAt() - 65)) : "";
  const counts = new Map([...outlines].map(([code, path]) => [code, Number(path.dataset.n)]).filter(([, n]) => n));
  const digit = (n) => { const power = 10 ** Math.floor(Math.log10(n + 1e-9)); return Math.floor((n + 1e-9) / power) * power; };
  const drawCountries = () => {
    const numbers = [...counts.values()].filter((n) => n > 0);
    const least = Math.max(1, Math.min(...numbers)), ratio = Math.max(...numbers) / least;
    const bounds = [...new Set([0, 1, 2, 3, 4, 5].map((i) => digit(least * ratio ** (i / 6))))];
    for (const [code, n] of counts) {
      const path = outlines.get(code);
      if (!path) continue;
      const shade = n > 0 ? [`m${bounds.findLastIndex((bound) => n >= bound) + 1}`] : [];
      path.setAttribute("class", [...shade, ...(path.classList.contains("on") ? ["on"] : [])].join(" "));
      if (path.dataset.n === String(n)) continue;
      path.dataset.n = n;
      path.querySelector("title")?.remove();
      const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = `${names.get(code)}: ${group(n)}`;
      path.append(title);
    }
    const body = id("live-countries");
    const first = [...counts].filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]).slice(0, Number(body.dataset.rows));
    body.replaceChildren(...first.map(([code, n]) => {
      const tr = document.createElement("tr");
      const mark = make("span", flag(code), { className: "flag" });
      mark.setAttribute("aria-hidden", "true");
      const name = document.createElement("td");
      name.append(mark, " " + (names.get(code) ?? code));
      tr.append(name, make("td", group(n), { className: "number" }));
      return tr;
    }));
    id("no-countries").hidden = numbers.length > 0;
  };
  // Events are only added as they come; the server says every minute which ones are of the last hour.
  const recount = async () => {
    const answer = await fetch("/dynfw/state.json").catch(() => undefined);
    if (!answer?.ok) return;
    const { countries } = await answer.json();
    for (const code of counts.keys()) counts.set(code, 0);
    for (const [code, n] of Object.entries(countries)) counts.set(code, n);
    soon();
  };
  setInterval(recount, 60000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) recount(); });

  const drawList = () => {
    sorted ??= [...addresses].sort((a, b) => (a[1] < b[1] ? -1 : 1)).map(([ip]) => ip);
    const text = search.value.trim().toLowerCase();
    const found = text ? sorted.filter((ip) => ip.includes(text)) : sorted;
    const pages = Math.max(1, Math.ceil(found.length / size));
    page = Math.min(Math.max(page, 1), pages);
    const shown = found.slice((page - 1) * size, page * size);
    // What stays is left alone: a link that has the focus keeps it.
    const items = new Map([...id("live-list").children].map((item) => [item.textContent, item]));
    const wanted = shown.map((ip) => {
      const item = items.get(ip) ?? document.createElement("li");
      if (!item.firstChild) item.append(link(ip));
      return item;
    });
    if (wanted.length !== items.size || wanted.some((item, i) => id("live-list").children[i] !== item)) {
      if (id("live-list").contains(document.activeElement) && !wanted.includes(document.activeElement.parentElement)) search.focus();
      id("live-list").replaceChildren(...wanted);
    }
    set("live-found", found.length === 1 ? "1 address" : `${group(found.length)} addresses`);
    set("live-page", `Page ${group(page)} of ${group(pages)}`);
    const nav = live.querySelector(".live-pages");
    for (const [rel, label, there] of [["prev", "Previous", page > 1], ["next", "Next", page < pages]]) {
      let button = nav.querySelector(`[rel=${rel}]`);
      if (!there) { button?.remove(); continue; }
      if (!button) {
        button = make("a", label, { className: "button", rel });
        nav[rel === "prev" ? "prepend" : "append"](button);
      }
      const query = new URLSearchParams({ page: page + (rel === "prev" ? -1 : 1), period });
      if (text) query.set("q", text);
      button.href = `?${query}#list`;
    }
    set("live-count", group(addresses.size));
  };
  const tell = (name, iso) => {
    if (!iso) return;
    const time = id(name).querySelector("time") ?? id(name).replaceChildren(make("time", "just now")) ?? id(name).querySelector("time");
    time.dataset.ago = "";
    if (time.dateTime !== iso) { time.dateTime = iso; time.textContent = "just now"; }
  };
  const draw = () => {
    due = undefined;
    if (known && touched) drawList();
    touched = false;
    if (counts.size) drawCountries();
    tell("live-updated", updated);
    tell("live-heard", heard);
  };
  const soon = () => { due ??= setTimeout(draw, 400); };

  const connection = (on, text, note = "") => {
    live.querySelector(".connection").dataset.state = on ? "on" : "off";
    set("live-connection", text);
    set("live-note", note && " " + note);
  };
  // Since when it is not heard, and what is shown nevertheless; in the words of the page.
  const lastKnown = (since) => {
    const iso = since.toISOString(), today = iso.slice(0, 10) === new Date().toISOString().slice(0, 10);
    const shown = id("live-count").textContent === "–" ? "No list has come yet." : "What is shown is the last that is known.";
    return `since ${today ? "" : iso.slice(0, 10) + " "}${iso.slice(11, 16)} UTC. ${shown}`;
  };
  const known_words = (name) => words.get(name) ?? String(name).replaceAll("_", " ");
  const take = {
    info: ({ publisher, since }) => {
      if (publisher === undefined) return;
      if (publisher) connection(true, "Connected");
      else if (since) connection(false, "Not connected to the publisher", lastKnown(new Date(since)));
      else connection(false, "Connecting to the publisher");
    },
    "dynfw list": (payload) => {
      addresses.clear();
      for (const ip of payload.list) addresses.set(ip, key(ip));
      sorted = undefined;
      known = touched = true;
      version = payload.version;
      set("live-version", String(version));
      set("live-serial", String(payload.serial));
      if (live.querySelector(".connection").dataset.state === "on") set("live-note", ""); // else it says since when nothing is heard
      updated = new Date(payload.ts * 1000).toISOString();
    },
    "dynfw delta": ({ serial, delta, ip, ts }) => {
      const added = delta === "positive";
      if (added) addresses.set(ip, key(ip));
      else addresses.delete(ip);
      sorted = undefined;
      touched = true;
      set("live-serial", String(serial));
      updated = new Date(ts * 1000).toISOString();
      if (!replayed(serial)) {
        row(id("live-updates"), moment(ts), link(ip), make("span", added ? "added" : "removed", { className: added ? "added" : "removed" }));
        id("no-updates").hidden = true;
      }
    },
    "dynfw event": ({ event, ip, ts, geo }) => {
      const mark = geo && names.has(geo)
        ? [make("span", flag(geo), { className: "flag", title: names.get(geo), role: "img", ariaLabel: names.get(geo) }), " "] : [];
      row(id("live-events"), moment(ts), [...mark, link(ip)], known_words(event));
      id("no-events").hidden = true;
      if (geo) counts.set(geo, (counts.get(geo) ?? 0) + 1);
    },
  };
  // On connecting, changes that this page shows already come once more.
  let from = Number(id("live-serial").textContent) || 0, opened = 0;
  const replayed = (serial) => performance.now() - opened < 2000 && serial <= from && serial > from - 1000;

  let pause = 1000, lost;
  const connect = () => {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${live.dataset.socket}`);
    socket.addEventListener("open", () => {
      pause = 1000;
      lost = undefined;
      opened = performance.now();
      from = Number(id("live-serial").textContent) || 0;
    });
    socket.addEventListener("message", ({ data }) => {
      let message;
      try { message = JSON.parse(data); } catch { return; }
      take[message.msgtype]?.(message.payload);
      if (message.msgtype !== "info") heard = new Date().toISOString();
      soon();
    });
    socket.addEventListener("close", ({ code }) => {
      lost ??= new Date();
      connection(false, code === 1013 ? "Too much for this browser" : "Not connected to this site", lastKnown(lost) + " Trying again…");
      // A little of chance, so that thousands do not come back at once.
      setTimeout(connect, pause * (0.5 + Math.random()));
      pause = Math.min(pause * 2, 30000);
    });
  };
  connect();

  search.addEventListener("input", () => { page = 1; touched = true; soon(); });
  live.querySelector(".search").addEventListener("submit", (event) => {
    if (!known) return;
    event.preventDefault();
    page = 1;
    drawList();
  });
  live.addEventListener("click", (event) => {
    const button = event.target.closest(".live-pages a");
    if (!button || !known || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    page += button.rel === "next" ? 1 : -1;
    drawList();
    id("list").scrollIntoView({ block: "start" });
  });
})();
