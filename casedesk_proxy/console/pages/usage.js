// Usage by day and key, from the ledger, as a chart and in numbers.
import { ask } from "/console/api.js";
import { cell, compact, count, h, questions, s, share, table } from "/console/dom.js";

export function showUsage({ session, notify }) {
  const days = h("select", { name: "days" }, [7, 30, 90].map((one) => h("option", { value: one, selected: one === 30 }, `${one} days`)));
  const key = h("select", { name: "key" });
  const body = h("div", { class: "page", "aria-live": "polite" }, h("p", { class: "empty" }, "One moment…"));
  const view = h("div", { class: "page" },
    h("div", { class: "bar" }, h("h1", {}, "Usage"),
      h("label", { class: "inline" }, h("span", {}, "Last"), days),
      h("label", { class: "inline", hidden: !session.admin }, h("span", {}, "Key"), key)), body);
  const asks = questions();
  let found = { days: [], time_zone: "UTC" };
  let number = 0;

  function draw() {
    const rows = found.days.filter((one) => !key.value || one.key === key.value);
    body.replaceChildren(...(rows.length ? report(rows, number, found.time_zone) : [h("section", { class: "panel" }, h("p", { class: "empty" }, "No requests in this time. ", h("a", { href: "#playground" }, "Open the playground"), " to send one."))]));
  }

  async function load() {
    const isLast = asks();
    const wanted = Number(days.value);
    let answer;
    try {
      answer = await ask(`usage?days=${wanted}`);
    } catch (fault) {
      if (!isLast()) return;
      number = 0;
      if (fault.status === 503) body.replaceChildren(h("p", { class: "empty" }, "The ledger is off, so no usage is kept. Set ledger: in the configuration to keep it."));
      else {
        body.replaceChildren();
        notify(fault.message);
      }
      return;
    }
    if (!isLast()) return;
    found = answer;
    number = wanted;
    const chosen = key.value;
    const names = [...new Set(found.days.map((one) => one.key))].sort();
    key.replaceChildren(h("option", { value: "" }, "All keys"), ...names.map((one) => h("option", { selected: one === chosen }, one)));
    draw();
  }

  days.addEventListener("change", load);
  key.addEventListener("change", () => number && draw());
  load();
  return [view];
}

function sum(rows, ...fields) {
  return rows.reduce((total, one) => total + fields.reduce((part, field) => part + (one[field] ?? 0), 0), 0);
}

function group(rows, of) {
  const groups = new Map();
  for (const one of rows) groups.set(of(one), [...(groups.get(of(one)) ?? []), one]);
  return groups;
}

function report(rows, days, zone) {
  const prompt = sum(rows, "prompt");
  const figures = [["Requests", compact(sum(rows, "requests"))], ["Failed", compact(sum(rows, "failed"))],
    ["Tokens in", compact(prompt)], ["Tokens out", compact(sum(rows, "output", "thoughts"))],
    ["From cache", prompt ? share(sum(rows, "cached") / prompt) : "–"]];
  return [
    h("dl", { class: "tiles" }, figures.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value)))),
    h("section", { class: "panel", "aria-labelledby": "chart-title" }, h("h2", { id: "chart-title" }, "Tokens by day", h("span", { class: "note" }, zone)),
      chart(group(rows, (one) => one.day), days),
      h("p", { class: "legend", "aria-hidden": "true" }, h("span", { class: "in" }, "in"), h("span", { class: "out" }, "out"))),
    h("section", { class: "panel", "aria-labelledby": "keys-title" }, h("h2", { id: "keys-title" }, "By key and model"), h("div", { class: "scroll" }, byKey(rows))),
    h("section", { class: "panel", "aria-labelledby": "days-title" }, h("h2", { id: "days-title" }, "By day"), h("div", { class: "scroll" }, byDay(rows))),
  ];
}

/** One bar a day, the last one at the right; the numbers are in the table below. */
function chart(byDate, days) {
  const last = new Date([...byDate.keys()].sort().at(-1) + "T00:00:00Z");
  const dates = Array.from({ length: days }, (_, index) => new Date(last - (days - 1 - index) * 86400000).toISOString().slice(0, 10));
  const totals = dates.map((date) => [sum(byDate.get(date) ?? [], "prompt"), sum(byDate.get(date) ?? [], "output", "thoughts")]);
  const most = Math.max(0, ...totals.map(([input, output]) => input + output));
  const step = 600 / days;
  const bars = totals.flatMap(([input, output], index) => {
    const [low, high] = [(120 * input) / (most || 1), (120 * output) / (most || 1)];
    const place = { x: index * step + step * 0.15, width: step * 0.7, rx: 1.5 };
    const bar = s("g", {}, s("title", {}, `${dates[index]}: ${count(input)} in, ${count(output)} out`),
      s("rect", { ...place, class: "in", y: 124 - low, height: low }), s("rect", { ...place, class: "out", y: 124 - low - high, height: high }));
    return [bar];
  });
  const label = `Tokens by day from ${dates[0]} to ${dates.at(-1)}, ${compact(most)} on the busiest; the table by day has the numbers.`;
  return h("figure", { class: "chart" },
    s("svg", { viewBox: "0 0 600 128", role: "img", "aria-label": label, preserveAspectRatio: "none" },
      s("line", { class: "axis", x1: 0, x2: 600, y1: 125, y2: 125 }), ...bars),
    h("figcaption", { "aria-hidden": "true" }, h("span", {}, dates[0]), h("span", {}, `${compact(most)} on the busiest day`), h("span", {}, dates.at(-1))));
}

const COLUMNS = [["Requests", "number"], ["Failed", "number"], ["Tokens in", "number"], ["From cache", "number"], ["Tokens out", "number"]];

function numbers(rows) {
  return [["Requests", sum(rows, "requests")], ["Failed", sum(rows, "failed")], ["Tokens in", sum(rows, "prompt")],
    ["From cache", sum(rows, "cached")], ["Tokens out", sum(rows, "output", "thoughts")]].map(([label, value]) => cell(label, count(value), "number"));
}

function byKey(rows) {
  const made = table("Usage by key and model", ["Key", "Model", ...COLUMNS]);
  const groups = [...group(rows, (one) => `${one.key}\n${one.model}`).values()];
  groups.sort((a, b) => sum(b, "prompt", "output") - sum(a, "prompt", "output"));
  made.tBodies[0].append(...groups.map((part) => h("tr", {}, cell("Key", part[0].key || "–"), cell("Model", part[0].model || "–", "name"), ...numbers(part))));
  return made;
}

function byDay(rows) {
  const made = table("Usage by day", ["Day", ...COLUMNS]);
  const groups = [...group(rows, (one) => one.day)].sort(([a], [b]) => (a < b ? 1 : -1));
  made.tBodies[0].append(...groups.map(([date, part]) => h("tr", {}, cell("Day", date), ...numbers(part))));
  return made;
}
