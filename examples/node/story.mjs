// Writes the story that begins with the argument, or one for each line of the input.
import { createInterface } from 'node:readline';
import { load } from 'ternlight';

const model = await load();
let running; // the AbortController of the story being written

async function write(opening) {
  running = new AbortController();
  const story = model.generate(opening, { temperature: 0.6, maxTokens: 150, signal: running.signal });
  process.stdout.write(opening);
  for await (const { text } of story) process.stdout.write(text);
  const { ids, stop, timings } = await story.summary();
  console.error(`\n[${ids.length} tokens, ${timings.decodeTokensPerSecond.toFixed()} a second, ${stop}]`);
  running = undefined;
  return stop;
}

const opening = process.argv[2];
if (opening !== undefined) {
  process.on('SIGINT', () => running?.abort());
  if ((await write(opening)) === 'aborted') process.exitCode = 130;
} else {
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: 'How does it begin? ' });
  const interrupt = () => (running ? running.abort() : lines.close());
  lines.on('SIGINT', interrupt); // Ctrl-C in a terminal, which readline keeps from the process
  process.on('SIGINT', interrupt);
  lines.prompt();
  for await (const line of lines) {
    if (line) await write(line);
    lines.prompt();
  }
}
await model.dispose();
