// Writes the story that begins with the argument.
import { load } from 'ternlight';

const opening = Bun.argv[2] ?? 'Once upon a time';
const controller = new AbortController();
process.on('SIGINT', () => controller.abort());

const model = await load();
const story = model.generate(opening, { temperature: 0.6, maxTokens: 150, signal: controller.signal });
const out = Bun.stdout.writer();
out.write(opening);
for await (const { text } of story) {
  out.write(text);
  await out.flush();
}
const { ids, stop, timings } = await story.summary();
console.error(`\n[${ids.length} tokens, ${timings.decodeTokensPerSecond.toFixed()} a second, ${stop}]`);
await model.dispose();
if (stop === 'aborted') process.exitCode = 130;
