// Makes elements, and formats numbers and times. All text is inserted as text, never as markup.

/** An element: `on…` in `properties` are listeners, `class` and what has a dash are attributes. */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same in SVG, where all are attributes. */
export function s(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  if (properties.class) element.className = properties.class;
  element.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

/** Rows that stay the same elements as long as their key is there: focus is not lost. */
export function keep(body, rows, key, make, update) {
  const known = new Map([...body.children].map((row) => [row.dataset.key, row]));
  const wanted = new Map(rows.map((one) => [String(key(one)), one]));
  for (const [name, row] of known) if (!wanted.has(name)) row.remove();
  let before = body.firstElementChild;
  for (const [name, one] of wanted) {
    const row = known.get(name) ?? make(one);
    row.dataset.key = name;
    update(row, one);
    // What is moved loses the focus, so the rows above it move, to places further down.
    if (row.contains(document.activeElement)) while (before !== row) body.append(pass());
    if (row === before) pass();
    else body.insertBefore(row, before);
  }

  function pass() {
    const passed = before;
    before = before.nextElementSibling;
    return passed;
  }
}

/** Makes of a function one that does nothing while it runs: who presses twice does not ask twice. */
export function once(act) {
  let runs = false;
  return async (...given) => {
    if (runs) return;
    runs = true;
    try {
      await act(...given);
    } finally {
      runs = false;
    }
  };
}

/** Counts questions: `const isLast = last();` before one, `isLast()` once it is answered. An earlier question can be answered after a
    later one, which has taken its place. */
export function questions() {
  let asked = 0;
  return () => {
    const mine = (asked += 1);
    return () => mine === asked;
  };
}

/** A cell, with the column's name for narrow screens. */
export function cell(label, content = "", kind = "") {
  // A name keeps its own text direction and does not change that of the text beside it.
  return h("td", { class: kind, "data-label": label }, kind === "name" ? h("bdi", {}, content) : content);
}

export function table(caption, columns, id) {
  const head = columns.map((one) =>
    typeof one === "string" ? h("th", { scope: "col" }, one) : h("th", { scope: "col", class: one[1] }, one[0]));
  return h("table", { id }, h("caption", { class: "unseen" }, caption),
    h("thead", {}, h("tr", {}, head)), h("tbody"));
}

export function write(element, text) {
  const wanted = String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** Asks once more: the first click arms the button for four seconds, the second acts. */
export function guarded(label, question, act, properties = {}) {
  let armed = 0;
  const disarm = () => {
    clearTimeout(armed);
    armed = 0;
    button.classList.remove("armed");
    button.textContent = label;
  };
  const button = h("button", {
    type: "button", class: "small danger", ...properties,
    onclick: () => {
      if (armed) return disarm(), act(button);
      button.classList.add("armed");
      button.textContent = question;
      armed = setTimeout(disarm, 4000);
    },
    onblur: () => armed && disarm(),
  }, label);
  return button;
}

export function copier(text, label = "Copy") {
  return h("button", {
    type: "button", class: "small quiet",
    onclick: async (event) => {
      const button = event.currentTarget;
      const done = await copy(text(), button).catch(() => false);
      button.textContent = done ? "Copied" : "Select it to copy it";
      setTimeout(() => (button.textContent = label), 1500);
    },
  }, label);
}

/** Whether the text is in the clipboard. Without HTTPS browsers copy only what is selected in the page. */
async function copy(text, before) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true);
  const field = h("textarea", { class: "unseen", value: text, readOnly: true });
  before.after(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before.focus();
  return done;
}

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (n) => (n === null || n === undefined ? "–" : whole.format(n));
export const compact = (n) => (n === null || n === undefined ? "–" : n < 10000 ? whole.format(n) : short.format(n));
export const rate = (n) => (n === null || n === undefined ? "–" : n && n < 10 ? n.toFixed(1) : whole.format(Math.round(n)));
export const share = (n) => (n === null || n === undefined ? "–" : `${Math.round(n * 100)} %`);

export function span(seconds) {
  const all = Math.max(0, Math.floor(seconds));
  if (all < 60) return `${all} s`;
  if (all < 3600) return `${Math.floor(all / 60)} min ${all % 60} s`;
  if (all < 86400) return `${Math.floor(all / 3600)} h ${Math.floor((all % 3600) / 60)} min`;
  return `${Math.floor(all / 86400)} d ${Math.floor((all % 86400) / 3600)} h`;
}

export function day(epoch) {
  return new Date(epoch * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

export function moment(epoch) {
  const then = new Date(epoch * 1000);
  const time = then.toLocaleTimeString("en-GB");
  return then.toDateString() === new Date().toDateString() ? time : `${day(epoch)}, ${time}`;
}

export function timed(epoch) {
  return h("time", { dateTime: new Date(epoch * 1000).toISOString() }, moment(epoch));
}
