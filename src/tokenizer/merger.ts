// The heart of both kinds of BPE: join the adjacent pair of lowest rank, the leftmost of equals, until no pair joins.
// Knows neither tokens nor text; symbols are positions 0..count-1, a joined symbol keeps the position of its first.

/** The rank of two symbols that do not join. */
export const noMerge = 0x7fffffff;

export interface MergeRule {
  /** Rank of the pair of the symbols [left, right) and [right, end): positions, `end` is `count` after the last. */
  rank(left: number, right: number, end: number): number;
  /** Told when the pair at `left` is joined. */
  joined(left: number, rank: number): void;
}

/** Up to here looking through all pairs costs less than keeping a heap. */
const scanSymbols = 48;
const keptSymbols = 1024;
const positions = 2 ** 31;

export class Merger {
  private next = new Int32Array(keptSymbols);
  private previous = new Int32Array(keptSymbols);
  /** Of the pair that begins at each position. */
  private ranks = new Int32Array(keptSymbols);

  constructor(private readonly rule: MergeRule) {}

  /**
   * @param count at least 1; time is count * log(count)
   * @returns for each symbol that is left, where the next one begins: 0, next[0], next[next[0]] ... count. Valid until
   * the next call.
   */
  merge(count: number): Int32Array {
    if (count > keptSymbols || this.next.length > keptSymbols) {
      const symbols = Math.max(count, keptSymbols);
      this.next = new Int32Array(symbols);
      this.previous = new Int32Array(symbols);
      this.ranks = new Int32Array(symbols);
    }
    const { next, previous, ranks, rule } = this;
    for (let at = 0; at < count; at++) {
      next[at] = at + 1;
      previous[at] = at - 1;
      ranks[at] = at + 1 < count ? rule.rank(at, at + 1, at + 2) : noMerge;
    }
    if (count <= scanSymbols) this.mergeByScan(count);
    else this.mergeByHeap(count);
    return next;
  }

  private mergeByScan(count: number): void {
    const { next, ranks } = this;
    for (;;) {
      let best = 0;
      for (let at = next[0]!; at < count; at = next[at]!) if (ranks[at]! < ranks[best]!) best = at;
      if (ranks[best] === noMerge) return;
      this.join(best, count);
    }
  }

  private mergeByHeap(count: number): void {
    const { previous, ranks } = this;
    // A key is rank and position in one double (below 2^53 up to 4 M ranks). Keys whose pair has changed since stay in
    // the heap and are passed over when they come up.
    const heap: number[] = [];
    const add = (at: number) => {
      if (at >= 0 && ranks[at] !== noMerge) pushKey(heap, ranks[at]! * positions + at);
    };
    for (let at = 0; at < count; at++) add(at);
    while (heap.length > 0) {
      const key = popKey(heap);
      const left = key % positions;
      if (ranks[left] !== (key - left) / positions) continue;
      this.join(left, count);
      add(left);
      add(previous[left]!);
    }
  }

  private join(left: number, count: number): void {
    const { next, previous, ranks, rule } = this;
    const right = next[left]!;
    const end = next[right]!;
    rule.joined(left, ranks[left]!);
    next[left] = end;
    ranks[right] = noMerge;
    if (end < count) previous[end] = left;
    ranks[left] = end < count ? rule.rank(left, end, next[end]!) : noMerge;
    const before = previous[left]!;
    if (before >= 0) ranks[before] = rule.rank(before, left, end);
  }
}

function pushKey(heap: number[], key: number): void {
  let at = heap.length;
  heap.push(key);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent]! <= key) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = key;
}

function popKey(heap: number[]): number {
  const first = heap[0]!;
  const key = heap.pop()!;
  const length = heap.length;
  if (length === 0) return first;
  let at = 0;
  for (let child = 1; child < length; child = at * 2 + 1) {
    if (child + 1 < length && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= key) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = key;
  return first;
}
