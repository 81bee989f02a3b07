// Perplexity by the rule of llama.cpp's tool: chunks of ctx tokens in empty contexts, the second half of each scored.
import { TernlightError } from '../errors.ts';
import { exp, log } from '../math.ts';

export interface Perplexity {
  /** Mean negative log-likelihood, nats per token. */
  nll: number;
  /** e^nll */
  ppl: number;
  /** Predictions counted. */
  tokens: number;
}

/** Rows of logits of a chunk's tokens from index `from` on, in an empty context. */
export type LogitRows = (chunk: readonly number[], from: number) => AsyncIterable<Float32Array>;

/**
 * @param ids the whole text, its BOS first if the model adds one; fewer than 2 * ctx tokens are an error
 */
export async function perplexity(
  ids: readonly number[],
  options: { ctx: number; addsBos: boolean; bosId: number | undefined },
  rows: LogitRows,
  onProgress?: (done: number, total: number) => void,
  signal?: AbortSignal,
): Promise<Perplexity> {
  const { ctx, addsBos, bosId } = options;
  if (!Number.isInteger(ctx) || ctx < 4)
    throw new TernlightError('invalid-option', `perplexity: context is ${ctx}, expected an integer from 4`);
  if (ids.length < 2 * ctx)
    throw new TernlightError(
      'invalid-option',
      `perplexity: the text has ${ids.length} tokens, expected at least ${2 * ctx}, twice the context of ${ctx}`,
    );
  const chunks = Math.floor(ids.length / ctx);
  const first = Math.floor(ctx / 2);
  let sum = 0;
  let tokens = 0;
  for (let i = 0; i < chunks; i++) {
    signal?.throwIfAborted();
    const chunk = ids.slice(i * ctx, (i + 1) * ctx);
    if (addsBos && bosId !== undefined) chunk[0] = bosId;
    let position = first;
    for await (const row of rows(chunk.slice(0, ctx - 1), first)) {
      sum += negativeLogLikelihood(row, chunk[++position]!);
      tokens++;
    }
    onProgress?.(i + 1, chunks);
  }
  const nll = sum / tokens;
  return { nll, ppl: exp(nll), tokens };
}

/** -ln softmax(logits)[id] */
function negativeLogLikelihood(logits: Float32Array, id: number): number {
  let most = -Infinity;
  for (let i = 0; i < logits.length; i++) if (logits[i]! > most) most = logits[i]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += exp(logits[i]! - most);
  return most + log(sum) - logits[id]!;
}
