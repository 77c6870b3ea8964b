// Chooses the page to show, and checks who may see it.
import { ask } from "/console/api.js";
import { h } from "/console/dom.js";
import { showKeys } from "/console/keys.js";
import { showPlayground } from "/console/playground.js";
import { showSignIn } from "/console/signin.js";
import { showStatus } from "/console/status.js";
import { showUsage } from "/console/usage.js";

const PAGES = {
  status: ["Status", showStatus],
  playground: ["Playground", showPlayground],
  usage: ["Usage", showUsage],
  keys: ["Keys", showKeys],
};
const find = (id) => document.getElementById(id);
const content = find("content");
let session = { signed_in: false, ways: [] };
let leave = () => {};
/** Whether somebody was signed in here and did not sign out. */
let ended = false;

export function notify(text) {
  const notice = find("notice");
  notice.replaceChildren(text, h("button", {
    type: "button", class: "small quiet", onclick: () => (notice.hidden = true),
  }, "Dismiss"));
  notice.hidden = false;
}

function show() {
  leave();
  leave = () => {};
  find("notice").hidden = true;
  find("top").hidden = !session.signed_in;
  if (!session.signed_in) {
    document.title = "Sign in – CaseDesk Proxy";
    content.replaceChildren(showSignIn(session, enter, ended ? "Your session has ended; sign in again." : ""));
    return content.querySelector("input")?.focus();
  }
  const wanted = location.hash.slice(1);
  const name = wanted in PAGES && (wanted !== "keys" || session.admin) ? wanted : "status";
  const [title, page] = PAGES[name];
  document.title = `${title} – CaseDesk Proxy`;
  for (const link of find("pages").children) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    link.hidden = "admin" in link.dataset && !session.admin;
  }
  find("name").textContent = session.name;
  find("live").replaceChildren();
  const [view, end] = page({ session, notify, live });
  leave = end ?? leave;
  content.replaceChildren(view);
}

function live(state, text) {
  const place = find("live");
  place.className = `live ${state}`;
  if (place.textContent !== text) place.textContent = text;
}

function enter(found) {
  session = found;
  ended = false;
  show();
  content.focus();
}

async function signOut() {
  await ask("session", "DELETE").catch((fault) => notify(fault.message));
  start();
}

function changeTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
}

async function start() {
  try {
    session = await ask("session");
  } catch (fault) {
    notify(fault.message);
    return;
  }
  show();
}

find("sign-out").addEventListener("click", signOut);
find("theme").addEventListener("click", changeTheme);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  content.focus();
});
window.addEventListener("hashchange", show);
window.addEventListener("signed-out", () => {
  if (!session.signed_in) return;
  ended = true;
  start();
});
start();
