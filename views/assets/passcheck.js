// Checks a password without sending it: its hash is computed here, the first digits of it are sent, and the answer is searched here.
"use strict";
(() => {
  const id = (name) => document.getElementById(name);
  const form = id("passcheck"), field = id("password"), outcome = id("outcome"), reveal = id("reveal");
  if (!window.isSecureContext || !window.crypto?.subtle) {
    id("insecure").hidden = false;
    return;
  }
  form.hidden = false;

  const names = new Map([...id("source-words").content.querySelectorAll("data")].map((d) => [d.value, d.textContent]));
  const say = (kind, ...lines) => {
    outcome.className = kind ? "message " + kind : "";
    outcome.replaceChildren(...lines.map((line) => {
      const p = document.createElement("p");
      p.textContent = line;
      return p;
    }));
  };
  const hash = async (password) => {
    const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(password));
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };
  // All of each hash of the answer is compared, and all of the answer is gone through, found or not.
  const same = (a, b) => {
    let difference = a.length ^ b.length;
    for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
    return difference === 0;
  };
  const ask = async (prefix) => {
    const answer = await fetch("/passcheck/apiv1/seen", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prefix }),
      credentials: "omit",
    });
    if (answer.status === 429) {
      throw new Error(`Too many passwords were checked from here. Try again in ${answer.headers.get("retry-after")} seconds.`);
    }
    if (!answer.ok) throw new Error("Passwords cannot be checked at the moment. Try again in a minute.");
    return (await answer.json()).passwords;
  };
  const tell = (found) => {
    if (!found) {
      return say("good", "This password was not seen.", "That alone does not make it a good one: a long one that you use nowhere else is.");
    }
    const times = found.count === 1 ? "once" : `${found.count.toLocaleString("en")} times`;
    const lines = [`This password was seen ${times}. Do not use it any more, anywhere.`];
    const where = found.sources.map((source) => names.get(source) ?? source);
    if (where.length) lines.push(`It was tried at: ${where.join(", ")}.`);
    if (found.first_seen) {
      lines.push(found.first_seen === found.last_seen ? `It was seen in reports of ${found.first_seen}.`
        : `First seen in reports of ${found.first_seen}, last of ${found.last_seen}.`);
    }
    say("bad", ...lines);
  };

  let asked = 0;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const turn = ++asked;
    say("", "Looking…");
    try {
      const whole = await hash(field.value);
      const known = await ask(whole.slice(0, 5));
      let found;
      for (const password of known) if (same(password.hash, whole)) found = password;
      if (turn === asked) tell(found);
    } catch (error) {
      if (turn === asked) say("bad", error instanceof TypeError ? "The server does not answer. Try again in a minute." : error.message);
    }
  });
  // What was said is about another password as soon as something else is typed.
  field.addEventListener("input", () => { asked++; say(""); });
  reveal.addEventListener("click", () => {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    reveal.setAttribute("aria-pressed", shown);
    reveal.textContent = shown ? "Hide what I type" : "Show what I type";
  });
})();
