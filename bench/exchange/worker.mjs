// One of the workers: multiplies its share of the rows with the shipped kernels over a memory of its own, and after each
// slice swaps halves of the activations with the other one. In node:worker_threads and in pages.
const port = globalThis.process ? (await import('node:worker_threads')).parentPort : globalThis;
const MB = 2 ** 20;

const on = (target, listener) => {
  target.onmessage = ({ data }) => listener(data);
};

let engine;
let peer;

/** Kernels over a memory in which `weightMB` of weights are walked through again and again, so that no cache holds them. */
function prepare({ modules, weightMB, kernel, head, maxCols, maxRows, tokens }) {
  const pages = (weightMB + 96) * 16;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const exports = modules.map((module) => new WebAssembly.Instance(module, { env: { memory, abort() {} } }).exports);
  const kernels = Object.assign({}, ...exports);
  let next = Math.ceil(kernels.heapBase() / 64) * 64;
  const region = (bytes) => {
    next += Math.ceil(bytes / 4096) * 4096;
    return next - Math.ceil(bytes / 4096) * 4096;
  };
  const at = {
    ...{
      range: region(64),
      scales: region(4 * maxRows),
      q: region(tokens * maxCols),
      tiles: region(2 * tokens * maxCols),
    },
    ...{ qScale: region(4 * tokens), y: region(4 * tokens * maxRows), x: region(4 * tokens * maxRows) },
    ...{ scratch: region(24 * MB), weights: region(weightMB * MB) },
  };
  // Codes 0, 1 and 2; speed does not depend on them. Pages that nobody has written to are all the same one.
  new Uint32Array(memory.buffer, at.weights, (weightMB * MB) / 4).fill(0x24861924);
  new Float32Array(memory.buffer, at.scales, maxRows).fill(0.01);
  new Float32Array(memory.buffer, at.qScale, tokens).fill(20);
  new Int32Array(memory.buffer, at.range, 2).set([0, tokens === 1 ? 1 : tokens / 16]);
  engine = { kernels, at, memory, kernel, head, tokens, weightBytes: weightMB * MB, used: 0 };
}

/** rows of `cols` weights each, of the next part of the weights. */
function multiply({ cols, rows, int8 }) {
  const { kernels, at, kernel, head, tokens } = engine;
  const bytes = int8 ? rows * cols : (rows * cols) / 4;
  if (engine.used + bytes > engine.weightBytes) engine.used = 0;
  const weights = at.weights + engine.used;
  engine.used += bytes;
  const output = [at.range, 0, rows, at.scratch];
  if (int8) {
    kernels[head](weights, at.scales, at.q, at.qScale, at.y, cols, rows, ...output);
    return;
  }
  if (tokens > 1) kernels.tileI16(at.q, at.tiles, cols, 0, tokens / 16);
  const from = tokens > 1 ? at.tiles : at.q;
  kernels[kernel](weights, at.scales, from, at.qScale, at.y, cols, cols, rows, 0, ...output);
}

/** Our results go out in a buffer that the other one gave us; its results come into our memory. */
function swap(bytes, spare) {
  const { memory, at } = engine;
  const out = spare?.byteLength >= bytes ? spare : new ArrayBuffer(bytes);
  new Uint8Array(out).set(new Uint8Array(memory.buffer, at.y, bytes));
  return new Promise((resolve) => {
    on(peer, (buffer) => {
      new Uint8Array(memory.buffer, at.x, buffer.byteLength).set(new Uint8Array(buffer));
      resolve(buffer);
    });
    peer.postMessage(out, [out]);
  });
}

/** slices: [{ cols, rows, int8, swapBytes }]: what is multiplied; 0 bytes are not swapped. */
async function pass({ slices, repeats }) {
  let spare;
  for (let i = 0; i < repeats; i++)
    for (const slice of slices) {
      multiply(slice);
      if (slice.swapBytes > 0) spare = await swap(slice.swapBytes, spare);
    }
}

on(port, async (message) => {
  if (message.prepare) prepare(message.prepare);
  else if (message.peer) peer = message.peer;
  else await pass(message);
  port.postMessage('done');
});
