// The form of a question on each surface, and how its stream is read. Pure functions: nothing is sent.

export const SURFACES = {
  gemini: { title: "Gemini", deployment: "gemini", path: geminiPath, body: geminiBody, read: readGemini },
  anthropic: { title: "Anthropic", deployment: "anthropic", path: () => "/v1/messages", body: anthropicBody, read: readAnthropic },
  openai: { title: "OpenAI chat", deployment: "openai", path: () => "/chat/completions", body: chatBody, read: readChat },
  responses: { title: "OpenAI Responses", deployment: "openai", path: () => "/responses", body: responsesBody, read: readResponses },
};

const ANTHROPIC_VERSION = "2023-06-01";

/** `question`: {surface, base, model, system, text, most, temperature, file: {name, type, data}|null}.
    Gives {url, headers, body}: no credential is among the headers. Throws an Error for a file that
    the surface does not take. */
export function makeRequest(question) {
  const surface = SURFACES[question.surface];
  const headers = { "content-type": "application/json" };
  if (question.surface === "anthropic") headers["anthropic-version"] = ANTHROPIC_VERSION;
  return { url: question.base + surface.path(question), headers, body: surface.body(question) };
}

export function known(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== "" && value !== undefined));
}

function geminiPath({ model, base }) {
  return `${base.endsWith("/v1beta") ? "" : "/v1beta"}/models/${encodeURIComponent(model)}:streamGenerateContent?alt=sse`;
}

export function geminiBody({ text, system, most, temperature, file }) {
  const parts = [...(file ? [{ inlineData: { mimeType: file.type, data: file.data } }] : []), { text }];
  const config = known({ maxOutputTokens: most, temperature });
  return known({
    contents: [{ role: "user", parts }],
    systemInstruction: system ? { parts: [{ text: system }] } : null,
    generationConfig: Object.keys(config).length ? config : null,
  });
}

export function anthropicBody({ model, text, system, most, temperature, file }) {
  const content = file ? [anthropicPart(file), { type: "text", text }] : text;
  return known({ model, max_tokens: most ?? 1024, system, temperature, stream: true, messages: [{ role: "user", content }] });
}

function anthropicPart({ type, data }) {
  const kind = type.startsWith("image/") ? "image" : type === "application/pdf" ? "document" : "";
  if (!kind) throw new Error(`Anthropic's API takes images and PDF, not ${type}. Choose another surface or file.`);
  return { type: kind, source: { type: "base64", media_type: type, data } };
}

export function chatBody({ model, text, system, most, temperature, file }) {
  const content = file ? [{ type: "text", text }, chatPart(file)] : text;
  const messages = [...(system ? [{ role: "system", content: system }] : []), { role: "user", content }];
  return known({ model, messages, max_tokens: most, temperature, stream: true, stream_options: { include_usage: true } });
}

const AUDIO = { "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3" };

function chatPart(file) {
  const { name, type, data } = file;
  if (type.startsWith("image/")) return { type: "image_url", image_url: { url: dataUrl(file) } };
  if (!type.startsWith("audio/")) return { type: "file", file: { filename: name, file_data: dataUrl(file) } };
  if (!AUDIO[type]) throw new Error(`OpenAI's chat API takes WAV and MP3, not ${type}. Choose another surface or file.`);
  return { type: "input_audio", input_audio: { data, format: AUDIO[type] } };
}

export function responsesBody({ model, text, system, most, temperature, file }) {
  const content = [{ type: "input_text", text }, ...(file ? [responsesPart(file)] : [])];
  const input = file ? [{ role: "user", content }] : text;
  return known({ model, input, instructions: system, max_output_tokens: most, temperature, store: false, stream: true });
}

function responsesPart(file) {
  if (file.type.startsWith("audio/")) throw new Error("OpenAI's Responses API takes no audio. Choose another surface or file.");
  if (file.type.startsWith("image/")) return { type: "input_image", image_url: dataUrl(file) };
  return { type: "input_file", filename: file.name, file_data: dataUrl(file) };
}

function dataUrl({ type, data }) {
  return `data:${type};base64,${data}`;
}

// Each reader takes one event's value and returns {text, thought, prompt, output, cached, fault}, all
// of them optional.

function readGemini(value) {
  const parts = value.candidates?.[0]?.content?.parts ?? [];
  const join = (thought) => parts.filter((one) => Boolean(one.thought) === thought).map((one) => one.text ?? "").join("");
  const used = value.usageMetadata;
  return {
    text: join(false), thought: join(true), prompt: used?.promptTokenCount, cached: used?.cachedContentTokenCount,
    output: used && (used.candidatesTokenCount ?? 0) + (used.thoughtsTokenCount ?? 0), fault: value.error?.message,
  };
}

function readAnthropic(value) {
  const used = value.usage ?? value.message?.usage;
  const prompt = used?.input_tokens === undefined ? undefined
    : used.input_tokens + (used.cache_read_input_tokens ?? 0) + (used.cache_creation_input_tokens ?? 0);
  return {
    text: value.delta?.text, thought: value.delta?.thinking, prompt, output: used?.output_tokens,
    cached: used?.cache_read_input_tokens, fault: value.type === "error" ? value.error?.message : undefined,
  };
}

function readChat(value) {
  const delta = value.choices?.[0]?.delta;
  return {
    text: delta?.content, thought: delta?.reasoning_content ?? delta?.reasoning, prompt: value.usage?.prompt_tokens,
    output: value.usage?.completion_tokens, cached: value.usage?.prompt_tokens_details?.cached_tokens, fault: value.error?.message,
  };
}

function readResponses(value) {
  const used = value.response?.usage;
  return {
    text: value.type === "response.output_text.delta" ? value.delta : undefined,
    thought: value.type?.startsWith("response.reasoning") && typeof value.delta === "string" ? value.delta : undefined,
    prompt: used?.input_tokens, output: used?.output_tokens, cached: used?.input_tokens_details?.cached_tokens,
    fault: value.type === "error" ? value.message : value.response?.error?.message,
  };
}
