// Records an architecture's operations as plans. Every shape, alignment and bound is checked here, once: kernels check
// nothing. Knows addresses as numbers, through an allocator it is given; touches no memory.
import {
  BLOCK_ROWS,
  COLS_ALIGN,
  HEAD_SOURCE,
  MAMBA_SCRATCH_BYTES,
  RANGE_ALL,
  RANGE_HEAD,
  RANGE_REST,
  RANGE_TILES,
  ROW_TOKENS,
  TILE_TOKENS,
  ZERO,
} from '../../assembly/layout.ts';
import type { RopeConfig } from '../arch/architecture.ts';
import { TernlightError } from '../errors.ts';
import type { Kernels } from '../kernels.d.ts';
import { attentionStep, cachePlace, cacheWrites } from './attention.ts';
import { fastHeadSteps } from './fast-head.ts';
import { digitBlock, digitRowStep, digitTiledStep, floatStep, type NeedyStep, rowStep, tiledStep } from './matmul.ts';
import type { Plan, Stage, Step } from './plan.ts';
import { ROPE_DIVISORS, ropeFrequencies, ropeMagnitude } from './rope.ts';
import type { BuilderOptions, Digits, Normed, Plans, Quantized, Value } from './types.ts';
import {
  type BinaryMatrix,
  type I8PlanesMatrix,
  type Matrix,
  roundUp,
  type TernaryMatrix,
  type Vector,
  type Weight,
} from './weights.ts';

/** Digits of activations for ternary and binary matrices; heads of models with int8 activations get two. */
const DIGITS = { int8: 2, 'int8-blocks': 1, int16: 2, float: 3 } as const;

export class Builder {
  readonly #o: BuilderOptions;
  readonly #phase: 'decode' | 'prefill';
  readonly #body: Stage[] = [];
  readonly #head: Stage[] = [];
  #stages = this.#body;
  #pending: Step[] = [];
  #pendingLabel = '';
  #scratchBytes = 0;
  #sessionBytes = 0;
  #recurrent = false;
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
    this.#table = config.rope ? options.allocate('rope angles', 4 * chunkTokens * config.rope.dims) : 0;
    if (config.rope) this.#angles(config.rope);
  }

  /** The angles of the chunk's positions, which every layer's rope reads. */
  #angles(rope: RopeConfig): void {
    const freqs = ropeFrequencies(rope);
    const address = this.#o.allocate('rope frequencies', freqs.byteLength);
    this.#constants.push({ address, data: freqs });
    const divisors = this.#o.weights.get(ROPE_DIVISORS);
    const args = [address, divisors?.address ?? 0, this.#table, this.#o.control, rope.dims / 2, ropeMagnitude(rope)];
    this.#perToken('rope angles', 'ropeAngles', args);
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
    else if (w.kind === 'i8planes')
      this.#perToken('embd', 'embedH4', [w.address, w.low, w.scales, ...to, w.paddedCols, x.stride]);
    else if (w.kind === 'ternary' || w.kind === 'binary') {
      const kernel = w.kind === 'ternary' ? 'embedTernary' : 'embedBinary';
      this.#perToken('embd', kernel, [w.address, w.scales, ...to, w.paddedCols, w.blockCols, x.stride]);
    }
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

  /** RMSNorm of every head by itself, in place: w [headDim]. */
  headNorm(x: Value, name: string, heads: number): void {
    const { headDim, rmsEps } = this.#o.config;
    const weight = this.#vector(name, headDim);
    if (x.cols !== heads * headDim)
      throw new TernlightError('internal', `plan: norm of ${x.cols} values, expected ${heads} x ${headDim}`);
    this.#perToken('head norm', 'rmsNormHeadsF32', [x.address, weight.address, heads, headDim, x.stride, rmsEps]);
  }

  rope(x: Value, heads: number): void {
    const { rope, headDim } = this.#o.config;
    if (!rope) throw new TernlightError('internal', 'plan: rope without its configuration');
    if (x.cols !== heads * headDim)
      throw new TernlightError('internal', `plan: rope over ${x.cols} values, expected ${heads} x ${headDim}`);
    const kernel = rope.pairing === 'half' ? 'ropeHalfF32' : 'ropePairsF32';
    this.#perToken('rope', kernel, [x.address, this.#table, heads, headDim, rope.dims / 2, x.stride]);
  }

  /** Keys and values of this layer go into the session's cache. */
  cache(k: Value, v: Value, layer: number): void {
    const place = cachePlace(layer, this.#o);
    this.#sessionBytes = Math.max(this.#sessionBytes, place.endBytes);
    const { kernel, calls, scratchBytes } = cacheWrites(k, v, place, this.#o);
    this.#scratch(scratchBytes);
    for (const args of calls) this.#perToken(`blk.${layer}.kv`, kernel, args);
  }

  /** Causal attention over the cache, the scale 1 / sqrt(headDim). */
  attention(q: Value, layer: number): Value {
    const { nHeads, headDim } = this.#o.config;
    const out = this.#value('attn', nHeads * headDim);
    const needy = attentionStep(q, out, cachePlace(layer, this.#o), this.#o);
    this.#stage(`blk.${layer}.attn`, [this.#needing(needy)]);
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

  /**
   * The part of a BitMamba-2 block between its projections: causal convolution, state of one number a channel, gate.
   * p [T, 2 innerDim + 3 heads] -> [T, innerDim]. The state is the session's, as large for any number of tokens.
   */
  mamba(p: Value, layer: number, name: (part: string) => string): Value {
    const { hiddenDim: innerDim, nHeads } = this.#o.config;
    if (p.cols !== 2 * innerDim + 3 * nHeads)
      throw new TernlightError(
        'internal',
        `plan: mamba over ${p.cols} values, expected 2 x ${innerDim} + 3 x ${nHeads}`,
      );
    const conv = this.#matrix(name('ssm_conv1d.weight'));
    this.#expect(conv, innerDim, 4);
    const vector = (part: string, length: number) => this.#vector(name(part), length).address;
    const y = this.#value('ssm', innerDim);
    const stateBytes = 4 * (3 + 1) * innerDim;
    this.#sessionBytes = Math.max(this.#sessionBytes, (layer + 1) * stateBytes);
    this.#recurrent = true;
    this.#scratch(MAMBA_SCRATCH_BYTES);
    const args = [
      ...[p.address, p.stride, conv.address, vector('ssm_conv1d.bias', innerDim), vector('ssm_dt.bias', nHeads)],
      ...[vector('ssm_a', nHeads), vector('ssm_d', innerDim), this.#o.control, layer * stateBytes, y.address, y.stride],
      ...[innerDim, nHeads, this.#o.control + RANGE_ALL],
    ];
    this.#stage(`blk.${layer}.ssm`, [{ kernel: 'mambaF32', args, rows: innerDim, align: 16 }]);
    return y;
  }

  /**
   * The last norm and the head, for the rows that the control block names. `tied` serves where `name` is absent.
   * `inner`: a head with a norm of its own is one trained like the other matrices.
   */
  logits(x: Value, norm: string, name: string, tied: string, inner?: string): void {
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
    // Other ternary heads are not trained with int8 activations: theirs stay next to f32.
    const input = inner === undefined ? h : this.rmsNorm(h, inner);
    if (w.kind === 'i8planes') this.#fastHead(input, w, y);
    else {
      const readers = this.#readers(input, [w], RANGE_HEAD, inner === undefined);
      this.#stage('result_output', [readers.row(w, y, 0, RANGE_HEAD)]);
    }
    this.#logits = { address: y.address, stride: y.stride, vocabSize: w.rows };
  }

  #fastHead(input: Value | Normed, w: I8PlanesMatrix, y: Value): void {
    const q = this.#quantize(input, RANGE_HEAD);
    const sums = this.#o.allocate('head sums', 4 * ROW_TOKENS * y.stride);
    const peaks = this.#o.allocate('head peaks', (8 * ROW_TOKENS * y.stride) / BLOCK_ROWS);
    const thresholds = this.#o.allocate('head thresholds', 4 * ROW_TOKENS);
    for (const needy of fastHeadSteps({ w, y, q, sums, peaks, thresholds }, this.#o))
      this.#stage('result_output', [this.#needing(needy)]);
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
      sessionBytes: this.#sessionBytes,
      recurrent: this.#recurrent,
    };
  }

  /** Quantises or normalises the input as its readers need it, then multiplies, tiles first. */
  #matmuls(input: Value | Normed, matrices: readonly Matrix[], outputs: readonly Value[], add: 0 | 1): void {
    const cols = 'of' in input ? input.of.cols : input.cols;
    for (const w of matrices) this.#expect(w, w.rows, cols);
    const readers = this.#readers(input, matrices, RANGE_ALL);
    const steps: Step[] = [];
    matrices.forEach((w, i) => {
      const y = outputs[i]!;
      const tiled = this.#phase === 'prefill' ? readers.tiled(w, y, add) : undefined;
      if (tiled) steps.push(tiled);
      steps.push(readers.row(w, y, add, tiled ? RANGE_REST : RANGE_ALL));
    });
    this.#stage(matrices[0]!.name.replace(/\.weight$/, ''), steps);
  }

  /**
   * Records what turns the input into the forms that these matrices read (int8, digits, f32), each once, and for
   * prefill their tiles; gives the steps that multiply. asDigits: ternary matrices take digits whatever is set.
   */
  #readers(input: Value | Normed, matrices: readonly Matrix[], range: number, asDigits = false) {
    const { activations } = this.#o;
    const ternaryAsDigits = asDigits || activations !== 'int8';
    let q: Quantized | undefined;
    let x: Value | undefined;
    const byBlock = new Map<number, Digits>();
    for (const w of matrices) {
      if (w.kind === 'binary' || (w.kind === 'ternary' && ternaryAsDigits)) {
        if (!byBlock.has(digitBlock(w))) byBlock.set(digitBlock(w), this.#digits(input, w, range));
      } else if (w.kind === 'ternary' || w.kind === 'i8row') q ??= this.#quantize(input, range);
      else x ??= this.#floats(input);
    }
    this.#flush();
    const tiles = this.#phase === 'prefill' && range === RANGE_ALL;
    const tiled = tiles && matrices.some((w) => w.kind === 'ternary');
    const at = tiled && q ? this.#tile('tiles', { q: q.q, cols: q.cols, planeBytes: 0, count: 1 }) : undefined;
    const digitTiles = new Map<number, number>();
    if (tiles) for (const [block, d] of byBlock) digitTiles.set(block, this.#tile(`digit tiles ${block}`, d));
    return {
      row: (w: Matrix, y: Value, add: 0 | 1, rows: number): Step => {
        if (w.kind === 'binary' || (w.kind === 'ternary' && ternaryAsDigits))
          return this.#needing(digitRowStep(w, byBlock.get(digitBlock(w))!, y, add, rows, this.#o));
        if (w.kind === 'ternary' || w.kind === 'i8row') return this.#needing(rowStep(w, q!, y, add, rows, this.#o));
        if (w.kind === 'i8planes')
          throw new TernlightError('internal', `plan: ${w.name} is held in planes, which only heads are`);
        return this.#needing(floatStep(w, x!, y, add, rows, this.#o));
      },
      tiled: (w: Matrix, y: Value, add: 0 | 1): Step | undefined => {
        if (w.kind === 'binary' || (w.kind === 'ternary' && ternaryAsDigits)) {
          const block = digitBlock(w);
          return this.#needing(digitTiledStep(w, byBlock.get(block)!, digitTiles.get(block)!, y, add, this.#o));
        }
        if (w.kind === 'ternary') return this.#needing(tiledStep(w, q!, at!, y, add, this.#o));
        return undefined;
      },
    };
  }

  /** Notes what scratch a step needs. */
  #needing({ step, scratchBytes }: NeedyStep): Step {
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

  /** Digits of the input, with scales for the blocks that `w` wants. */
  #digits(input: Value | Normed, w: TernaryMatrix | BinaryMatrix, range: number): Digits {
    const of = 'of' in input ? input.of : input;
    const cols = roundUp(of.cols, COLS_ALIGN);
    const blockCols = digitBlock(w);
    const count = DIGITS[this.#o.activations];
    const planeBytes = this.#o.chunkTokens * this.#maxCols;
    const q = this.#o.allocate(`digits ${blockCols}`, count * planeBytes);
    const scales = this.#o.allocate(`digit scales ${blockCols}`, (4 * planeBytes) / blockCols);
    const to = [q, planeBytes, scales, of.cols, of.stride, cols, blockCols, count];
    if ('of' in input) {
      this.#scratch(4 * cols);
      const args = [of.address, input.weight.address, ...to, this.#o.config.rmsEps];
      this.#perToken('norm', 'rmsNormQuantizeDigits', args, range);
    } else this.#perToken('quantize', 'quantizeDigits', [of.address, ...to], range);
    return { q, planeBytes, scales, cols, blockCols, count };
  }

  /** Rows of int8 activations as i16, 16 tokens side by side; planes of digits one after another. */
  #tile(name: string, { q, planeBytes, cols, count }: Pick<Digits, 'q' | 'planeBytes' | 'cols' | 'count'>): number {
    const tileBytes = 2 * this.#o.chunkTokens * this.#maxCols;
    const at = this.#o.allocate(name, count * tileBytes);
    const steps = Array.from({ length: count }, (_, i) => ({
      kernel: 'tileI16' as const,
      args: [q + i * planeBytes, at + i * tileBytes, cols],
      rows: 1,
      align: 1,
      range: RANGE_TILES,
    }));
    this.#stage('tiles', steps);
    return at;
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
