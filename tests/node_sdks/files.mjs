// Files by one of the SDKs; words: CLIENT BASE_URL PATH. Told: what it got back, listed and deleted.
import { readFileSync, createReadStream } from 'node:fs';
import { answer } from './answer.mjs';

const names = async (list) => {
  const found = [];
  for await (const one of await list) found.push(one.name ?? one.id);
  return found;
};
const status = (asked) => asked.then(() => 200, (error) => error.status);

const asks = {
  async genai(baseUrl, path) {
    const { GoogleGenAI } = await import('@google/genai');
    const { files } = new GoogleGenAI({ apiKey: 'x', httpOptions: { baseUrl } });
    const file = await files.upload({ file: path, config: { mimeType: 'text/plain', displayName: 'Näme' } });
    const blob = await files.upload({ file: new Blob(['abc']), config: { name: 'mine', mimeType: 'text/plain' } });
    const listed = await names(files.list({ config: { pageSize: 1 } }));
    const got = await files.get({ name: file.name });
    await files.delete({ name: blob.name });
    return {
      size: Number(file.sizeBytes), shown: got.displayName, state: got.state, blob: blob.name,
      listed: listed.length, gone: await status(files.get({ name: blob.name })), uri: file.uri,
    };
  },
  async generativeAi(baseUrl, path) {
    const { GoogleAIFileManager } = await import('@google/generative-ai/server');
    const files = new GoogleAIFileManager('x', { baseUrl });
    const { file } = await files.uploadFile(path, { mimeType: 'text/plain', displayName: 'old' });
    const listed = (await files.listFiles()).files.length;
    const got = await files.getFile(file.name);
    await files.deleteFile(file.name);
    return { size: Number(file.sizeBytes), shown: got.displayName, listed, gone: await status(files.getFile(file.name)) };
  },
  async openai(baseURL, path) {
    const { default: OpenAI } = await import('openai');
    const { files } = new OpenAI({ apiKey: 'x', baseURL, maxRetries: 0 });
    const file = await files.create({ file: createReadStream(path), purpose: 'user_data' });
    await files.create({ file: new File(['abc'], 'm.txt'), purpose: 'user_data' });
    const listed = await names(files.list({ limit: 1 }));
    const content = Buffer.from(await (await files.content(file.id)).arrayBuffer());
    await files.delete(file.id);
    return {
      size: file.bytes, shown: file.filename, same: content.equals(readFileSync(path)),
      listed: listed.length, gone: await status(files.retrieve(file.id)),
    };
  },
  async anthropic(baseURL, path) {
    const { default: Anthropic } = await import('@anthropic-ai/sdk');
    const { files } = new Anthropic({ apiKey: 'x', baseURL, maxRetries: 0 }).beta;
    const file = await files.upload({ file: createReadStream(path) });
    await files.upload({ file: new File(['abc'], 'm.txt') });
    const listed = await names(files.list({ limit: 1 }));
    const content = Buffer.from(await (await files.download(file.id)).arrayBuffer());
    await files.delete(file.id);
    return {
      size: file.size_bytes, shown: file.filename, same: content.equals(readFileSync(path)),
      listed: listed.length, gone: await status(files.retrieveMetadata(file.id)),
    };
  },
};

answer((client, base, path) => asks[client](base, path));
