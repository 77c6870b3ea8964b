// The current state. All data comes as server-sent events; only ages are computed here.
import { ask } from "/console/api.js";
import { age, aging, badge, mark, panel } from "/console/parts.js";
import { showStreams } from "/console/streams.js";
import { cell, compact, count, h, keep, rate, s, share, span, table, timed, write } from "/console/dom.js";

/** As many models of a node are all in its table. */
const FEW_MODELS = 8;
const RETRY_AFTER = 3000;

export function showStatus({ session, notify, live }) {
  const figures = tiles(["Requests", "Tokens per second", "Waiting", "Nodes in service"]);
  const nodes = h("div", { class: "nodes" });
  const streams = showStreams({ notify });
  const queue = table("Waiting requests", ["Place", "Model", "Deployment", "Key", ["Waits", "number"]], "queue");
  const failures = table("Recent failures", ["When", "Code", "What happened", "Model", "Node", "Key"], "failures");
  const config = h("dl", { class: "facts" });
  const service = h("dl", { class: "facts" });
  const parts = {
    queue: panel("Queue", queue, "Nobody waits."),
    failures: panel("Recent failures", failures, "No failures since the proxy started."),
  };
  const view = h("div", { class: "page" },
    h("h1", { class: "unseen" }, "Status"), figures.view, streams.view,
    h("section", { class: "panel bare", "aria-labelledby": "nodes-title" }, h("h2", { id: "nodes-title" }, "Nodes"), nodes),
    h("div", { class: "pair" }, parts.queue.view, h("section", { class: "panel", "aria-labelledby": "config-title" },
      h("h2", { id: "config-title" }, "Service"), service, config)),
    parts.failures.view);

  let rateOfAll = null;
  const sections = {
    about: (value) => {
      rateOfAll = value.tokens_per_second;
      if (rateOfAll !== null) write(figures.at[1], rate(rateOfAll));
      service.replaceChildren(...describeService(value));
    },
    nodes: (value) => {
      write(figures.at[3], `${value.filter((one) => one.healthy).length} of ${value.length}`);
      keep(nodes, value, (one) => one.name, makeNode, updateNode);
    },
    streams: ({ total, rows }) => {
      write(figures.at[0], count(total));
      if (rateOfAll === null) write(figures.at[1], rate(rows.reduce((sum, one) => sum + (one.tokens_per_second ?? 0), 0)));
      streams.update(total, rows);
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

  const hang = hear(sections, live);
  const ticking = setInterval(() => tick(view), 1000);
  return [view, () => (clearInterval(ticking), hang(), streams.end())];
}

/** Gives events to `sections`, and returns what ends that. */
function hear(sections, live) {
  let source;
  let waiting = 0;
  function connect() {
    source = new EventSource("/console/api/events");
    source.onopen = () => live("good", "Live");
    source.onerror = () => {
      live("bad", "Connection lost; trying again");
      // After an error such as a reverse proxy's 502 the browser does not try again.
      if (source.readyState === EventSource.CLOSED) waiting = setTimeout(again, RETRY_AFTER);
    };
    for (const [name, update] of Object.entries(sections)) {
      source.addEventListener(name, (event) => update(JSON.parse(event.data)));
    }
    source.addEventListener("session", () => {
      source.close();
      window.dispatchEvent(new Event("signed-out"));
    });
  }
  async function again() {
    const now = await ask("session").catch(() => null);
    if (waiting === null) return;
    if (now && !now.signed_in) window.dispatchEvent(new Event("signed-out"));
    else connect();
  }
  live("busy", "Connecting");
  connect();
  return () => (clearTimeout(waiting), (waiting = null), source.close());
}

function tiles(labels) {
  const at = labels.map(() => h("dd", {}, "–"));
  const view = h("dl", { class: "tiles" }, labels.map((one, index) => h("div", {}, h("dt", {}, one), at[index])));
  return { view, at };
}

function tick(view) {
  const now = Date.now() / 1000;
  for (const one of view.querySelectorAll("[data-since]")) write(one, span(now - Number(one.dataset.since)));
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
    "Model", ["Running", "number"], ["Waiting", "number"], ["Requests", "number"], ["Failures", "number"], ["Tokens/s", "number"], ["Cached", "number"],
  ]);
  return h("article", { class: "node", "aria-label": `Node ${one.name}` },
    h("header", {}, h("h3", {}, one.name), badge(one.state)),
    h("div", { class: "slots" }), h("p", { class: "said" }), h("div", { class: "scroll" }, models),
    h("details", { class: "rest" }, h("summary"), h("ul", { class: "names" })));
}

function updateNode(card, one) {
  const [head, slots, said, scroll, rest] = card.children;
  mark(head.lastChild, one.state);
  const limit = one.limit === null ? "" : ` of ${one.limit}`;
  const text = `${one.in_flight}${limit} in use${one.waiting ? `, ${one.waiting} waiting` : ""}`;
  if (slots.dataset.text !== text) {
    slots.dataset.text = text;
    slots.replaceChildren(one.limit ? meter(one.in_flight / one.limit) : "", h("span", {}, text));
  }
  const trouble = one.last_error && (one.state !== "up" || one.cooling_until);
  said.hidden = !trouble;
  write(said, trouble ? one.last_error : "");
  const shown = one.models.length + one.models_left > FEW_MODELS ? one.models.filter(isUsed) : one.models;
  scroll.hidden = !shown.length;
  keep(scroll.firstChild.tBodies[0], shown, (model) => model.name, makeModel, updateModel);
  updateRest(rest, one.models.filter((model) => !shown.includes(model)), one.models_left, shown.length > 0);
}

const isUsed = (model) => model.loaded || model.requests || model.streams || model.waiting;

/** Models that nobody has asked for yet: their names alone, behind a line. */
function updateRest(rest, models, left, more) {
  const all = models.length + left;
  rest.hidden = !all;
  write(rest.firstChild, `${count(all)} ${more ? "more " : ""}${all === 1 ? "model" : "models"}, not asked for yet`);
  const names = left ? [...models, { name: `and ${count(left)} more` }] : models;
  keep(rest.lastChild, names, (model) => model.name, (model) => h("li", {}, h("bdi", {}, model.name)), () => {});
}

function meter(part) {
  const width = Math.round(Math.min(1, part) * 100);
  return s("svg", { class: "meter", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "rail", width: 100, height: 6, rx: 2 }), s("rect", { class: part >= 1 ? "most" : "part", width, height: 6, rx: 2 }));
}

function makeModel(one) {
  return h("tr", {}, cell("Model", one.name, "name"),
    ...["Running", "Waiting", "Requests", "Failures", "Tokens/s", "Cached"].map((label) => cell(label, "", "number")));
}

function updateModel(row, one) {
  const values = [count(one.streams), count(one.waiting), compact(one.requests), count(one.failures), rate(one.tokens_per_second), share(one.cached_share)];
  values.forEach((value, index) => write(row.cells[index + 1], value));
  row.cells[4].classList.toggle("warn", one.failures > 0);
  row.title = [one.loaded === false ? "not loaded" : "", one.context ? `context of ${count(one.context)} tokens` : ""].filter(Boolean).join(", ");
  row.classList.toggle("faint", one.loaded === false);
}

function describeService({ version, started, ready, draining }) {
  const [word, kind] = draining ? ["stopping", "busy"] : ready ? ["ready", "good"] : ["no node can be used", "bad"];
  return [
    h("div", {}, h("dt", {}, "State"), h("dd", {}, h("span", { class: `badge ${kind}` }, word))),
    h("div", {}, h("dt", {}, "Started"), h("dd", {}, timed(started), ` (version ${version})`)),
  ];
}

function describeConfig({ loaded, tried, refusal }, admin) {
  const good = !refusal && tried - loaded < 1;
  const facts = [h("div", {}, h("dt", {}, "Configuration in use since"), h("dd", {}, timed(loaded)))];
  if (!good) facts.push(h("div", {}, h("dt", {}, "Last try to load it"), h("dd", {}, timed(tried))));
  facts.push(h("div", {}, h("dt", {}, "Result"), h("dd", {}, good
    ? h("span", { class: "badge good" }, "in use")
    : [h("span", { class: "badge bad" }, "refused"), h("p", { class: "said" }, admin && refusal ? refusal : "The file was refused; the one before it stays in use.")])));
  return facts;
}
