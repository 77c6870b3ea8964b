// Answers line by line: {"id": …, "words": […]} by {"id": …, "told": what `asked` makes of the words}.
import { createInterface } from 'node:readline';

export function answer(asked) {
  const lines = createInterface({ input: process.stdin });
  lines.on('close', () => process.exit());
  lines.on('line', async (line) => {
    const { id, words } = JSON.parse(line);
    let told;
    try {
      told = await asked(...words);
    } catch (error) {
      told = { error: `${error.constructor.name}: ${error.message}` };
    }
    console.log(JSON.stringify({ id, told }));
  });
}
