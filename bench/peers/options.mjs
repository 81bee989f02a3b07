// The command line of bench/peers.mjs.
import { parseArgs } from 'node:util';
import { peerNames } from './install.mjs';

const SHAPES = ['0.7b', '2b-4t'];

/** Throws on what is not understood. Shapes have their names of src/formats/synthetic-shapes.ts. */
export function readOptions() {
  const { values } = parseArgs({
    options: {
      shapes: { type: 'string' },
      threads: { type: 'string', default: '1,2' },
      repeats: { type: 'string' },
      node: { type: 'string', default: process.execPath },
      peers: { type: 'string', default: peerNames.join(',') },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      out: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const { quick, node, json, out, keep } = values;
  const shapes = choices('shapes', values.shapes ?? (quick ? SHAPES[0] : SHAPES.join(',')), SHAPES);
  return {
    ...{ node, json, out, keep },
    shapes: shapes.map((name) => `bitnet-${name}`),
    peers: choices('peers', values.peers, peerNames),
    threadCounts: values.threads.split(',').map((text) => positive('threads', text)),
    repeats: positive('repeats', values.repeats ?? (quick ? '1' : '5')),
  };
}

function choices(name, text, known) {
  const given = text.split(',');
  const wrong = given.find((value) => !known.includes(value));
  if (wrong !== undefined) throw new Error(`--${name}: got "${wrong}", expected some of ${known.join(',')}`);
  return given;
}

function positive(name, text) {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name}: got "${text}", expected whole numbers from 1 on`);
}
