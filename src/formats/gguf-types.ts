// Names and cures for the tensor types of GGUF that ternlight does not read. The same id means different things in
// different forks of llama.cpp, so a few have two names.

import { encodings } from './encodings/index.ts';

const names: Readonly<Record<number, string>> = {
  2: 'Q4_0',
  3: 'Q4_1',
  6: 'Q5_0',
  7: 'Q5_1',
  9: 'Q8_1',
  10: 'Q2_K',
  11: 'Q3_K',
  12: 'Q4_K',
  13: 'Q5_K',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  24: 'I8',
  25: 'I16',
  26: 'I32',
  27: 'I64',
  28: 'F64',
  29: 'IQ1_M',
  37: 'I8_S',
  38: 'TL1 of bitnet.cpp',
  39: 'MXFP4, or TL2 of bitnet.cpp',
  40: 'NVFP4',
  41: 'Q1_0',
  42: 'Q2_0',
  134: 'IQ1_BN of ik_llama.cpp',
  135: 'IQ2_BN of ik_llama.cpp',
  142: 'PQ2_0 of PrismML',
  143: 'PTQ1_0 of PrismML',
};

const removed: ReadonlySet<number> = new Set([4, 5, 31, 32, 33]);

/** The rest of a sentence that begins with the tensor's name. */
export function unsupportedType(id: number): string {
  const readable = encodings.map((encoding) => encoding.name).join(', ');
  if (removed.has(id)) {
    return `has type id ${id}, which llama.cpp removed, expected one of ${readable}; convert the model anew`;
  }
  const name = names[id];
  if (!name) return `has the unknown type id ${id}, expected one of ${readable}`;
  const cure = id === 38 || id === 39 || id === 134 || id === 135 ? '; re-export the model as I2_S or TQ2_0' : '';
  return `has type ${name} (id ${id}), which is not supported, expected one of ${readable}${cure}`;
}
