// What goes on now. Everything comes by server-sent events; only ages are counted here.
import { ask } from "/console/api.js";
import { cell, compact, count, guarded, h, keep, rate, s, share, span, table, timed, write } from "/console/dom.js";

const STATES = {
  ok: "good", loaded: "good", streaming: "good", draining: "busy", full: "busy", cooling: "busy",
  queued: "busy", waiting: "busy", reading: "busy", down: "bad", hung: "bad",
};

export function showStatus({ session, notify, live }) {
  const figures = tiles(["Streams", "Tokens per second", "Waiting", "Nodes in service"]);
  const nodes = h("div", { class: "nodes" });
  const streams = table("Running streams", [
    "State", "Model", "Node", "Key", ["Age", "number"], ["Tokens", "number"], ["Tokens/s", "number"],
    [h("span", { class: "unseen" }, "Cancel"), ""],
  ], "streams");
  const queue = table("Waiting requests", ["Place", "Model", "Deployment", "Key", ["Waits", "number"]], "queue");
  const failures = table("Recent failures", ["When", "Code", "What happened", "Model", "Node", "Key"], "failures");
  const config = h("dl", { class: "facts" });
  const parts = {
    streams: panel("Streams", streams, "Nothing streams now. Start one in the playground.", h("a", { href: "#playground" }, "Open the playground")),
    queue: panel("Queue", queue, "Nobody waits."),
    failures: panel("Recent failures", failures, "No failures since the proxy started."),
  };
  const view = h("div", { class: "page" },
    h("h1", { class: "unseen" }, "Status"), figures.view, parts.streams.view,
    h("section", { class: "panel bare", "aria-labelledby": "nodes-title" }, h("h2", { id: "nodes-title" }, "Nodes"), nodes),
    h("div", { class: "pair" }, parts.queue.view, h("section", { class: "panel", "aria-labelledby": "config-title" },
      h("h2", { id: "config-title" }, "Configuration"), config)),
    parts.failures.view);

  const sections = {
    nodes: (value) => {
      write(figures.at[3], `${value.filter((one) => one.healthy).length} of ${value.length}`);
      keep(nodes, value, (one) => one.name, makeNode, updateNode);
    },
    streams: ({ total, rows }) => {
      write(figures.at[0], count(total));
      write(figures.at[1], rate(rows.reduce((sum, one) => sum + (one.tokens_per_second ?? 0), 0)));
      parts.streams.filled(rows.length, total > rows.length ? `the newest ${rows.length} of ${count(total)}` : "");
      keep(streams.tBodies[0], rows, (one) => one.id, (one) => makeStream(one, cancel), updateStream);
    },
    queue: ({ total, rows }) => {
      write(figures.at[2], count(total));
      parts.queue.filled(rows.length, total > rows.length ? `the first ${rows.length} of ${count(total)}` : "");
      keep(queue.tBodies[0], rows, (one) => one.id, makeWaiting, updateWaiting);
    },
    failures: (rows) => {
      parts.failures.filled(rows.length, "");
      keep(failures.tBodies[0], rows, (one) => one.id, makeFailure, () => {});
    },
    config: (value) => config.replaceChildren(...describeConfig(value, session.admin)),
  };

  async function cancel(id, button) {
    button.disabled = true;
    button.textContent = "Cancelling…";
    try {
      await ask(`streams/${encodeURIComponent(id)}/cancel`, "POST");
    } catch (fault) {
      if (fault.status !== 404) notify(fault.message);
      button.disabled = false;
      button.textContent = "Cancel";
    }
  }

  const source = new EventSource("/console/api/events");
  live("busy", "Connecting");
  source.onopen = () => live("good", "Live");
  source.onerror = () => live("bad", "Connection lost; trying again");
  for (const [name, update] of Object.entries(sections)) {
    source.addEventListener(name, (event) => update(JSON.parse(event.data)));
  }
  source.addEventListener("session", () => {
    source.close();
    window.dispatchEvent(new Event("signed-out"));
  });
  const ticking = setInterval(() => tick(view), 1000);
  return [view, () => (clearInterval(ticking), source.close())];
}

function tiles(labels) {
  const at = labels.map(() => h("dd", {}, "–"));
  const view = h("dl", { class: "tiles" }, labels.map((one, index) => h("div", {}, h("dt", {}, one), at[index])));
  return { view, at };
}

function panel(title, content, nothing, more = null) {
  const id = `${title.toLowerCase().replaceAll(" ", "-")}-title`;
  const note = h("span", { class: "note" });
  const empty = h("p", { class: "empty" }, nothing, more && [" ", more]);
  const scroll = h("div", { class: "scroll", hidden: true }, content);
  const view = h("section", { class: "panel", "aria-labelledby": id }, h("h2", { id }, title, note), empty, scroll);
  const filled = (rows, text) => {
    empty.hidden = rows > 0;
    scroll.hidden = !rows;
    write(note, text);
  };
  return { view, filled };
}

function badge(state) {
  return h("span", { class: `badge ${STATES[state] ?? "busy"}` }, state);
}

function mark(element, state) {
  element.className = `badge ${STATES[state] ?? "busy"}`;
  write(element, state);
}

/** Seconds since `epoch`, counted on. */
function aging(seconds) {
  return h("span", { "data-since": Date.now() / 1000 - seconds }, span(seconds));
}

function age(element, seconds) {
  element.firstChild.dataset.since = Date.now() / 1000 - seconds;
}

function tick(view) {
  const now = Date.now() / 1000;
  for (const one of view.querySelectorAll("[data-since]")) write(one, span(now - Number(one.dataset.since)));
}

function makeStream(one, cancel) {
  return h("tr", {},
    cell("State", badge(one.state)), cell("Model", one.model, "name"), cell("Node"), cell("Key", one.key),
    cell("Age", aging(one.age_s), "number"), cell("Tokens", "", "number"), cell("Tokens/s", "", "number"),
    cell("", guarded("Cancel", "Cancel it?", (button) => cancel(one.id, button), {
      "aria-label": `Cancel stream ${one.id} of ${one.key}`, title: one.id,
    }), "act"));
}

function updateStream(row, one) {
  const cells = row.cells;
  mark(cells[0].firstChild, one.state);
  write(cells[2], one.node || "–");
  age(cells[4], one.age_s);
  write(cells[5], count(one.tokens));
  write(cells[6], rate(one.tokens_per_second));
}

function makeWaiting(one) {
  return h("tr", {}, cell("Place"), cell("Model", one.model, "name"), cell("Deployment", one.deployment),
    cell("Key", one.key), cell("Waits", aging(one.waiting_s), "number"));
}

function updateWaiting(row, one) {
  write(row.cells[0], one.position);
  age(row.cells[4], one.waiting_s);
}

function makeFailure(one) {
  const what = one.reason || one.ending || "–";
  return h("tr", {}, cell("When", timed(one.at)), cell("Code", h("code", {}, one.code || one.status), "code"),
    cell("What happened", what, "wide"), cell("Model", one.model || "–", "name"), cell("Node", one.node || "–"), cell("Key", one.key || "–"));
}

function makeNode(one) {
  const models = table(`Models of ${one.name}`, [
    "Model", ["Running", "number"], ["Requests", "number"], ["Failures", "number"], ["Tokens/s", "number"], ["From cache", "number"],
  ]);
  return h("article", { class: "node", "aria-label": `Node ${one.name}` },
    h("header", {}, h("h3", {}, one.name), badge(one.state)),
    h("div", { class: "slots" }), h("p", { class: "said" }), h("div", { class: "scroll" }, models));
}

function updateNode(card, one) {
  const [head, slots, said, scroll] = card.children;
  mark(head.lastChild, one.state);
  const limit = one.limit === null ? "" : ` of ${one.limit}`;
  const text = `${one.in_flight}${limit} in use${one.waiting ? `, ${one.waiting} waiting` : ""}`;
  if (slots.dataset.text !== text) {
    slots.dataset.text = text;
    slots.replaceChildren(one.limit ? meter(one.in_flight / one.limit) : "", h("span", {}, text));
  }
  const trouble = one.last_error && (one.state !== "ok" || one.cooling_until);
  said.hidden = !trouble;
  write(said, trouble ? one.last_error : "");
  keep(scroll.firstChild.tBodies[0], one.models, (model) => model.name, makeModel, updateModel);
}

function meter(part) {
  const width = Math.round(Math.min(1, part) * 100);
  return s("svg", { class: "meter", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "rail", width: 100, height: 6, rx: 2 }), s("rect", { class: part >= 1 ? "most" : "part", width, height: 6, rx: 2 }));
}

function makeModel(one) {
  return h("tr", {}, cell("Model", one.name, "name"),
    ...["Running", "Requests", "Failures", "Tokens/s", "From cache"].map((label) => cell(label, "", "number")));
}

function updateModel(row, one) {
  const values = [count(one.streams), compact(one.requests), count(one.failures), rate(one.tokens_per_second), share(one.cached_share)];
  values.forEach((value, index) => write(row.cells[index + 1], value));
  row.cells[3].classList.toggle("warn", one.failures > 0);
  row.title = [one.loaded === false ? "not loaded" : "", one.context ? `context of ${count(one.context)} tokens` : ""].filter(Boolean).join(", ");
  row.classList.toggle("faint", one.loaded === false);
}

function describeConfig({ loaded, tried, refusal }, admin) {
  const good = !refusal && tried - loaded < 1;
  const facts = [h("div", {}, h("dt", {}, "In use since"), h("dd", {}, timed(loaded)))];
  if (!good) facts.push(h("div", {}, h("dt", {}, "Last try"), h("dd", {}, timed(tried))));
  facts.push(h("div", {}, h("dt", {}, "Result"), h("dd", {}, good
    ? h("span", { class: "badge good" }, "in use")
    : [h("span", { class: "badge bad" }, "refused"), h("p", { class: "said" }, admin && refusal ? refusal : "The file was refused; the one before it stays in use.")])));
  return facts;
}
