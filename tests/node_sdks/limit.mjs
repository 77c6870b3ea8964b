// One question by one of the vendors' Node SDKs, with the repeats that each makes by itself; words:
// SDK URL. The pauses between two tries are theirs, and are listened to instead of waited for.
// Told: {"error": …, "status": …, "pauses": [seconds]}.
import { answer } from './answer.mjs';

const messages = [{ role: 'user', content: 'x' }];
const key = 'cdp-alice';

const asks = {
  async 'google-genai'(url) {
    const { GoogleGenAI } = await import('@google/genai');
    await new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } }).models.generateContent({ model: 'm', contents: 'x' });
  },
  async anthropic(url) {
    const { default: Anthropic } = await import('@anthropic-ai/sdk');
    await new Anthropic({ apiKey: key, baseURL: url }).messages.create({ model: 'm', max_tokens: 9, messages });
  },
  async openai(url) {
    const { default: OpenAI } = await import('openai');
    await new OpenAI({ apiKey: key, baseURL: `${url}/v1` }).chat.completions.create({ model: 'm', messages });
  },
};

const later = globalThis.setTimeout;
let pauses = [];
// Time limits are longer, what Node does by itself is shorter than the pauses here.
globalThis.setTimeout = (act, ms = 0, ...more) => {
  if (ms < 10_000 || ms > 120_000) return later(act, ms, ...more);
  pauses.push(ms / 1000);
  return later(act, 0, ...more);
};

answer(async (sdk, url) => {
  pauses = [];
  try {
    await asks[sdk](url);
  } catch (error) {
    return { error: `${error.constructor.name}: ${error.message}`, status: error.status, pauses };
  }
  return { pauses };
});
