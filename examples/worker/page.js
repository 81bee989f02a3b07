// The page: a form, and what its worker says.
const form = document.querySelector('form');
const button = document.querySelector('button');
const story = document.querySelector('#story');
const status = document.querySelector('output');
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });

function rest(text) {
  status.value = text;
  button.textContent = 'Write';
  button.disabled = false;
}

form.onsubmit = (event) => {
  event.preventDefault();
  if (button.textContent === 'Stop') {
    worker.postMessage({ stop: true });
    return;
  }
  button.textContent = 'Stop';
  story.textContent = form.opening.value;
  worker.postMessage({ opening: form.opening.value });
};

worker.onmessage = ({ data }) => {
  if (data.text !== undefined) story.append(data.text);
  else rest(data.status);
};
worker.onerror = (event) => rest(`worker: ${event.message}`);
