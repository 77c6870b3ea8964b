// OpenAI's Responses by one of the clients that speak it; words: CLIENT BASE_URL MODEL…
// Told: for each model what it made of the answers, {"error": …} where it failed.
import { answer } from './answer.mjs';

const question = 'Which city?';
const whether = (model) => !model.startsWith('tiny'); // The tiny model neither calls nor keeps to a schema.

const asks = {
  async openai(baseURL, model) {
    const { default: OpenAI } = await import('openai');
    const { zodTextFormat } = await import('openai/helpers/zod');
    const { z } = await import('zod');
    const { responses } = new OpenAI({ apiKey: 'x', baseURL, maxRetries: 0 });
    const whole = await responses.create({ model, input: question });
    const streamed = await responses.stream({ model, input: question }).finalResponse();
    const told = { whole: whole.output_text, streamed: streamed.output[0].content[0].text };
    if (!whether(model)) return told;
    const format = zodTextFormat(z.object({ city: z.string() }), 'answer');
    const parsed = await responses.parse({ model, input: question, text: { format } });
    return { ...told, parsed: parsed.output_parsed };
  },
  async agents(baseURL, model) {
    const { Agent, OpenAIProvider, Runner, setTracingDisabled, tool } = await import('@openai/agents');
    const { z } = await import('zod');
    setTracingDisabled(true);
    const runner = new Runner({ modelProvider: new OpenAIProvider({ apiKey: 'x', baseURL, useResponses: true }) });
    const seen = [];
    const look = tool({
      name: 'look', description: 'Looks.', parameters: z.object({ city: z.string() }),
      execute: async ({ city }) => { seen.push(city); return 'seen'; },
    });
    const agent = new Agent({ name: 'a', instructions: 'Be brief.', model, tools: whether(model) ? [look] : [] });
    const whole = await runner.run(agent, question);
    const stream = await runner.run(agent, question, { stream: true });
    let streamed = '';
    for await (const piece of stream.toTextStream()) streamed += piece;
    await stream.completed;
    return { whole: whole.finalOutput, streamed, ...(whether(model) && { called: seen }) };
  },
  async vercel(baseURL, model) {
    const { createOpenAI } = await import('@ai-sdk/openai');
    const { generateText, stepCountIs, streamText, tool } = await import('ai');
    const { z } = await import('zod');
    const openai = createOpenAI({ apiKey: 'x', baseURL });
    const seen = [];
    const look = tool({
      description: 'Looks.', inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => { seen.push(city); return 'seen'; },
    });
    const more = whether(model) ? { tools: { look }, stopWhen: stepCountIs(3) } : {};
    const asked = { model: openai(model), prompt: question, maxRetries: 0, ...more };
    const whole = await generateText(asked);
    const stream = streamText({ ...asked, onError() {} });
    let streamed = '';
    for await (const part of stream.fullStream) {
      if (part.type === 'error') throw part.error;
      if (part.type === 'text-delta') streamed += part.text;
    }
    return { whole: whole.text, streamed, ...(whether(model) && { called: seen }) };
  },
};

answer(async (client, baseURL, ...models) => {
  const told = {};
  for (const model of models) {
    try {
      told[model] = await asks[client](baseURL, model);
    } catch (error) {
      told[model] = { error: `${error.constructor.name}: ${error.message}` };
    }
  }
  return told;
});
