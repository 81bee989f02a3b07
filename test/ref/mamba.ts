// The middle of a Mamba-2 block with state size 1, one channel and token at a time, all in f64.

export interface MambaWeights {
  innerDim: number;
  heads: number;
  /** [innerDim, 4], the last tap for the current token. */
  convW: ArrayLike<number>;
  convB: ArrayLike<number>;
  /** [heads] */
  dtBias: ArrayLike<number>;
  aLog: ArrayLike<number>;
  /** [innerDim] */
  d: ArrayLike<number>;
}

const silu = (x: number) => x / (1 + Math.exp(-x));

export function softplus(v: number): number {
  return v > 20 ? v : Math.log1p(Math.exp(v));
}

/**
 * p [T, stride]: z, x, B, C, dt -> y [T, innerDim], from a state of zeros; and for each y a magnitude: what it would be
 * if nothing cancelled, which is the measure of the rounding error allowed.
 */
export function mambaBlock(
  w: MambaWeights,
  p: ArrayLike<number>,
  stride: number,
): { y: Float64Array; magnitude: Float64Array } {
  const { innerDim, heads } = w;
  const tokens = Math.floor(p.length / stride);
  const y = new Float64Array(tokens * innerDim);
  const magnitude = new Float64Array(tokens * innerDim);
  for (let c = 0; c < innerDim; c++) {
    const head = Math.floor((c * heads) / innerDim);
    let state = 0;
    let stateMagnitude = 0;
    for (let t = 0; t < tokens; t++) {
      const at = (place: number) => p[t * stride + place]!;
      const [b, cc, dt] = [0, 1, 2].map((i) => at(2 * innerDim + i * heads + head)) as [number, number, number];
      let conv = w.convB[c]!;
      let convMagnitude = Math.abs(conv);
      for (let k = 0; k < 4; k++) {
        const from = t - 3 + k;
        const product = from < 0 ? 0 : p[from * stride + innerDim + c]! * w.convW[c * 4 + k]!;
        conv += product;
        convMagnitude += Math.abs(product);
      }
      const x = silu(conv);
      const step = softplus(dt + w.dtBias[head]!);
      const decay = Math.exp(-Math.exp(w.aLog[head]!) * step);
      state = state * decay + x * b * step;
      stateMagnitude = stateMagnitude * decay + convMagnitude * Math.abs(b) * step;
      const gate = silu(at(c));
      y[t * innerDim + c] = (state * cc + x * w.d[c]!) * gate;
      magnitude[t * innerDim + c] =
        (stateMagnitude * Math.abs(cc) + convMagnitude * Math.abs(w.d[c]!)) * Math.abs(gate);
    }
  }
  return { y, magnitude };
}
