// Chooses the page to show, and checks who may see it.
import { ask } from "/console/api.js";
import { h, once, questions } from "/console/dom.js";
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
const askedWho = questions();
const shownPage = questions();
/** Null until the proxy has said who is signed in, and by when it had. */
let session = null;
let since = 0;
let leave = () => {};

function notify(text) {
  const notice = find("notice");
  notice.replaceChildren(text, h("button", {
    type: "button", class: "small quiet", onclick: () => (notice.hidden = true),
  }, "Dismiss"));
  notice.hidden = false;
}

/** `why`: what to say first to somebody who must sign in. */
function show(why = "") {
  const isShown = shownPage();
  leave();
  leave = () => {};
  find("notice").hidden = true;
  find("top").hidden = !session?.signed_in;
  if (!session) return content.replaceChildren(showTrouble(why));
  if (!session.signed_in) {
    document.title = "Sign in – CaseDesk Proxy";
    content.replaceChildren(showSignIn(session, enter, why));
    return content.querySelector("input")?.focus();
  }
  const wanted = location.hash.slice(1);
  const name = Object.hasOwn(PAGES, wanted) && (wanted !== "keys" || session.admin) ? wanted : "status";
  const [title, page] = PAGES[name];
  document.title = `${title} – CaseDesk Proxy`;
  for (const link of find("pages").children) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    link.hidden = "admin" in link.dataset && !session.admin;
  }
  find("name").textContent = session.name;
  find("live").replaceChildren();
  // A page that was left can still be answered, and has no say any more.
  const [view, end] = page({ session, live, notify: (text) => isShown() && notify(text) });
  leave = end ?? leave;
  content.replaceChildren(view);
}

function live(state, text) {
  const place = find("live");
  place.className = `live ${state}`;
  if (place.textContent !== text) place.textContent = text;
}

function showTrouble(why) {
  return h("div", { class: "gate" }, h("section", { class: "card" }, h("p", { class: "fault", role: "alert" }, why),
    h("button", { type: "button", class: "main wide", onclick: start }, "Try again")));
}

function know(found) {
  // Answers that are still on their way say what was true before.
  askedWho();
  session = found;
  since = performance.now();
}

function enter(found) {
  know(found);
  show();
  content.focus();
}

async function signOut() {
  // Otherwise the page could hear first that its session has ended.
  leave();
  know({ ...session, signed_in: false });
  const fault = await ask("session", "DELETE").catch((problem) => problem);
  await start();
  if (fault && session) notify(fault.message);
}

function changeTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
}

async function start() {
  const isLast = askedWho();
  let found = null;
  let why = "";
  try {
    found = await ask("session");
  } catch (fault) {
    why = fault.message;
  }
  if (!isLast()) return;
  if (found && session?.signed_in && !found.signed_in) why = "Your session has ended; sign in again.";
  know(found);
  show(why);
}

find("sign-out").addEventListener("click", once(signOut));
find("theme").addEventListener("click", changeTheme);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  content.focus();
});
// What somebody types to sign in stays; the page that is wanted then comes afterwards.
window.addEventListener("hashchange", () => session?.signed_in && show());
// The answer to a question from before this session says nothing about it.
window.addEventListener("signed-out", ({ detail }) => session?.signed_in && !(detail < since) && start());
start();
