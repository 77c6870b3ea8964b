// The same request as code: curl, Python and Node.js, ready to run once CASEDESK_KEY is set. The code
// reads files and does not contain them. Pure functions: nothing is sent here.
import { anthropicBody, chatBody, known, makeRequest, responsesBody } from "/console/surfaces.js";

const KEY = "CASEDESK_KEY";
/** What stands for the file's content until the languages have their say. */
const DATA = "@@THE-FILE@@";

const WRITERS = {
  gemini: [geminiPython, geminiNode], anthropic: [anthropicPython, anthropicNode],
  openai: [chatPython, chatNode], responses: [responsesPython, responsesNode],
};

/** `origin`: of this proxy. By language, as text. Throws as `makeRequest`. */
export function writeCode(question, origin) {
  const shown = { ...question, base: origin + question.base, file: question.file && { ...question.file, data: DATA } };
  const [python, node] = WRITERS[question.surface];
  return { curl: curl(makeRequest(shown), shown.file), Python: python(shown), "Node.js": node(shown) };
}

/** The content goes through a pipe: the words of a command may not be as long as files are. */
function curl({ url, headers, body }, file) {
  const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const data = JSON.stringify(body, null, 2);
  const call = [`curl -N ${shell(url)}`, `  -H "authorization: Bearer $${KEY}"`,
    ...Object.entries(headers).map(([name, value]) => `  -H ${shell(`${name}: ${value}`)}`),
    file ? "  -d @-" : `  -d ${shell(data)}`].join(" \\\n");
  if (!file) return call;
  return `data=$(base64 < ${shell(file.name)} | tr -d '\\n')\nprintf %s ${data.split(DATA).map(shell).join(' "$data" ')} |\n${call}`;
}

/** A text that the content is a part of, as an expression that adds it: the same in both languages. */
function withData(text) {
  return text.replace(JSON.stringify(DATA), "data").replace(`${DATA}"`, '" + data');
}

/** A value as Python writes it. */
function py(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(py).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, one]) => `${py(name)}: ${py(one)}`).join(", ")}}`;
  return withData(JSON.stringify(value));
}

function call(fields, indent = "    ") {
  return Object.entries(fields).map(([name, value]) => `${indent}${name}=${py(value)},`).join("\n");
}

function js(value) {
  return withData(JSON.stringify(value, null, 2));
}

function readPython(file) {
  return file ? `\ndata = base64.b64encode(Path(${py(file.name)}).read_bytes()).decode()` : "";
}

function readNode(file) {
  return file ? `\nconst data = readFileSync(${js(file.name)}).toString("base64");` : "";
}

const importsPython = (file) => (file ? "import base64\nimport os\nfrom pathlib import Path" : "import os");
const importsNode = (file) => (file ? 'import { readFileSync } from "node:fs";\n' : "");

function geminiRoot({ base }) {
  return base.replace(/\/v1beta$/, "");
}

function geminiPython(question) {
  const { text, system, most, temperature, file } = question;
  const config = known({ system_instruction: system, max_output_tokens: most, temperature });
  const configured = Object.keys(config).length > 0;
  const contents = file
    ? `[\n        types.Part.from_bytes(data=Path(${py(file.name)}).read_bytes(), mime_type=${py(file.type)}),\n        ${py(text)},\n    ]` : py(text);
  const lines = ["import os", ...(file ? ["from pathlib import Path"] : []), "", "from google import genai", ...(file || configured ? ["from google.genai import types"] : []), "",
    "client = genai.Client(", `    api_key=os.environ["${KEY}"],`, `    http_options={"base_url": ${py(geminiRoot(question))}},`, ")",
    "for chunk in client.models.generate_content_stream(", `    model=${py(question.model)},`, `    contents=${contents},`];
  if (configured) lines.push(`    config=types.GenerateContentConfig(\n${call(config, "        ")}\n    ),`);
  return [...lines, "):", '    print(chunk.text or "", end="", flush=True)'].join("\n");
}

function geminiNode(question) {
  const { text, system, most, temperature, file } = question;
  const config = known({ systemInstruction: system, maxOutputTokens: most, temperature });
  const contents = file ? [{ inlineData: { mimeType: file.type, data: file.data } }, { text }] : text;
  const asked = { model: question.model, contents, ...(Object.keys(config).length ? { config } : {}) };
  return `${importsNode(file)}import { GoogleGenAI } from "@google/genai";
${readNode(file)}
const ai = new GoogleGenAI({
  apiKey: process.env.${KEY},
  httpOptions: { baseUrl: ${js(geminiRoot(question))} },
});
const stream = await ai.models.generateContentStream(${js(asked)});
for await (const chunk of stream) process.stdout.write(chunk.text ?? "");`;
}

function anthropicPython(question) {
  const { stream, ...asked } = anthropicBody(question);
  return `${importsPython(question.file)}

import anthropic
${readPython(question.file)}
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
  return `${importsNode(question.file)}import Anthropic from "@anthropic-ai/sdk";
${readNode(question.file)}
const client = new Anthropic({
  apiKey: process.env.${KEY},
  baseURL: ${js(question.base)},
});
await client.messages
  .stream(${js(asked)})
  .on("text", (text) => process.stdout.write(text))
  .done();`;
}

function openaiPython(question, method, body, loop) {
  return `${importsPython(question.file)}

from openai import OpenAI
${readPython(question.file)}
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
  return `${importsNode(question.file)}import OpenAI from "openai";
${readNode(question.file)}
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
