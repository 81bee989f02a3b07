// Causal attention of one query over `count` cached positions: in f64, and as the integer caches have it, step by step
// in f32. Written from the description in docs/PACKING.md, one number at a time.

const f = Math.fround;

/** q [headDim]; keys, values [count, headDim]. Returns softmax(q . k * scale) v. */
export function attend(
  q: ArrayLike<number>,
  keys: ArrayLike<number>,
  values: ArrayLike<number>,
  headDim: number,
  count: number,
  scale: number,
): Float64Array {
  const scores = new Float64Array(count);
  for (let j = 0; j < count; j++) {
    let dot = 0;
    for (let d = 0; d < headDim; d++) dot += q[d]! * keys[j * headDim + d]!;
    scores[j] = dot * scale;
  }
  const most = scores.reduce((m, s) => Math.max(m, s), -Infinity);
  const weights = scores.map((s) => Math.exp(s - most));
  const total = weights.reduce((sum, w) => sum + w, 0);
  const out = new Float64Array(headDim);
  for (let j = 0; j < count; j++)
    for (let d = 0; d < headDim; d++) out[d] = out[d]! + (weights[j]! / total) * values[j * headDim + d]!;
  return out;
}

/** Positions of a block of the integer caches. */
export const BLOCK = 64;

export type Bits = 8 | 4;

/** A row as codes of +-127 or +-7 and their scale. */
export interface Row {
  codes: Int8Array;
  scale: number;
}

/** The values that rotate mixes: the largest power of two in headDim. */
function rotated(headDim: number): number {
  let block = 1;
  while (headDim % (2 * block) === 0) block *= 2;
  return block;
}

/** The Walsh-Hadamard transform of each block of `rotated` values, not normalised. */
export function rotate(x: Float32Array): Float32Array {
  const y = x.slice();
  const block = rotated(x.length);
  for (let half = 1; half < block; half *= 2)
    for (let i = 0; i < y.length; i++) {
      if (i & half) continue;
      const [a, b] = [y[i]!, y[i + half]!];
      y[i] = a + b;
      y[i + half] = a - b;
    }
  return y;
}

function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
}

/** The row turned, then as codes of at most `most`. */
export function encodeRow(x: Float32Array, most: number): Row {
  const y = rotate(x);
  const largest = y.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  if (!(largest > 1e-30)) return { codes: new Int8Array(x.length), scale: 0 };
  const inverse = f(most / largest);
  return { codes: Int8Array.from(y, (v) => roundHalfEven(f(v * inverse))), scale: f(largest / most) };
}

/** Bytes of a kv head's keys, or of its values. */
export function headBytes(headDim: number, capacity: number, bits: Bits): number {
  return Math.ceil(capacity / BLOCK) * BLOCK * (4 + (Math.ceil(headDim / 8) * 8 * bits) / 8);
}

/**
 * Puts a row at its place in a head's bytes. A block: 64 scales, then the codes, the padded channels' code being 0.
 *   int8 keys    [8][dim / 4][8 positions][4 channels], code + 128
 *   int4 keys    [8][dim / 8][8 positions][4 channels], code + 8, channels 4 to 7 of eight in the high half bytes
 *   int8 values  [dim / 8][16][8 channels][4 positions], code
 *   int4 values  [dim / 8][16][4 channels][4 positions], code + 8, channels 4 to 7 of eight in the high half bytes
 */
export function storeRow(
  bytes: Uint8Array,
  { codes, scale }: Row,
  position: number,
  bits: Bits,
  values: boolean,
): void {
  const dim = Math.ceil(codes.length / 8) * 8;
  const block = Math.floor(position / BLOCK) * BLOCK * (4 + (dim * bits) / 8);
  const p = position % BLOCK;
  new DataView(bytes.buffer, bytes.byteOffset).setFloat32(block + 4 * p, scale, true);
  const at = block + 4 * BLOCK;
  const code = (c: number) => codes[c] ?? 0;
  const [tile, quad] = [Math.floor(p / 8), Math.floor(p / 4)];
  for (let c = 0; c < dim; c++) {
    const [eight, i] = [Math.floor(c / 8), c % 8];
    if (bits === 8 && !values)
      bytes[at + ((tile * (dim / 4) + Math.floor(c / 4)) * 8 + (p % 8)) * 4 + (c % 4)] = code(c) + 128;
    else if (bits === 8) bytes[at + ((eight * 16 + quad) * 8 + i) * 4 + (p % 4)] = code(c);
    else if (i < 4) {
      const byte = (code(c) + 8) | ((code(c + 4) + 8) << 4);
      if (values) bytes[at + ((eight * 16 + quad) * 4 + i) * 4 + (p % 4)] = byte;
      else bytes[at + ((tile * (dim / 8) + eight) * 8 + (p % 8)) * 4 + i] = byte;
    }
  }
}

/** 2^x of x <= 0 as the kernels compute it. */
function exp2(x: number): number {
  const clamped = Math.max(x, -126);
  const n = roundHalfEven(clamped);
  const r = f(clamped - n);
  let p = f(f(r * f(0.009582853)) + f(0.055906426));
  p = f(f(p * r) + f(0.24024099));
  p = f(f(p * r) + f(0.6931242));
  return f(f(p * r) + 1) * 2 ** n;
}

/** What the kernels of the integer caches give, bit for bit: keys and values of positions 0 .. count. */
export function attendCodes(q: Float32Array, keys: Row[], values: Row[], scale: number, bits: Bits): Float32Array {
  const headDim = q.length;
  const steps = bits === 8 ? 255 : 127;
  const query = encodeRow(q, 127);
  const rowScale = f(query.scale * f(scale * f(f(Math.LOG2E) / rotated(headDim))));
  let largest = f(-3e38);
  const sums = new Float32Array(4);
  const acc = new Float32Array(headDim);
  for (let first = 0; first < keys.length; first += BLOCK) {
    const count = Math.min(BLOCK, keys.length - first);
    const scores = Array.from({ length: count }, (_, j) => {
      const k = keys[first + j]!;
      return f(f(k.codes.reduce((sum, c, d) => sum + c * query.codes[d]!, 0) * k.scale) * rowScale);
    });
    const before = largest;
    largest = scores.reduce((m, s) => Math.max(m, s), largest);
    if (largest > before) {
      const shrink = exp2(f(before - largest));
      for (let i = 0; i < 4; i++) sums[i]! *= shrink;
      for (let d = 0; d < headDim; d++) acc[d]! *= shrink;
    }
    const weights = scores.map((s, j) => {
      const w = exp2(f(s - largest));
      sums[j % 4]! += w;
      return f(w * values[first + j]!.scale);
    });
    const top = weights.reduce((m, w) => Math.max(m, w), 0);
    if (!(top > f(1e-30))) continue;
    const codes = weights.map((w) => roundHalfEven(f(w * f(steps / top))));
    const step = f(top / steps);
    for (let d = 0; d < headDim; d++) {
      const dot = codes.reduce((sum, c, j) => sum + c * values[first + j]!.codes[d]!, 0);
      acc[d] = acc[d]! + f(dot * step);
    }
  }
  const total = f(f(sums[0]! + sums[2]!) + f(sums[1]! + sums[3]!));
  return rotate(acc).map((a) => f(a / f(total * rotated(headDim))) + 0);
}
