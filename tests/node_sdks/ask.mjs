// One streamed question by one of the vendors' Node SDKs; words: SDK URL.
// Told: {"text": …} or {"error": …}; of chats also whether they keep the turn.
import { answer } from './answer.mjs';

const messages = [{ role: 'user', content: 'x' }];

const asks = {
  async 'google-genai'(url) {
    const { GoogleGenAI } = await import('@google/genai');
    const chat = new GoogleGenAI({ apiKey: 'x', httpOptions: { baseUrl: url } }).chats.create({ model: 'm' });
    let text = '';
    for await (const piece of await chat.sendMessageStream({ message: 'x' })) text += piece.text ?? '';
    return { text, remembers: chat.getHistory(true).length > 1 };
  },
  async 'generative-ai'(url) {
    const { GoogleGenerativeAI } = await import('@google/generative-ai');
    const chat = new GoogleGenerativeAI('x').getGenerativeModel({ model: 'm' }, { baseUrl: url }).startChat();
    const { stream, response } = await chat.sendMessageStream('x');
    response.catch(() => {}); // told once, by the stream
    let text = '';
    for await (const piece of stream) text += piece.text();
    await response;
    return { text, remembers: (await chat.getHistory()).length > 1 };
  },
  async anthropic(url) {
    const { default: Anthropic } = await import('@anthropic-ai/sdk');
    const ai = new Anthropic({ apiKey: 'x', baseURL: url, maxRetries: 0 });
    const message = await ai.messages.stream({ model: 'm', max_tokens: 9, messages }).finalMessage();
    return { text: message.content.map((block) => block.text).join('') };
  },
  async openai(url) {
    const { default: OpenAI } = await import('openai');
    const ai = new OpenAI({ apiKey: 'x', baseURL: `${url}/v1`, maxRetries: 0 });
    let text = '';
    for await (const piece of await ai.chat.completions.create({ model: 'm', messages, stream: true }))
      text += piece.choices[0]?.delta.content ?? '';
    return { text };
  },
  async ai(url) {
    const { createOpenAI } = await import('@ai-sdk/openai');
    const { streamText } = await import('ai');
    const model = createOpenAI({ apiKey: 'x', baseURL: `${url}/v1` }).chat('m');
    const { fullStream } = streamText({ model, messages, maxRetries: 0, onError() {} });
    let text = '';
    let error; // a part of the stream, which itself never throws
    for await (const part of fullStream) {
      if (part.type === 'text-delta') text += part.text;
      if (part.type === 'error') error = part.error;
    }
    if (error) throw error;
    return { text };
  },
};

answer((sdk, url) => asks[sdk](url));
