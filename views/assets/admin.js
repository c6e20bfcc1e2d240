// Keeps what an operator looks at up to date. Without it the pages work the same, and change when they are loaded again.
"use strict";
(() => {
  const focusable = (piece) => [...piece.querySelectorAll("a, button, summary, [tabindex]")];
  const busy = () => {
    const live = document.querySelector("[data-live]");
    // Whoever marks a text, or points at nothing because the page is hidden, is left alone.
    return !live || document.hidden || (!getSelection().isCollapsed && live.contains(getSelection().anchorNode));
  };

  let asking = false;
  const renew = async () => {
    if (asking || busy()) return;
    asking = true;
    const address = location.href;
    try {
      const answer = await fetch(address, { headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const [live, fresh] = [document, page].map((of) => of.querySelector("[data-live]"));
      if (!fresh || busy() || location.href !== address) return;
      const at = focusable(live).indexOf(document.activeElement);
      const open = [...live.querySelectorAll("details")].map((details) => details.open);
      fresh.querySelectorAll("details").forEach((details, i) => { details.open = open[i] || false; });
      const scrolled = [...live.querySelectorAll(".rows, .scroll")].map((rows) => [rows.scrollLeft, rows.scrollTop]);
      live.replaceChildren(...fresh.childNodes);
      live.querySelectorAll(".rows, .scroll").forEach((rows, i) => {
        [rows.scrollLeft, rows.scrollTop] = scrolled[i] || [0, 0];
      });
      if (at >= 0) focusable(live)[at]?.focus({ preventScroll: true });
    } catch { /* the next event or interval tries again */ } finally { asking = false; }
  };

  addEventListener("DOMContentLoaded", () => {
    // The form of the token, questions and errors stay as they are. Whoever sees them may have no right to the events.
    if (!document.querySelector("[data-live]")) return;
    let soon;
    const events = new EventSource("/events");
    events.onmessage = () => { clearTimeout(soon); soon = setTimeout(renew, 200); };
    setInterval(renew, 10000);
    document.addEventListener("visibilitychange", renew);
  });
})();
