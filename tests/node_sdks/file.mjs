// A file that is uploaded, named in a question and deleted by google-genai for JavaScript; words: PATH URL.
// Told: {"text": …, "tokens": …, "without": …, "gone": …}.
import { answer } from './answer.mjs';

answer(async (path, url) => {
  const { GoogleGenAI, createPartFromUri } = await import('@google/genai');
  const ai = new GoogleGenAI({ apiKey: 'x', httpOptions: { baseUrl: url } });
  const file = await ai.files.upload({ file: path, config: { mimeType: 'image/png' } });
  const ask = (...contents) => ai.models.generateContent({ model: 'tiny', contents: ['What is it?', ...contents] });
  const part = createPartFromUri(file.uri, file.mimeType);
  const seen = await ask(part);
  const without = await ask();
  await ai.files.delete({ name: file.name });
  const gone = await ask(part).then(() => '', (error) => error.message);
  const tokens = seen.usageMetadata.promptTokenCount;
  return { text: seen.text, tokens, without: without.usageMetadata.promptTokenCount, gone };
});
