// One streamed question by one of the vendors' Node SDKs: node ask.mjs SDK URL.
// Prints one line of JSON: {"text": …} or {"error": …}; of chats also whether they keep the turn.
const [sdk, url] = process.argv.slice(2);
const messages = [{ role: 'user', content: 'x' }];

const asks = {
  async 'google-genai'() {
    const { GoogleGenAI } = await import('@google/genai');
    const chat = new GoogleGenAI({ apiKey: 'x', httpOptions: { baseUrl: url } }).chats.create({ model: 'm' });
    let text = '';
    for await (const piece of await chat.sendMessageStream({ message: 'x' })) text += piece.text ?? '';
    return { text, remembers: chat.getHistory(true).length > 1 };
  },
  async 'generative-ai'() {
    const { GoogleGenerativeAI } = await import('@google/generative-ai');
    const chat = new GoogleGenerativeAI('x').getGenerativeModel({ model: 'm' }, { baseUrl: url }).startChat();
    const { stream, response } = await chat.sendMessageStream('x');
    response.catch(() => {}); // told once, by the stream
    let text = '';
    for await (const piece of stream) text += piece.text();
    await response;
    return { text, remembers: (await chat.getHistory()).length > 1 };
  },
  async anthropic() {
    const { default: Anthropic } = await import('@anthropic-ai/sdk');
    const ai = new Anthropic({ apiKey: 'x', baseURL: url, maxRetries: 0 });
    const message = await ai.messages.stream({ model: 'm', max_tokens: 9, messages }).finalMessage();
    return { text: message.content.map((block) => block.text).join('') };
  },
  async openai() {
    const { default: OpenAI } = await import('openai');
    const ai = new OpenAI({ apiKey: 'x', baseURL: `${url}/v1`, maxRetries: 0 });
    let text = '';
    for await (const piece of await ai.chat.completions.create({ model: 'm', messages, stream: true }))
      text += piece.choices[0]?.delta.content ?? '';
    return { text };
  },
};

let told;
try {
  told = await asks[sdk]();
} catch (error) {
  told = { error: `${error.constructor.name}: ${error.message}` };
}
console.log(JSON.stringify(told));
