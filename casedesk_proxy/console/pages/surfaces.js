// What a question is on each surface, how its stream is read, and the code that asks the same.
// Pure: nothing is sent here.

export const SURFACES = {
  gemini: { title: "Gemini", deployment: "gemini", path: geminiPath, body: geminiBody, read: readGemini, python: geminiPython, node: geminiNode },
  anthropic: { title: "Anthropic", deployment: "anthropic", path: () => "/v1/messages", body: anthropicBody, read: readAnthropic, python: anthropicPython, node: anthropicNode },
  openai: { title: "OpenAI chat", deployment: "openai", path: () => "/chat/completions", body: chatBody, read: readChat, python: chatPython, node: chatNode },
  responses: { title: "OpenAI Responses", deployment: "openai", path: () => "/responses", body: responsesBody, read: readResponses, python: responsesPython, node: responsesNode },
};

const KEY = "CASEDESK_KEY";
const ANTHROPIC_VERSION = "2023-06-01";

/** `question`: {surface, base, model, system, text, most, temperature, image: {type, data}|null}.
    Gives {url, headers, body}: no credential is among the headers. */
export function makeRequest(question) {
  const surface = SURFACES[question.surface];
  const headers = { "content-type": "application/json" };
  if (question.surface === "anthropic") headers["anthropic-version"] = ANTHROPIC_VERSION;
  return { url: question.base + surface.path(question), headers, body: surface.body(question) };
}

function known(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== "" && value !== undefined));
}

function geminiPath({ model, base }) {
  return `${base.endsWith("/v1beta") ? "" : "/v1beta"}/models/${encodeURIComponent(model)}:streamGenerateContent?alt=sse`;
}

function geminiBody({ text, system, most, temperature, image }) {
  const parts = [...(image ? [{ inlineData: { mimeType: image.type, data: image.data } }] : []), { text }];
  const config = known({ maxOutputTokens: most, temperature });
  return known({
    contents: [{ role: "user", parts }],
    systemInstruction: system ? { parts: [{ text: system }] } : null,
    generationConfig: Object.keys(config).length ? config : null,
  });
}

function anthropicBody({ model, text, system, most, temperature, image }) {
  const source = image && { type: "image", source: { type: "base64", media_type: image.type, data: image.data } };
  const content = image ? [source, { type: "text", text }] : text;
  return known({ model, max_tokens: most ?? 1024, system, temperature, stream: true, messages: [{ role: "user", content }] });
}

function chatBody({ model, text, system, most, temperature, image }) {
  const content = image ? [{ type: "text", text }, { type: "image_url", image_url: { url: dataUrl(image) } }] : text;
  const messages = [...(system ? [{ role: "system", content: system }] : []), { role: "user", content }];
  return known({ model, messages, max_tokens: most, temperature, stream: true, stream_options: { include_usage: true } });
}

function responsesBody({ model, text, system, most, temperature, image }) {
  const content = [{ type: "input_text", text }, { type: "input_image", image_url: image && dataUrl(image) }];
  const input = image ? [{ role: "user", content }] : text;
  return known({ model, input, instructions: system, max_output_tokens: most, temperature, store: false, stream: true });
}

function dataUrl({ type, data }) {
  return `data:${type};base64,${data}`;
}

// Each reader takes one event's value and gives {text, thought, prompt, output, cached, fault}, all
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

// The same request as code. An image is named by its file there, not written out.

const IMAGE = "BASE64_OF_THE_IMAGE";

/** `origin`: of this proxy. By language, as text. */
export function writeCode(question, origin) {
  const shown = { ...question, base: origin + question.base, image: question.image && { ...question.image, data: IMAGE } };
  const surface = SURFACES[question.surface];
  return { curl: curl(makeRequest(shown)), Python: surface.python(shown), "Node.js": surface.node(shown) };
}

function curl({ url, headers, body }) {
  const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  return [`curl -N ${shell(url)}`, `  -H "authorization: Bearer $${KEY}"`,
    ...Object.entries(headers).map(([name, value]) => `  -H ${shell(`${name}: ${value}`)}`),
    `  -d ${shell(JSON.stringify(body, null, 2))}`].join(" \\\n");
}

/** A value as Python writes it. */
function py(value, indent = "") {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return value.length ? `[${value.map((one) => py(one, indent)).join(", ")}]` : "[]";
  if (typeof value === "object") return `{${Object.entries(value).map(([name, one]) => `${py(name)}: ${py(one, indent)}`).join(", ")}}`;
  return JSON.stringify(value);
}

function call(fields, indent = "    ") {
  return Object.entries(fields).map(([name, value]) => `${indent}${name}=${py(value)},`).join("\n");
}

function js(value) {
  return JSON.stringify(value, null, 2);
}

function geminiRoot({ base }) {
  return base.replace(/\/v1beta$/, "");
}

function geminiPython(question) {
  const { text, system, most, temperature, image } = question;
  const config = known({ system_instruction: system, max_output_tokens: most, temperature });
  const contents = image
    ? `[\n        types.Part.from_bytes(data=open("image", "rb").read(), mime_type=${py(image.type)}),\n        ${py(text)},\n    ]` : py(text);
  const lines = ["import os", "", "from google import genai", ...(image || Object.keys(config).length ? ["from google.genai import types"] : []), "",
    "client = genai.Client(", `    api_key=os.environ["${KEY}"],`, `    http_options={"base_url": ${py(geminiRoot(question))}},`, ")",
    "for chunk in client.models.generate_content_stream(", `    model=${py(question.model)},`, `    contents=${contents},`];
  if (Object.keys(config).length) lines.push(`    config=types.GenerateContentConfig(\n${call(config, "        ")}\n    ),`);
  return [...lines, "):", '    print(chunk.text or "", end="", flush=True)'].join("\n");
}

function geminiNode(question) {
  const { text, system, most, temperature, image } = question;
  const config = known({ systemInstruction: system, maxOutputTokens: most, temperature });
  const contents = image ? [{ inlineData: { mimeType: image.type, data: IMAGE } }, { text }] : text;
  const asked = { model: question.model, contents, ...(Object.keys(config).length ? { config } : {}) };
  return `import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({
  apiKey: process.env.${KEY},
  httpOptions: { baseUrl: ${js(geminiRoot(question))} },
});
const stream = await ai.models.generateContentStream(${js(asked)});
for await (const chunk of stream) process.stdout.write(chunk.text ?? "");`;
}

function anthropicPython(question) {
  const { stream, ...asked } = anthropicBody(question);
  return `import os

import anthropic

client = anthropic.Anthropic(
    api_key=os.environ["${KEY}"],
    base_url=${py(question.base)},
)
with client.messages.stream(
${call(asked)}
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)`;
}

function anthropicNode(question) {
  const { stream, ...asked } = anthropicBody(question);
  return `import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({
  apiKey: process.env.${KEY},
  baseURL: ${js(question.base)},
});
client.messages
  .stream(${js(asked)})
  .on("text", (text) => process.stdout.write(text));`;
}

function openaiPython(question, method, body, loop) {
  return `import os

from openai import OpenAI

client = OpenAI(
    api_key=os.environ["${KEY}"],
    base_url=${py(question.base)},
)
stream = client.${method}(
${call(body)}
)
${loop}`;
}

function openaiNode(question, method, body, loop) {
  return `import OpenAI from "openai";

const client = new OpenAI({
  apiKey: process.env.${KEY},
  baseURL: ${js(question.base)},
});
const stream = await client.${method}(${js(body)});
${loop}`;
}

function chatPython(question) {
  return openaiPython(question, "chat.completions.create", chatBody(question),
    'for chunk in stream:\n    if chunk.choices:\n        print(chunk.choices[0].delta.content or "", end="", flush=True)');
}

function chatNode(question) {
  return openaiNode(question, "chat.completions.create", chatBody(question),
    'for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "");');
}

function responsesPython(question) {
  return openaiPython(question, "responses.create", responsesBody(question),
    'for event in stream:\n    if event.type == "response.output_text.delta":\n        print(event.delta, end="", flush=True)');
}

function responsesNode(question) {
  return openaiNode(question, "responses.create", responsesBody(question),
    'for await (const event of stream) {\n  if (event.type === "response.output_text.delta") process.stdout.write(event.delta);\n}');
}
