// Keys of people and programs: made here, shown once, limited, revoked.
import { ask } from "/console/api.js";
import { cell, copier, count, day, guarded, h, keep, once, questions, table, timed, write } from "/console/dom.js";
import { field } from "/console/parts.js";

const LIMITS = [
  ["requests_per_minute", "Requests a minute"], ["tokens_per_minute", "Tokens a minute"],
  ["tokens_per_day", "Tokens a day"], ["tokens_per_month", "Tokens a month"], ["parallel", "Requests at once"],
];

const NONE = "No keys in the state file yet: create one below. Those of the configuration are in its file.";

export function showKeys({ notify }) {
  const made = h("div", { id: "made", "aria-live": "polite" });
  const changing = h("div", { id: "changing" });
  const list = table("Keys", ["Name", "Deployments", "Limits", "Last used", "Expires", [h("span", { class: "unseen" }, "Actions"), ""]], "keys");
  const none = h("p", { class: "empty" }, "One moment…");
  const choices = h("div", { class: "choices" });
  const fault = h("p", { class: "fault", role: "alert" });
  const form = newKey(choices, fault, once(make));
  const view = h("div", { class: "page" }, h("h1", {}, "Keys"), made, changing,
    h("section", { class: "panel", "aria-labelledby": "list-title" }, h("h2", { id: "list-title" }, "Keys in use"), none, h("div", { class: "scroll" }, list)),
    h("section", { class: "panel", "aria-labelledby": "new-title" }, h("h2", { id: "new-title" }, "New key"), form));

  list.hidden = true;
  const asks = questions();

  async function load() {
    const isLast = asks();
    try {
      const { keys } = await ask("keys");
      if (!isLast()) return;
      none.hidden = keys.length > 0;
      list.hidden = !keys.length;
      keep(list.tBodies[0], keys.filter((one) => !one.replaced), JSON.stringify, (one) => row(one, revoke, rotate, change), () => {});
    } catch (problem) {
      if (!isLast()) return;
      none.hidden = true;
      notify(problem.message);
    }
    write(none, NONE);
  }

  async function make(body) {
    fault.textContent = "";
    try {
      reveal(made, await ask("keys", "POST", body));
      form.reset();
    } catch (problem) {
      fault.textContent = problem.message;
      return;
    }
    load();
  }

  async function revoke(name, button) {
    button.disabled = true;
    await ask(`keys/${encodeURIComponent(name)}`, "DELETE").catch((problem) => notify(problem.message));
    button.disabled = false;
    load();
  }

  function change(one) {
    const form = changedKey(one, async (body) => {
      if (Object.keys(body).length) await ask(`keys/${encodeURIComponent(one.name)}`, "PATCH", body);
      form.remove();
      await load();
      back(one.name);
    }, () => (form.remove(), back(one.name)));
    changing.replaceChildren(form);
    changing.querySelector("input").focus();
    changing.scrollIntoView({ block: "nearest" });
  }

  /** Returns the focus to where a key's change began, unless it is somewhere else. */
  function back(name) {
    const label = `Change key ${name}`;
    if (document.activeElement === document.body) [...list.querySelectorAll("button")].find((one) => one.ariaLabel === label)?.focus();
  }

  async function rotate(name) {
    try {
      reveal(made, await ask(`keys/${encodeURIComponent(name)}/rotate`, "POST", { grace: "1h" }), "The old one is valid for one more hour.");
    } catch (problem) {
      notify(problem.message);
    }
    load();
  }

  ask("deployments").then(({ deployments }) => choices.replaceChildren(...deployments.map((one) =>
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "deployments", value: one.name, defaultChecked: deployments.length === 1 }), one.name))),
  (problem) => notify(problem.message));
  load();
  return [view];
}

function row(one, revoke, rotate, change) {
  const limits = LIMITS.filter(([name]) => one.limits?.[name] != null)
    .map(([name, label]) => `${label.toLowerCase()}: ${shownLimit(one.limits[name])}`);
  const where = one.deployments.join(", ") || "none";
  return h("tr", {}, cell("Name", h("span", {}, h("b", {}, one.name), " ", one.admin && h("span", { class: "badge" }, "admin"), one.note && h("small", {}, one.note))),
    cell("Deployments", where), cell("Limits", limits.join("; ") || "none"),
    cell("Last used", one.used ? timed(one.used) : "never"), cell("Expires", one.expires ? day(one.expires) : "never"),
    cell("", h("span", { class: "acts" },
      h("button", { type: "button", class: "small", "aria-label": `Change key ${one.name}`, onclick: () => change(one) }, "Change"),
      guarded("Rotate", "Rotate it?", () => rotate(one.name), { class: "small", "aria-label": `Rotate key ${one.name}` }),
      guarded("Revoke", "Revoke it?", (button) => revoke(one.name, button), { "aria-label": `Revoke key ${one.name}` })), "act"));
}

function shownLimit(limit) {
  const { soft, hard } = typeof limit === "object" ? limit : { hard: limit };
  return [hard != null && count(hard), soft != null && `warns at ${count(soft)}`].filter(Boolean).join(", ");
}

function hardLimit(limit) {
  return (typeof limit === "object" ? limit?.hard : limit) ?? "";
}

function reveal(place, { name, key }, more = "") {
  const text = h("code", { id: "secret", tabIndex: -1 }, key);
  place.replaceChildren(h("section", { class: "panel made", "aria-labelledby": "made-title" },
    h("h2", { id: "made-title" }, `The key of ${name}`),
    h("p", {}, "Copy it now: it is shown this once, and only its hash is kept. It works from now on. ", more),
    h("div", { class: "secret" }, text, copier(() => key)),
    h("button", { type: "button", class: "small quiet", onclick: () => place.replaceChildren() }, "I have copied it")));
  text.focus();
  place.scrollIntoView({ block: "nearest" });
}

function limitFields(limits = {}) {
  return h("div", { class: "grid" }, LIMITS.map(([name, label]) =>
    field(label, h("input", { name, type: "number", min: 1, step: 1, placeholder: "no limit", inputMode: "numeric", value: hardLimit(limits[name]) }))));
}

function changedKey(one, save, close) {
  const fault = h("p", { class: "fault", role: "alert" });
  const submitted = once(async (form) => {
    const given = new FormData(form);
    const body = {};
    if (given.get("note").trim() !== one.note) body.note = given.get("note").trim();
    const bounds = LIMITS.filter(([name]) => given.get(name) !== String(hardLimit(one.limits?.[name])))
      .map(([name]) => [name, changedLimit(one.limits?.[name], given.get(name))]);
    if (bounds.length) body.limits = Object.fromEntries(bounds);
    fault.textContent = "";
    await save(body).catch((problem) => { fault.textContent = problem.message; });
  });
  return h("section", { class: "panel", "aria-labelledby": "change-title" }, h("h2", { id: "change-title" }, `Change the key of ${one.name}`),
    h("form", { onsubmit: (event) => (event.preventDefault(), submitted(event.currentTarget)) }, fault, limitFields(one.limits),
      h("div", { class: "grid" }, field("Note", h("input", { name: "note", autocomplete: "off", value: one.note }))),
      h("div", { class: "bar" }, h("button", { type: "submit", class: "main" }, "Save"),
        h("button", { type: "button", class: "quiet", onclick: close }, "Cancel"))));
}

function changedLimit(before, text) {
  // An empty field: the limits for all keys apply again.
  const soft = before?.soft ?? null;
  if (!text) return soft === null ? "default" : { soft };
  return soft !== null && soft <= Number(text) ? { soft, hard: Number(text) } : Number(text);
}

function newKey(choices, fault, make) {
  const limits = h("details", {}, h("summary", {}, "Limits"), limitFields());
  const submitted = (event) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    if (!given.getAll("deployments").length && !given.get("admin")) {
      fault.textContent = "Choose a deployment: a key that opens none is of no use, unless it is an admin's.";
      return;
    }
    const body = { name: given.get("name").trim(), deployments: given.getAll("deployments") };
    if (given.get("note").trim()) body.note = given.get("note").trim();
    if (given.get("expires")) body.expires = given.get("expires");
    if (given.get("admin")) body.admin = true;
    const bounds = LIMITS.filter(([name]) => given.get(name)).map(([name]) => [name, Number(given.get(name))]);
    if (bounds.length) body.limits = Object.fromEntries(bounds);
    make(body);
  };
  return h("form", { onsubmit: submitted }, fault,
    h("div", { class: "grid" },
      field("Name", h("input", { name: "name", required: true, autocomplete: "off", autocapitalize: "none" }), { hint: "Of the person or program that will use it." }),
      field("Note", h("input", { name: "note", autocomplete: "off" })),
      field("Expires", h("input", { name: "expires", type: "date" }), { hint: "Empty: never." })),
    h("fieldset", {}, h("legend", {}, "Deployments that it may use"), choices),
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "admin" }), "Admin: sees everything and changes keys"),
    limits, h("button", { type: "submit", class: "main" }, "Create the key"));
}
