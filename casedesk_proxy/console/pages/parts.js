// Parts that several pages share.
import { h, span, write } from "/console/dom.js";

const STATES = {
  up: "good", loaded: "good", streaming: "good", draining: "busy", full: "busy",
  queued: "busy", waiting: "busy", arriving: "busy", down: "bad", hung: "bad",
};

/** More rows scroll in their panel, so that what stands below can be reached. */
const MANY_ROWS = 8;

/** `filled(rows, text)`: whether there is something to show, and what stands beside the title. */
export function panel(title, content, nothing, more = null) {
  const id = `${title.toLowerCase().replaceAll(" ", "-")}-title`;
  const note = h("span", { class: "note" });
  const empty = h("p", { class: "empty" }, nothing, more && [" ", more]);
  const scroll = h("div", { class: "scroll tall", role: "region", "aria-labelledby": id, hidden: true }, content);
  const view = h("section", { class: "panel", "aria-labelledby": id }, h("h2", { id }, title, note), empty, scroll);
  const filled = (rows, text) => {
    empty.hidden = rows > 0;
    scroll.hidden = !rows;
    scroll.tabIndex = rows > MANY_ROWS ? 0 : -1;
    write(note, text);
  };
  return { view, filled };
}

/** `hint`: what to know before it is filled in. */
export function field(label, control, { kind = "", hint = "" } = {}) {
  return h("label", { class: `field ${kind}` }, h("span", {}, label), control, hint && h("small", {}, hint));
}

export function badge(state) {
  return h("span", { class: `badge ${STATES[state] ?? "busy"}` }, state);
}

export function mark(element, state) {
  element.className = `badge ${STATES[state] ?? "busy"}`;
  write(element, state);
}

/** Seconds since `epoch`, counted on. */
export function aging(seconds) {
  return h("span", { "data-since": Date.now() / 1000 - seconds }, span(seconds));
}

export function age(element, seconds) {
  element.firstChild.dataset.since = Date.now() / 1000 - seconds;
}
