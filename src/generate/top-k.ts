// The k greatest of many numbers without sorting them all. Knows nothing of sampling.

/**
 * Ids of the k greatest of values[0 .. count), greatest first, the lower id first on ties. k <= count; no NaN.
 * A heap of the k best so far, its root the worst of them: most values fail one comparison with the root.
 */
export function likeliest(values: Float32Array, count: number, k: number): Int32Array {
  const heap = new Int32Array(k);
  for (let id = 0; id < k; id++) heap[id] = id;
  for (let at = (k >> 1) - 1; at >= 0; at--) sink(heap, k, at, values);
  let worst = values[heap[0]!]!;
  for (let id = k; id < count; id++) {
    // An equal value has a higher id than all in the heap, so it loses.
    if (values[id]! <= worst) continue;
    heap[0] = id;
    sink(heap, k, 0, values);
    worst = values[heap[0]!]!;
  }
  // The worst of those left goes to the end.
  for (let end = k - 1; end > 0; end--) {
    const id = heap[0]!;
    heap[0] = heap[end]!;
    heap[end] = id;
    sink(heap, end, 0, values);
  }
  return heap;
}

function sink(heap: Int32Array, length: number, at: number, values: Float32Array): void {
  const id = heap[at]!;
  const value = values[id]!;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= length) break;
    const right = child + 1;
    if (right < length && worse(heap[right]!, values[heap[right]!]!, heap[child]!, values[heap[child]!]!))
      child = right;
    if (!worse(heap[child]!, values[heap[child]!]!, id, value)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = id;
}

function worse(idA: number, valueA: number, idB: number, valueB: number): boolean {
  return valueA < valueB || (valueA === valueB && idA > idB);
}
