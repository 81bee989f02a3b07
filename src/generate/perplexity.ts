// Perplexity by the rule of llama.cpp's tool: chunks of ctx tokens in empty contexts, the second half of each scored.
// Knows no model, only rows of logits.
import { TernlightError } from '../errors.ts';
import { exp } from '../math.ts';
import { logprob } from './sampler.ts';

export interface Perplexity {
  /** Mean negative log-likelihood, nats per token. */
  nll: number;
  /** e^nll */
  ppl: number;
  /** Predictions counted. */
  tokens: number;
}

/** Rows of logits [vocabSize] of a chunk's tokens from index `from` on, in an empty context. */
export type LogitRows = (chunk: readonly number[], from: number) => AsyncIterable<Float32Array>;

/**
 * Of each chunk the tokens ctx / 2 .. ctx - 2 are scored, each by what it predicts for the next: 255 for 512. What is
 * left after the last whole chunk is not used.
 *
 * @param ids the whole text, its beginning-of-text token in front if the model adds one
 * @param options ctx: tokens of a chunk, 4 at least; where addsBos, bosId takes the place of each chunk's first token
 * @param onProgress after each chunk, in chunks
 * Throws "invalid-option" for a text of fewer than 2 ctx tokens; the signal's reason when it is aborted.
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
    let next = first;
    // Nobody asks what the last token predicts.
    for await (const logits of rows(chunk.slice(0, -1), first)) {
      sum -= logprob(logits, chunk[++next]!);
      tokens++;
    }
    if (next !== ctx - 1)
      throw new TernlightError('internal', `perplexity: got ${next - first} rows, expected ${ctx - 1 - first}`);
    onProgress?.(i + 1, chunks);
  }
  const nll = sum / tokens;
  return { nll, ppl: exp(nll), tokens };
}
