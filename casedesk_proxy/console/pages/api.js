// The console's JSON API. An error is thrown as a Fault with a sentence for people.

export class Fault extends Error {
  constructor(status, message, field) {
    super(message);
    this.status = status;
    this.field = field;
  }
}

export async function ask(path, method = "GET", body = undefined) {
  const options = { method, headers: { accept: "application/json" }, cache: "no-store" };
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const asked = performance.now();
  let reply;
  try {
    reply = await fetch(`/console/api/${path}`, options);
  } catch {
    throw new Fault(0, "The proxy does not answer. Check that it runs, then try again.", "");
  }
  const text = await reply.text();
  const value = text && reply.headers.get("content-type")?.includes("json") ? JSON.parse(text) : null;
  if (reply.ok) return value;
  if (reply.status === 401 && path !== "session") window.dispatchEvent(new CustomEvent("signed-out", { detail: asked }));
  const said = value?.error;
  throw new Fault(reply.status, said ? describe(said) : `The proxy answered ${reply.status}.`, said?.field);
}

function describe({ field, message }) {
  return field ? `${field}: ${message}` : message.charAt(0).toUpperCase() + message.slice(1);
}
