// The wire encodings that can be read, by id and by name.

import type { Encoding } from '../types.ts';
import { bf16 } from './bf16.ts';
import { f16 } from './f16.ts';
import { f32 } from './f32.ts';
import { i2s } from './i2s.ts';
import { q6_k } from './q6_k.ts';
import { q8_0 } from './q8_0.ts';
import { tq1 } from './tq1.ts';
import { tq2 } from './tq2.ts';

export const encodings: readonly Encoding[] = [f32, f16, bf16, q8_0, q6_k, tq1, tq2, i2s];

const byId = new Map(encodings.map((encoding) => [encoding.id, encoding]));
const byName = new Map(encodings.map((encoding) => [encoding.name, encoding]));

/** The encoding with this id of GGUF, if it can be read. */
export function encodingById(id: number): Encoding | undefined {
  return byId.get(id);
}

/** The encoding with this upstream name ("TQ2_0"), if it can be read. */
export function encodingByName(name: string): Encoding | undefined {
  return byName.get(name);
}
