// Records an architecture's operations as plans. Every shape, alignment and bound is checked here, once: kernels check
// nothing. Knows addresses as numbers, through an allocator it is given; touches no memory.
import {
  ATTENTION_BLOCK,
  BLOCK_ROWS,
  COLS_ALIGN,
  HEAD_SOURCE,
  RANGE_ALL,
  RANGE_HEAD,
  RANGE_REST,
  RANGE_TILES,
  ROW_TOKENS,
  TILE_TOKENS,
  ZERO,
} from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import type { Kernels } from '../kernels.d.ts';
import { rowStep, tiledStep } from './matmul.ts';
import type { Plan, Stage, Step } from './plan.ts';
import { ropeFrequencies } from './rope.ts';
import { type BuilderOptions, kvBytes, type Normed, type Plans, type Quantized, type Value } from './types.ts';
import { type Matrix, roundUp, type Vector, type Weight } from './weights.ts';

export class Builder {
  readonly #o: BuilderOptions;
  readonly #phase: 'decode' | 'prefill';
  readonly #body: Stage[] = [];
  readonly #head: Stage[] = [];
  #stages = this.#body;
  #pending: Step[] = [];
  #pendingLabel = '';
  #scratchBytes = 0;
  #logits: { address: number; stride: number; vocabSize: number } | undefined;
  readonly #constants: { address: number; data: Float64Array }[] = [];
  readonly #ids: number;
  readonly #table: number;
  readonly #maxCols: number;

  constructor(options: BuilderOptions, phase: 'decode' | 'prefill') {
    this.#o = options;
    this.#phase = phase;
    const { chunkTokens, config } = options;
    if (chunkTokens % TILE_TOKENS !== 0 || chunkTokens < TILE_TOKENS)
      throw new TernlightError(
        'internal',
        `plan: chunk of ${chunkTokens} tokens, expected a multiple of ${TILE_TOKENS}`,
      );
    this.#maxCols = Math.max(
      COLS_ALIGN,
      ...[...options.weights.values()].map((w) => ('paddedCols' in w ? w.paddedCols : 0)),
    );
    this.#ids = options.allocate('ids', 4 * chunkTokens);
    this.#table = options.allocate('rope angles', 4 * chunkTokens * config.rope.dims);
    const freqs = ropeFrequencies(config.rope);
    const freqsAddress = options.allocate('rope frequencies', freqs.byteLength);
    this.#constants.push({ address: freqsAddress, data: freqs });
    this.#perToken('rope angles', 'ropeAngles', [freqsAddress, this.#table, options.control, config.rope.dims / 2, 1]);
  }

  /** Rows of the embedding for the chunk's ids: the residual stream. */
  embed(name: string): Value {
    const w = this.#matrix(name);
    const { dim, vocabSize } = this.#o.config;
    this.#expect(w, vocabSize, dim);
    const x = this.#value('x', dim);
    const to = [this.#ids, x.address, dim];
    if (w.kind === 'f32') this.#perToken('embd', 'embedF32', [w.address, ...to, x.stride]);
    else if (w.kind === 'f16') this.#perToken('embd', 'embedF16', [w.address, ...to, x.stride]);
    else if (w.kind === 'i8block')
      this.#perToken('embd', 'embedI8Block', [w.address, w.scales, ...to, w.blockCols, x.stride]);
    else if (w.kind === 'i8row')
      this.#perToken('embd', 'embedI8Row', [w.address, w.scales, ...to, w.paddedCols, x.stride]);
    else throw new TernlightError('internal', `plan: ${name} is packed as ${w.kind}, which cannot be looked up`);
    return x;
  }

  rmsNorm(of: Value, name: string): Normed {
    return { of, weight: this.#vector(name, of.cols) };
  }

  /** y = W x for each of `names`, in one stage; the results are buffers named after the weights. */
  linear(input: Value | Normed, names: readonly string[]): Value[] {
    const matrices = names.map((name) => this.#matrix(name));
    const outputs = matrices.map((w) => this.#value(roleOf(w.name), w.rows));
    this.#matmuls(input, matrices, outputs, 0);
    return outputs;
  }

  /** x += W y */
  addLinear(x: Value, input: Value | Normed, name: string): void {
    const w = this.#matrix(name);
    this.#expect(w, x.cols, 'of' in input ? input.of.cols : input.cols);
    this.#matmuls(input, [w], [x], 1);
  }

  rope(x: Value, heads: number): void {
    const { rope, headDim } = this.#o.config;
    if (x.cols !== heads * headDim)
      throw new TernlightError('internal', `plan: rope over ${x.cols} values, expected ${heads} x ${headDim}`);
    const kernel = rope.pairing === 'half' ? 'ropeHalfF32' : 'ropePairsF32';
    this.#perToken('rope', kernel, [x.address, this.#table, heads, headDim, rope.dims / 2, x.stride]);
  }

  /** Keys and values of this layer go into the session's cache. */
  cache(k: Value, v: Value, layer: number): void {
    const { nKvHeads, headDim } = this.#o.config;
    const kernel = this.#o.kv === 'f16' ? 'cacheWriteF16' : 'cacheWriteF32';
    const offset = this.#cacheOffset(layer);
    [k, v].forEach((x, i) => {
      this.#perToken(`blk.${layer}.kv`, kernel, [
        x.address,
        this.#o.control,
        offset[i]!,
        nKvHeads,
        headDim,
        this.#o.capacity,
        x.stride,
      ]);
    });
  }

  /** Causal attention over the cache, the scale 1 / sqrt(headDim). */
  attention(q: Value, layer: number): Value {
    const { nHeads, nKvHeads, headDim } = this.#o.config;
    const out = this.#value('attn', nHeads * headDim);
    const [keys, values] = this.#cacheOffset(layer);
    this.#scratch(4 * ATTENTION_BLOCK * headDim + (nHeads / nKvHeads) * (4 * roundUp(this.#o.capacity, 4) + 4));
    this.#stage(`blk.${layer}.attn`, [
      {
        kernel: this.#o.kv === 'f16' ? 'attentionF16' : 'attentionF32',
        args: [
          ...[q.address, out.address, this.#o.control, keys!, values!, nHeads, nKvHeads, headDim, this.#o.capacity],
          ...[q.stride, out.stride, Math.fround(1 / Math.sqrt(headDim))],
        ],
        rows: nHeads,
        align: 1,
        range: RANGE_ALL,
      },
    ]);
    return out;
  }

  /** activation(gate) * up, in place of gate. */
  gate(activation: 'silu' | 'relu2', gate: Value, up: Value): Value {
    const kernel = activation === 'silu' ? 'siluMulF32' : 'reluSquaredMulF32';
    if (gate.cols !== up.cols)
      throw new TernlightError('internal', `plan: gate of ${gate.cols} values, up of ${up.cols}`);
    this.#perToken('ffn_gate', kernel, [gate.address, up.address, gate.cols, gate.stride]);
    return gate;
  }

  /** The last norm and the head, for the rows that the control block names. `tied` serves where `name` is absent. */
  logits(x: Value, norm: string, name: string, tied: string): void {
    this.#flush();
    this.#stages = this.#head;
    const w = this.#matrix(this.#o.weights.has(name) ? name : tied);
    this.#expect(w, this.#o.config.vocabSize, x.cols);
    const { control } = this.#o;
    const weight = this.#vector(norm, x.cols);
    const h = this.#value('head input', x.cols, ROW_TOKENS);
    const y = this.#value('logits', w.rows, ROW_TOKENS);
    const normArgs = [
      x.address,
      weight.address,
      h.address,
      control + HEAD_SOURCE,
      x.cols,
      x.stride,
      h.stride,
      this.#o.config.rmsEps,
    ];
    this.#perToken('result_norm', 'rmsNormF32', normArgs, RANGE_HEAD);
    const q = w.kind === 'ternary' || w.kind === 'i8row' ? this.#quantize(h, RANGE_HEAD) : undefined;
    this.#flush();
    this.#stage('result_output', [this.#row(w, q, h, y, 0, RANGE_HEAD)]);
    this.#logits = { address: y.address, stride: y.stride, vocabSize: w.rows };
  }

  /** The stages recorded so far: those before and those of the head, and what they need. */
  finish(): { body: Plan; head: Plan } & Omit<Plans, 'plans'> {
    this.#flush();
    if (!this.#logits) throw new TernlightError('internal', 'plan: the architecture recorded no logits');
    return {
      body: this.#body,
      head: this.#head,
      ids: this.#ids,
      logits: this.#logits.address,
      logitsStride: this.#logits.stride,
      vocabSize: this.#logits.vocabSize,
      constants: this.#constants,
      scratchBytes: this.#scratchBytes,
    };
  }

  /** Quantises or normalises the input as its readers need it, then multiplies, tiles first. */
  #matmuls(input: Value | Normed, matrices: readonly Matrix[], outputs: readonly Value[], add: 0 | 1): void {
    const cols = 'of' in input ? input.of.cols : input.cols;
    for (const w of matrices) this.#expect(w, w.rows, cols);
    const integer = matrices.some((w) => w.kind === 'ternary' || w.kind === 'i8row');
    const float = matrices.some((w) => w.kind !== 'ternary' && w.kind !== 'i8row');
    const q = integer ? this.#quantize(input, RANGE_ALL) : undefined;
    const x = float ? this.#floats(input) : undefined;
    this.#flush();
    const tiled = this.#phase === 'prefill' && matrices.some((w) => w.kind === 'ternary');
    const at = tiled && q ? this.#tile(q) : undefined;
    const steps: Step[] = [];
    matrices.forEach((w, i) => {
      const y = outputs[i]!;
      if (w.kind === 'ternary' && at !== undefined && q) {
        steps.push(this.#needing(tiledStep(w, q, at, y, add, this.#o)), this.#row(w, q, x, y, add, RANGE_REST));
      } else steps.push(this.#row(w, q, x, y, add, RANGE_ALL));
    });
    this.#stage(matrices[0]!.name.replace(/\.weight$/, ''), steps);
  }

  #row(w: Matrix, q: Quantized | undefined, x: Value | undefined, y: Value, add: 0 | 1, range: number): Step {
    return this.#needing(rowStep(w, q, x, y, add, range, this.#o));
  }

  /** Notes what scratch a step needs. */
  #needing({ step, scratchBytes }: { step: Step; scratchBytes: number }): Step {
    this.#scratch(scratchBytes);
    return step;
  }

  /** q = int8 of the input, one scale per token; columns padded with zeros. */
  #quantize(input: Value | Normed, range: number): Quantized {
    const of = 'of' in input ? input.of : input;
    const cols = roundUp(of.cols, COLS_ALIGN);
    // A row of the widest input: stride = cols, so that a tile of tokens is one block.
    const q = this.#o.allocate('int8 activations', this.#o.chunkTokens * this.#maxCols);
    const scale = this.#o.allocate('int8 scales', 4 * this.#o.chunkTokens);
    if ('of' in input) {
      this.#scratch(4 * cols);
      const args = [of.address, input.weight.address, q, scale, of.cols, of.stride, cols, this.#o.config.rmsEps];
      this.#perToken('norm', 'rmsNormQuantizeI8', args, range);
    } else this.#perToken('quantize', 'quantizeI8', [of.address, q, scale, of.cols, of.stride, cols], range);
    return { q, scale, cols };
  }

  /** The input as f32: itself, or its norm in a buffer of its own. */
  #floats(input: Value | Normed): Value {
    if (!('of' in input)) return input;
    const { of, weight } = input;
    const y = this.#value(`norm of ${of.cols}`, of.cols);
    const zero = this.#o.control + ZERO;
    this.#perToken('norm', 'rmsNormF32', [
      of.address,
      weight.address,
      y.address,
      zero,
      of.cols,
      of.stride,
      y.stride,
      this.#o.config.rmsEps,
    ]);
    return y;
  }

  /** The int8 activations as i16, 16 tokens side by side. */
  #tile(q: Quantized): number {
    const at = this.#o.allocate('tiles', 2 * this.#o.chunkTokens * this.#maxCols);
    this.#stage('tiles', [{ kernel: 'tileI16', args: [q.q, at, q.cols], rows: 1, align: 1, range: RANGE_TILES }]);
    return at;
  }

  #cacheOffset(layer: number): [number, number] {
    const half = kvBytes({ ...this.#o.config, nLayers: 1 }, this.#o.capacity, this.#o.kv) / 2;
    return [2 * layer * half, (2 * layer + 1) * half];
  }

  #value(name: string, cols: number, rows = this.#o.chunkTokens): Value {
    const stride = roundUp(cols, BLOCK_ROWS);
    return { address: this.#o.allocate(name, 4 * rows * stride), cols, stride };
  }

  #perToken(label: string, kernel: keyof Kernels, args: number[], range = RANGE_ALL): void {
    if (this.#pending.length === 0) this.#pendingLabel = label;
    else if (this.#pending[0]!.range !== range) {
      this.#flush();
      this.#pendingLabel = label;
    }
    this.#pending.push({ kernel, args, rows: 1, align: 1, range });
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    this.#stages.push({ label: this.#pendingLabel, perToken: true, steps: this.#pending });
    this.#pending = [];
  }

  #stage(label: string, steps: Step[]): void {
    this.#flush();
    this.#stages.push({ label, perToken: false, steps });
  }

  #scratch(bytes: number): void {
    this.#scratchBytes = Math.max(this.#scratchBytes, bytes);
  }

  #weight(name: string): Weight {
    const w = this.#o.weights.get(name);
    if (!w) throw new TernlightError('internal', `plan: weight ${name} was not loaded`);
    return w;
  }

  #matrix(name: string): Matrix {
    const w = this.#weight(name);
    if (w.kind === 'vector') throw new TernlightError('internal', `plan: ${name} is a vector, expected a matrix`);
    if (w.cols % 4 !== 0)
      throw new TernlightError('unsupported', `model: ${name} has ${w.cols} columns, expected a multiple of 4`);
    return w;
  }

  #vector(name: string, length: number): Vector {
    const w = this.#weight(name);
    if (w.kind !== 'vector' || w.length !== length)
      throw new TernlightError('internal', `plan: ${name} is no vector of ${length} numbers`);
    return w;
  }

  #expect(w: Matrix, rows: number, cols: number): void {
    if (w.rows !== rows || w.cols !== cols)
      throw new TernlightError('internal', `plan: ${w.name} is ${w.rows} x ${w.cols}, expected ${rows} x ${cols}`);
  }
}

/** "blk.7.attn_q.weight" -> "attn_q": what is alike in all layers. */
function roleOf(name: string): string {
  return name.replace(/^blk\.\d+\./, '').replace(/\.weight$/, '');
}

/** Runs `forward` for both phases; the plans share their buffers. */
export function buildPlans(options: BuilderOptions, forward: (builder: Builder) => void): Plans {
  const decode = new Builder(options, 'decode');
  forward(decode);
  const prefill = new Builder(options, 'prefill');
  forward(prefill);
  const { body, head, ...rest } = decode.finish();
  const tiled = prefill.finish();
  return {
    ...rest,
    scratchBytes: Math.max(rest.scratchBytes, tiled.scratchBytes),
    plans: [[...body, ...head], tiled.body, head],
  };
}
