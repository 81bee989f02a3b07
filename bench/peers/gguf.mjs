// Writes the synthetic model of a shape as llama.cpp reads it fastest: TQ2_0 matrices, Q6_K embedding, architecture
// "bitnet". Metadata, tensors and random weights are those of src/formats/synthetic*.ts.
import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { importSources } from '../bundle.mjs';

const ours = await importSources(`
export { encodingByName } from './src/formats/encodings/index.ts';
export { ggufHeader } from './src/formats/gguf-write.ts';
export { numbersFill, random, weightsFill } from './src/formats/synthetic-fill.ts';
export { shapes } from './src/formats/synthetic-shapes.ts';
export { syntheticMetadata, syntheticTensors } from './src/formats/synthetic-tensors.ts';
`);

const EMBEDDING = 'token_embd.weight';
const CHUNK_BYTES = 1 << 24;

/** Blocks of 256 weights: 128 + 64 bytes of codes, 16 scales of int8, one of f16. As many blocks as a prime. */
function q6kPattern() {
  const blocks = 163841;
  const next = ours.random(6);
  const bytes = new Uint8Array(blocks * 210);
  for (let at = 0; at < bytes.length; at++) bytes[at] = next() * 256;
  for (let block = 0; block < bytes.length; block += 210) {
    for (let i = 192; i < 208; i++) bytes[block + i] = 8 + next() * 8;
    bytes[block + 208] = 0x8e; // 0x068e: 1e-4 in f16, which makes weights of about +-0.035
    bytes[block + 209] = 0x06;
  }
  return bytes;
}

function patternOf({ name, encoding, dims, range }) {
  if (name === EMBEDDING) return q6kPattern();
  const [cols, rows = 1] = dims;
  return (range ? ours.numbersFill(encoding, rows, range, 1) : ours.weightsFill(encoding, dims, 1, cols + rows))
    .pattern;
}

/** Writes the file unless it is there; gives its size in bytes. */
export function writeModel(file, shapeName) {
  // llama.cpp has one architecture for all BitNets.
  const shape = { ...ours.shapes[shapeName], arch: 'bitnet' };
  const q6k = ours.encodingByName('Q6_K');
  const tensors = ours
    .syntheticTensors(shape, ours.encodingByName('TQ2_0'))
    .map((tensor) => (tensor.name === EMBEDDING ? { ...tensor, encoding: q6k } : tensor));
  const header = ours.ggufHeader(ours.syntheticMetadata(shapeName, shape), tensors);
  const { bytes, fileBytes, tensorOffsetsBytes, tensorBytes } = header;
  if (existsSync(file) && statSync(file).size === fileBytes) return fileBytes;

  mkdirSync(dirname(file), { recursive: true });
  // A file that is half written must not be taken for a whole one by the next run.
  const part = `${file}.part`;
  const out = openSync(part, 'w');
  try {
    writeSync(out, bytes, 0, bytes.length, 0);
    const patterns = new Map();
    for (const [i, tensor] of tensors.entries()) {
      const key = `${tensor.encoding.name} ${tensor.dims}`;
      if (!patterns.has(key)) patterns.set(key, repeated(patternOf(tensor)));
      const pattern = patterns.get(key);
      // Each tensor begins elsewhere: layers that are all alike send every prompt to the same few tokens.
      const phase = (i * 1009 * tensor.encoding.blockBytes) % pattern.length;
      writeRepeated(out, pattern, phase, tensorOffsetsBytes[i], tensorBytes[i]);
    }
    // Padding after the last tensor.
    if (tensorOffsetsBytes.at(-1) + tensorBytes.at(-1) < fileBytes)
      writeSync(out, new Uint8Array(1), 0, 1, fileBytes - 1);
  } finally {
    closeSync(out);
  }
  renameSync(part, file);
  return fileBytes;
}

/** A whole number of patterns, so that few writes suffice. */
function repeated(pattern) {
  const count = Math.ceil(CHUNK_BYTES / pattern.length);
  const bytes = new Uint8Array(count * pattern.length);
  for (let i = 0; i < count; i++) bytes.set(pattern, i * pattern.length);
  return bytes;
}

function writeRepeated(out, pattern, phase, offset, length) {
  for (let done = 0; done < length; ) {
    const from = (phase + done) % pattern.length;
    done += writeSync(out, pattern, from, Math.min(length - done, pattern.length - from), offset + done);
  }
}
