// As in-worker.mjs, in a classic worker.
const parts = Promise.all([import('../../dist/ternlight.js'), import('./greedy.mjs')]);

addEventListener('message', async ({ data, ports: [port] }) => {
  const [ternlight, { greedy }] = await parts;
  port.postMessage(await greedy(ternlight, data));
});
