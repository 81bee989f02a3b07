// Which tensors a BitMamba .bin holds, in which order and of which shape: all of it follows from its header.

export interface BitmambaShape {
  readonly vocab: number;
  readonly dim: number;
  /** Twice dim. */
  readonly innerDim: number;
  readonly nLayers: number;
  readonly nHeads: number;
}

export interface BitmambaTensor {
  readonly name: string;
  /** As in the file: slowest-varying first. */
  readonly shape: readonly number[];
  /** Else f32. */
  readonly ternary: boolean;
}

export function* bitmambaTensors({ vocab, dim, innerDim, nLayers, nHeads }: BitmambaShape): Generator<BitmambaTensor> {
  const floats = (name: string, ...shape: number[]) => ({ name, shape, ternary: false });
  const ternary = (name: string, rows: number, cols: number) => ({ name, shape: [rows, cols], ternary: true });
  yield floats('token_embd.weight', vocab, dim);
  for (let layer = 0; layer < nLayers; layer++) {
    const blk = `blk.${layer}.ssm_`;
    yield floats(`${blk}in_norm.weight`, dim);
    yield ternary(`${blk}in.weight`, 2 * innerDim + 3 * nHeads, dim); // z, x, and B, C, dt of each head
    yield floats(`${blk}conv1d.weight`, innerDim, 1, 4); // the last tap is the current token's
    yield floats(`${blk}conv1d.bias`, innerDim);
    yield floats(`${blk}dt.bias`, nHeads);
    yield floats(`${blk}a`, nHeads); // log(-A), unlike GGUF's ssm_a
    yield floats(`${blk}d`, innerDim);
    yield floats(`${blk}out_norm.weight`, innerDim);
    yield ternary(`${blk}out.weight`, dim, innerDim);
  }
  yield floats('output_norm.weight', dim);
  yield floats('output_in_norm.weight', dim); // the head quantises its input like any other matrix, norm included
  yield ternary('output.weight', vocab, dim);
}
