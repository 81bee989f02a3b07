// One measurement, in Node or a page: passes through a model's matrices by one worker, by two that swap activations, by two
// that do not, in turns.

const node = globalThis.process
  ? { Worker: (await import('node:worker_threads')).Worker, ...(await import('node:fs')) }
  : undefined;

async function moduleOf(name) {
  const url = new URL(`../../build/${name}.wasm`, import.meta.url);
  return WebAssembly.compile(node ? node.readFileSync(url) : await (await fetch(url)).arrayBuffer());
}

function spawn() {
  const url = new URL('./worker.mjs', import.meta.url);
  const worker = node ? new node.Worker(url) : new Worker(url, { type: 'module' });
  const listen = (listener) => {
    worker.onmessage = listener;
    if (node) worker.on('message', listener);
  };
  let answered;
  listen(() => answered());
  return {
    ask: (message, transfer) =>
      new Promise((resolve) => {
        answered = resolve;
        worker.postMessage(message, transfer ?? []);
      }),
    end: () => worker.terminate(),
  };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/**
 * @param options { relaxed, kernel, head, weightMB, tokens, slices: [{ cols, rows, int8, swapBytes }] of all rows and
 *   the half of their results that a worker sends, repeats: passes of a turn, rounds, busy: workers that only take processor time }
 * @returns ms a pass, one number a round: { one, swapping, apart }
 */
export async function turn({ relaxed, kernel, head, weightMB, tokens, slices, repeats, rounds, busy }) {
  const modules = [await moduleOf('simd'), ...(relaxed ? [await moduleOf('relaxed')] : [])];
  const workers = [spawn(), spawn()];
  const others = Array.from({ length: busy }, spawn);
  const prepare = {
    ...{ modules, weightMB, kernel, head, tokens },
    ...{ maxCols: Math.max(...slices.map((s) => s.cols)), maxRows: Math.max(...slices.map((s) => s.rows)) },
  };
  await Promise.all([...workers, ...others].map((worker) => worker.ask({ prepare })));
  const { port1, port2 } = new MessageChannel();
  await workers[0].ask({ peer: port1 }, [port1]);
  await workers[1].ask({ peer: port2 }, [port2]);
  const half = slices.map((slice) => ({ ...slice, rows: slice.rows / 2 }));
  const apart = half.map((slice) => ({ ...slice, swapBytes: 0 }));
  const whole = slices.map((slice) => ({ ...slice, swapBytes: 0 }));
  const modes = { one: [whole], swapping: [half, half], apart: [apart, apart] };
  for (const other of others) other.ask({ slices: whole, repeats: 1e9 });
  const times = Object.fromEntries(Object.keys(modes).map((mode) => [mode, []]));
  // The first round warms up: the engine's compilers take over after some calls.
  for (let round = 0; round <= rounds; round++)
    for (const [mode, shares] of Object.entries(modes)) {
      const started = performance.now();
      await Promise.all(shares.map((share, i) => workers[i].ask({ slices: share, repeats })));
      if (round > 0) times[mode].push((performance.now() - started) / repeats);
    }
  for (const worker of [...workers, ...others]) worker.end();
  return { ...times, medians: Object.fromEntries(Object.entries(times).map(([mode, all]) => [mode, median(all)])) };
}
