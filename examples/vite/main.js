// Writes the story that begins with what was typed; the button stops it too.
import { load } from 'ternlight';

const form = document.querySelector('form');
const button = document.querySelector('button');
const story = document.querySelector('#story');
const status = document.querySelector('output');
let running; // the AbortController of the story being written

async function write(model, opening) {
  running = new AbortController();
  button.textContent = 'Stop';
  story.textContent = opening;
  const generation = model.generate(opening, { temperature: 0.6, maxTokens: 150, signal: running.signal });
  for await (const { text } of generation) story.append(text);
  const { ids, stop, timings } = await generation.summary();
  status.value = `${ids.length} tokens, ${timings.decodeTokensPerSecond.toFixed()} a second, ${stop}`;
}

try {
  const model = await load();
  status.value = `ready, ${model.info.threads} thread(s)`;
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (running) return running.abort();
    await write(model, form.opening.value).catch((error) => {
      status.value = error.message;
    });
    running = undefined;
    button.textContent = 'Write';
  };
  button.disabled = false;
} catch (error) {
  status.value = error.message;
}
