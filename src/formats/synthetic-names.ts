// The shapes that synthetic models are made in (synthetic-shapes.ts), by name.

export const syntheticNames = [
  ...['tiny', 'bitnet-2b-4t', 'bitnet-0.7b', 'bitnet-3b', 'llama3-8b-1.58'],
  ...['falcon3-1b-1.58', 'falcon3-3b-1.58', 'falcon3-7b-1.58', 'falcon3-10b-1.58', 'falcon-e-1b', 'falcon-e-3b'],
  ...['trilm-99m', 'trilm-190m', 'trilm-390m', 'trilm-560m', 'trilm-830m', 'trilm-1.1b', 'trilm-1.5b', 'trilm-2.4b'],
  ...['trilm-3.9b', 'bonsai-1.7b', 'bonsai-4b', 'bonsai-8b'],
  ...['ternary-bonsai-1.7b', 'ternary-bonsai-4b', 'ternary-bonsai-8b', 'bitmamba2-255m', 'bitmamba2-1b'],
] as const;

export type SyntheticName = (typeof syntheticNames)[number];
