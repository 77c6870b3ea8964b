// Reads server-sent events from a reply's body while its bytes arrive.

/** Gives {name, data, raw} for each event; what is left at the end without a blank line is not one. */
export async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    // A CR at the end may be half of a CR LF.
    const held = text.endsWith("\r") ? "\r" : "";
    const blocks = text.slice(0, text.length - held.length).replaceAll("\r\n", "\n").split("\n\n");
    text = blocks.pop() + held;
    for (const raw of blocks) {
      const lines = raw.split("\n");
      const data = lines.filter((one) => one.startsWith("data:")).map((one) => one.slice(5).trimStart());
      const name = lines.find((one) => one.startsWith("event:"))?.slice(6).trim() ?? "";
      if (data.length) yield { name, data: data.join("\n"), raw };
    }
  }
}
