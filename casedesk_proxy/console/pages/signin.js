// Signing in: with a key, or with name and password if the configuration has users.
import { ask } from "/console/api.js";
import { h } from "/console/dom.js";
import { field } from "/console/parts.js";

/** `why`: what to say first. */
export function showSignIn(session, enter, why = "") {
  const ways = (session.ways ?? []).filter((one) => one in FORMS);
  const fault = h("p", { class: "fault", role: "alert", id: "fault" }, why);
  const forms = (ways.length ? ways : ["key"]).map((way) => FORMS[way](submit(fault, enter)));
  const between = forms.flatMap((one, index) => (index ? [h("p", { class: "or" }, "or"), one] : [one]));
  return h("div", { class: "gate" },
    h("section", { class: "card", "aria-labelledby": "title" },
      h("img", { src: "/console/mark.svg", alt: "", width: 44, height: 44 }),
      h("h1", { id: "title" }, "Sign in"),
      h("p", { class: "lead" }, "See who streams, who waits, and try your models."),
      fault, between),
    h("p", { class: "hint" }, "No key yet? Create one on the machine: ", h("code", {}, "casedesk-proxy key new --name NAME")));
}

const FORMS = {
  key: (submitted) => h("form", { onsubmit: submitted, "aria-label": "Sign in with a key" },
    field("Key", h("input", { name: "key", type: "password", autocomplete: "off", required: true })),
    h("button", { type: "submit", class: "main wide" }, "Sign in with the key")),
  password: (submitted) => h("form", { onsubmit: submitted, "aria-label": "Sign in with name and password" },
    field("Name", h("input", { name: "name", autocomplete: "username", autocapitalize: "none", required: true })),
    field("Password", h("input", { name: "password", type: "password", autocomplete: "current-password", required: true })),
    h("button", { type: "submit", class: "wide" }, "Sign in")),
};

function submit(fault, enter) {
  return async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const button = form.querySelector("button");
    const label = button.textContent;
    button.disabled = true;
    button.textContent = "One moment…";
    fault.textContent = "";
    try {
      enter(await ask("session", "POST", Object.fromEntries(new FormData(form))));
    } catch (problem) {
      fault.textContent = problem.message;
      form.querySelector("input[type=password]").select();
    } finally {
      button.disabled = false;
      button.textContent = label;
    }
  };
}
