// The likeliest tokens of a row of logits, in order, without sorting the vocabulary.

/** Ids by falling logit, the lower id first on ties. */
export function topTokens(logits: Float32Array, limit: number, count: number): number[] {
  const heap = new Int32Array(Math.min(count, limit));
  let size = 0;
  /** Whether a belongs below b: the heap's root is the worst that is kept. */
  const worse = (a: number, b: number) => logits[a]! < logits[b]! || (logits[a] === logits[b] && a > b);
  const sink = (from: number) => {
    let i = from;
    const id = heap[i]!;
    for (let child = 2 * i + 1; child < size; child = 2 * i + 1) {
      if (child + 1 < size && worse(heap[child + 1]!, heap[child]!)) child++;
      if (!worse(heap[child]!, id)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = id;
  };
  for (let id = 0; id < limit; id++) {
    if (size < heap.length) {
      heap[size++] = id;
      if (size === heap.length) for (let i = (size >> 1) - 1; i >= 0; i--) sink(i);
    } else if (logits[id]! > logits[heap[0]!]!) {
      heap[0] = id;
      sink(0);
    }
  }
  return Array.from(heap).sort((a, b) => (worse(a, b) ? 1 : -1));
}
