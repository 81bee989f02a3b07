// Writes the story that begins with the argument.
import { load } from 'ternlight';

const opening = Deno.args[0] ?? 'Once upon a time';
const controller = new AbortController();
Deno.addSignalListener('SIGINT', () => controller.abort());

const model = await load();
const story = model.generate(opening, { temperature: 0.6, maxTokens: 150, signal: controller.signal });
const out = new TextEncoderStream();
const written = out.readable.pipeTo(Deno.stdout.writable, { preventClose: true });
const writer = out.writable.getWriter();
await writer.write(opening);
for await (const { text } of story) await writer.write(text);
await writer.close();
await written;

const { ids, stop, timings } = await story.summary();
console.error(`\n[${ids.length} tokens, ${timings.decodeTokensPerSecond.toFixed()} a second, ${stop}]`);
await model.dispose();
Deno.exit(stop === 'aborted' ? 130 : 0);
