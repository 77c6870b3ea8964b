// All running requests: the newest as they arrive, and all others by searching, sorting and paging.
import { ask } from "/console/api.js";
import { cell, count, guarded, h, keep, moment, questions, rate, table, write } from "/console/dom.js";
import { age, aging, badge, mark, panel } from "/console/parts.js";

const SEARCH_EVERY = 2000;
const PAGE = 200;
/** Title, column and direction; the first is what comes by itself. */
const ORDERS = [
  ["Newest first", "age", "ascending"], ["Oldest first", "age", "descending"], ["Most tokens first", "tokens", "descending"],
  ["Slowest first", "tokens_per_second", "ascending"], ["By key", "key", "ascending"], ["By model", "model", "ascending"],
  ["By node", "node", "ascending"], ["By state", "state", "ascending"],
];

export function showStreams({ notify }) {
  const rows = table("Running streams", [
    "State", "Model", "Node", "Key", ["Age", "number"], ["Tokens", "number"], ["Tokens/s", "number"],
    [h("span", { class: "unseen" }, "Cancel"), ""],
  ], "streams");
  const part = panel("Streams", rows, "Nothing streams now. Start one in the playground.", h("a", { href: "#playground" }, "Open the playground"));
  const find = h("input", { type: "search", "aria-label": "Find streams", placeholder: "Find: key, model, node, state, id", oninput: () => turn(0) });
  const order = h("select", { "aria-label": "Order of streams", onchange: () => turn(0) }, ORDERS.map(([title]) => h("option", {}, title)));
  const back = h("button", { type: "button", class: "small", onclick: () => turn(skip - PAGE) }, "Newer page");
  const on = h("button", { type: "button", class: "small", onclick: () => turn(skip + PAGE) }, "Next page");
  const none = h("p", { class: "empty", hidden: true }, "No stream has these words.");
  const bar = h("div", { class: "bar tools", hidden: true }, find, order, back, on);
  part.view.querySelector(".empty").before(bar);
  part.view.append(none);
  let skip = 0;
  let total = 0;
  let waiting = 0;
  const asks = questions();

  const searches = () => skip > 0 || find.value.trim() !== "" || order.selectedIndex > 0;

  function turn(wanted) {
    skip = Math.max(0, wanted);
    asks();
    clearTimeout(waiting);
    waiting = setTimeout(search, 150);
  }

  /** The answer to the last question counts; there is one at a time. */
  async function search() {
    clearTimeout(waiting);
    const isLast = asks();
    if (!searches()) return;
    const [, sort, direction] = ORDERS[order.selectedIndex];
    try {
      const found = await ask(`streams?${new URLSearchParams({ find: find.value, sort, order: direction, skip })}`);
      if (!isLast()) return;
      if (!found.rows.length && skip) return turn(skip - PAGE);
      show(found);
    } catch (fault) {
      if (isLast() && fault.status !== 503) notify(fault.message);
    }
    if (isLast()) waiting = setTimeout(search, SEARCH_EVERY);
  }

  function show(found) {
    const { rows: shown, found: matching } = found;
    const last = skip + shown.length;
    const some = matching > shown.length ? `${count(skip + 1)} to ${count(last)} of ` : "";
    const all = matching < total ? `, of ${count(total)} streams` : "";
    part.filled(total, some || all ? `${some}${count(matching)}${all}` : "");
    rows.parentElement.hidden = !shown.length;
    none.hidden = shown.length > 0 || !total;
    bar.hidden = total < 2 && !searches();
    back.hidden = on.hidden = matching <= PAGE;
    back.disabled = !skip;
    on.disabled = last >= matching;
    write(back, order.selectedIndex ? "Page before" : "Newer page");
    keep(rows.tBodies[0], shown, (one) => one.id, (one) => makeStream(one, cancel), updateStream);
  }

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

  const update = (now, newest) => {
    total = now;
    if (!searches()) show({ rows: newest, found: now });
  };
  return { view: part.view, update, end: () => (clearTimeout(waiting), asks()) };
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
  cells[4].title = `since ${moment(one.started)}${one.queued_s >= 1 ? `, of which ${Math.round(one.queued_s)} s in the queue` : ""}`;
  cells[5].title = `${count(one.bytes)} bytes`;
  write(cells[5], count(one.tokens));
  write(cells[6], rate(one.tokens_per_second));
}
