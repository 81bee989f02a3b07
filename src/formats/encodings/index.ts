// The wire encodings that can be read, by id and by name.

import { TernlightError } from '../../errors.ts';
import type { Encoding, TernaryEncoding } from '../types.ts';
import { bf16 } from './bf16.ts';
import { f16 } from './f16.ts';
import { f32 } from './f32.ts';
import { i2s, i2sArm } from './i2s.ts';
import { i2sRows4 } from './i2s-rows4.ts';
import { ptq1 } from './ptq1.ts';
import { q1_0 } from './q1_0.ts';
import { pq2_0, q2_0, q2_0Group128 } from './q2_0.ts';
import { q2_k } from './q2_k.ts';
import { q3_k } from './q3_k.ts';
import { q4_k, q5_k } from './q4_k.ts';
import { q4_0, q4_1, q5_0, q5_1 } from './q4-q5.ts';
import { q6_k } from './q6_k.ts';
import { q8_0 } from './q8_0.ts';
import { tq1 } from './tq1.ts';
import { tq2 } from './tq2.ts';

/** One for each id. */
export const encodings: readonly Encoding[] = [
  ...[f32, f16, bf16, q8_0, q6_k, q5_k, q4_k, q3_k, q2_k, q5_1, q5_0, q4_1, q4_0],
  ...[tq1, tq2, i2s, q2_0, pq2_0, ptq1, q1_0],
];

const byId = new Map(encodings.map((encoding) => [encoding.id, encoding]));
const byName = new Map([...encodings, q2_0Group128].map((encoding) => [encoding.name, encoding]));

/** The encoding with this id of GGUF, if it can be read. Of id 42, the mainline form. */
export function encodingById(id: number): Encoding | undefined {
  return byId.get(id);
}

/** The encoding with this upstream name ("TQ2_0"), if it can be read. */
export function encodingByName(name: string): Encoding | undefined {
  return byName.get(name);
}

/** The orders of codes in I2_S files: of bitnet.cpp built for x86 (all published files), for ARM, without ACT_PARALLEL. */
export type I2sLayout = 'x86' | 'arm' | 'rows4';

/** @param cols elements of a row, which one of the orders depends on */
export function i2sByLayout(layout: I2sLayout, cols: number): TernaryEncoding {
  switch (layout) {
    case 'x86':
      return i2s;
    case 'arm':
      return i2sArm;
    case 'rows4':
      return i2sRows4(cols);
  }
  throw new TernlightError('invalid-option', `i2s: layout ${layout}, expected "x86", "arm" or "rows4"`);
}
