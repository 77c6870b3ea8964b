// Sends a request to a model as an SDK would, on any surface, and shows the whole reply.
import { ask } from "/console/api.js";
import { writeCode } from "/console/code.js";
import { copier, count, h, rate, write } from "/console/dom.js";
import { readEvents } from "/console/events.js";
import { field } from "/console/parts.js";
import { makeRequest, SURFACES } from "/console/surfaces.js";

const MOST_EVENTS = 400;
const MOST_FILE_BYTES = 8 * 1024 * 1024;

export function showPlayground({ session, notify }) {
  const form = questionForm();
  const fields = form.elements;
  const reply = replyView();
  const code = codeView();
  const view = h("div", { class: "page" }, h("h1", { class: "unseen" }, "Playground"),
    h("div", { class: "bench" }, h("section", { class: "panel ask", "aria-labelledby": "ask-title" }, h("h2", { id: "ask-title" }, "Ask"), form), reply.view),
    code.view);
  let deployments = [];
  let file = null;
  let reading = null;
  let running = null;

  const chosen = () => deployments.find((one) => one.name === fields.deployment.value);

  function question() {
    const surface = fields.surface.value;
    const number = (field) => (field.value === "" ? null : Number(field.value));
    return {
      surface, base: chosen()?.surfaces[SURFACES[surface].deployment] ?? "", model: fields.model.value.trim(), system: fields.system.value.trim(),
      text: fields.text.value, most: number(fields.most), temperature: number(fields.temperature), file,
    };
  }

  function chooseDeployment(typed = "") {
    const one = chosen();
    form.querySelector("#models").replaceChildren(...(one?.models ?? []).map((name) => h("option", { value: name })));
    if (one && !typed && !one.models.includes(fields.model.value)) fields.model.value = one.models.find((name) => !/[*?]/.test(name)) ?? "";
    draw();
  }

  function draw() {
    try {
      code.show(writeCode(question(), location.origin));
    } catch (error) {
      code.show({}, error.message);
    }
  }

  async function chooseFile() {
    const chosenFile = fields.file.files[0];
    if (chosenFile && chosenFile.size > MOST_FILE_BYTES) {
      notify("The file is larger than 8 MiB; choose a smaller one.");
      fields.file.value = "";
    }
    const wanted = fields.file.files[0];
    const found = wanted ? await readFile(wanted).catch(() => null) : null;
    if (wanted !== fields.file.files[0]) return;
    file = found;
    if (wanted && !file) {
      notify("The file cannot be read; choose it again.");
      fields.file.value = "";
    }
    const isImage = file?.type.startsWith("image/");
    form.querySelector(".preview").replaceChildren(...(file ? [isImage
      ? h("img", { src: `data:${file.type};base64,${file.data}`, alt: `Preview of ${file.name}` })
      : h("p", { class: "hint" }, `${file.name}, ${file.type}, ${count(Math.ceil(chosenFile.size / 1024))} KiB`)] : []));
    draw();
  }

  async function send(event) {
    event.preventDefault();
    if (fields.send.disabled) return;
    if (running) return running.abort();
    running = new AbortController();
    fields.send.textContent = "Stop";
    fields.send.classList.add("armed");
    try {
      await reading;
      await converse(question(), reply.begin(), running.signal);
    } finally {
      running = null;
      fields.send.textContent = "Send";
      fields.send.classList.remove("armed");
    }
  }

  form.addEventListener("submit", send);
  form.addEventListener("input", (event) => (event.target === fields.deployment ? chooseDeployment() : event.target === fields.file ? (reading = chooseFile()) : draw()));
  fields.text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  ask("deployments").then((found) => {
    deployments = found.deployments.filter((one) => one.usable !== false);
    const typed = fields.model.value;
    fields.deployment.replaceChildren(...deployments.map((one) => h("option", {}, one.name)));
    if (!deployments.length) notify(`No deployment is open to you. ${session.admin ? "Add one to your key, under Keys." : "Ask an admin to add one to your key."}`);
    chooseDeployment(typed);
  }, (fault) => notify(fault.message)).finally(() => (fields.send.disabled = false));
  return [view, () => running?.abort()];
}

function questionForm() {
  return h("form", {},
    h("div", { class: "grid" },
      field("Deployment", h("select", { name: "deployment" })),
      field("Surface", h("select", { name: "surface" }, Object.entries(SURFACES).map(([name, { title }]) => h("option", { value: name }, title)))),
      field("Model", h("input", { name: "model", list: "models", required: true, autocomplete: "off", autocapitalize: "none" }), { kind: "long" })),
    h("datalist", { id: "models" }),
    field("Your text", h("textarea", { name: "text", rows: 5, required: true, value: "Why is the sky blue? Two sentences." })),
    h("details", {}, h("summary", {}, "System text, file, limits"),
      field("System text", h("textarea", { name: "system", rows: 2 })),
      h("div", { class: "grid" },
        field("Most tokens", h("input", { name: "most", type: "number", min: 1, step: 1, inputMode: "numeric" })),
        field("Temperature", h("input", { name: "temperature", type: "number", min: 0, max: 2, step: 0.1, inputMode: "decimal" })),
        field("File", h("input", { name: "file", type: "file", accept: "image/*,audio/*,video/*,application/pdf,text/*" }), { kind: "long" })),
      h("div", { class: "preview" })),
    h("div", { class: "bar" }, h("button", { type: "submit", name: "send", class: "main", disabled: true }, "Send"), h("span", { class: "hint" }, "or Ctrl and Enter")));
}

async function readFile(file) {
  const url = await new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
  return { name: file.name, type: file.type || "application/octet-stream", data: url.slice(url.indexOf(",") + 1) };
}

/** Sends the question and passes what comes to `heard`: errors too, which are never thrown. */
async function converse(question, heard, signal) {
  let request;
  try {
    request = makeRequest(question);
  } catch (error) {
    return heard.end(error.message);
  }
  const { url, headers, body } = request;
  try {
    const reply = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal, cache: "no-store" });
    heard.head(reply);
    if (!reply.ok) return heard.end(await refusal(reply));
    for await (const event of readEvents(reply.body)) {
      heard.event(event);
      if (event.data !== "[DONE]") heard.value(SURFACES[question.surface].read(JSON.parse(event.data)));
    }
    heard.end();
  } catch (error) {
    heard.end(signal.aborted ? "" : `The stream broke off: ${error.message}`, signal.aborted);
  }
}

async function refusal(reply) {
  const text = await reply.text();
  try {
    const value = JSON.parse(text);
    return `${reply.status}: ${(Array.isArray(value) ? value[0] : value).error.message}`;
  } catch {
    return `${reply.status}: ${text.slice(0, 500) || reply.statusText}`;
  }
}

function replyView() {
  const state = h("span", { class: "badge", role: "status", hidden: true });
  const thought = h("details", { class: "thought", hidden: true }, h("summary", {}, "Thoughts"), h("p", {}));
  const text = h("p", { class: "reply", id: "reply" });
  const fault = h("p", { class: "fault", role: "alert" });
  const empty = h("p", { class: "empty" }, "The reply appears here while it is written.");
  const events = h("ol", { class: "events", id: "events", tabIndex: 0, "aria-label": "Raw events" });
  const labels = ["First token", "Whole reply", "Tokens in", "From cache", "Tokens out", "Tokens/s"];
  const at = labels.map(() => h("dd", {}, "–"));
  const view = h("section", { class: "panel answer", "aria-labelledby": "reply-title" },
    h("h2", { id: "reply-title" }, "Reply", state),
    h("div", { class: "split" },
      h("div", { class: "said-text" }, empty, thought, text, fault),
      h("div", { class: "raw" }, h("h3", {}, "Raw events ", h("span", { class: "note" })), events)),
    h("dl", { class: "tiles small" }, labels.map((one, index) => h("div", {}, h("dt", {}, one), at[index]))));
  const note = view.querySelector(".raw .note");

  function begin() {
    const began = performance.now();
    let first = 0;
    let seen = 0;
    let output = null;
    const ms = (from, to) => `${count(Math.round(to - from))} ms`;
    for (const one of at) write(one, "–");
    for (const one of [text, thought.lastChild, fault, events, note]) one.replaceChildren();
    thought.hidden = empty.hidden = true;
    show("waiting", "busy");
    return {
      head: (reply) => reply.ok && show("streaming", "busy"),
      event: ({ raw }) => {
        seen += 1;
        write(note, count(seen));
        const line = h("li", { value: seen }, h("code", {}, raw));
        events.append(line);
        if (events.children.length > MOST_EVENTS) events.firstChild.remove();
        events.scrollTop = events.scrollHeight;
      },
      value: (found) => {
        if ((found.text || found.thought) && !first) write(at[0], ms(began, (first = performance.now())));
        if (found.text) text.append(found.text);
        if (found.thought) (thought.hidden = false), thought.lastChild.append(found.thought);
        if (found.prompt !== undefined) write(at[2], count(found.prompt));
        if (found.cached !== undefined) write(at[3], count(found.cached));
        if (found.output !== undefined) write(at[4], count((output = found.output)));
        if (found.fault) fault.textContent = found.fault;
      },
      end: (problem = "", stopped = false) => {
        const now = performance.now();
        if (problem) fault.textContent = problem;
        if (first) write(at[1], ms(began, now));
        if (output && first && now > first) write(at[5], rate((output * 1000) / (now - first)));
        if (stopped) show("stopped", "busy");
        else if (fault.textContent) show("failed", "bad");
        else show("complete", "good");
      },
    };
  }

  function show(name, kind) {
    state.hidden = false;
    state.className = `badge ${kind}`;
    write(state, name);
  }

  return { view, begin };
}

function codeView() {
  const names = ["curl", "Python", "Node.js"];
  const text = h("code", { id: "code" });
  let texts = {};
  let shown = names[0];
  const radios = names.map((name) => h("label", { class: "choice" },
    h("input", { type: "radio", name: "language", value: name, checked: name === shown, onchange: () => ((shown = name), put()) }), h("span", {}, name)));
  const put = (problem = "") => write(text, texts[shown] ?? problem);
  const view = h("section", { class: "panel", "aria-labelledby": "code-title" },
    h("div", { class: "bar" }, h("h2", { id: "code-title" }, "The same request"),
      h("fieldset", { class: "choices" }, h("legend", { class: "unseen" }, "Language"), radios), copier(() => texts[shown] ?? "")),
    h("pre", { tabIndex: 0, "aria-labelledby": "code-title" }, text),
    h("p", { class: "hint" }, "Here your session signs the request. Elsewhere, put a key into CASEDESK_KEY."));
  return { view, show: (written, problem = "") => ((texts = written), put(problem)) };
}
