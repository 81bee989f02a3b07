// Merges that are nowhere written down: in a vocabulary whose tokens stand in the order in which merging made them, a
// token's two parts are what its bytes end as with the merges before its own.

/** Room for ids in a key; the caller has fewer tokens. */
const idSpan = 1 << 20;
const none = Number.POSITIVE_INFINITY;

/**
 * "left right" for each token that joins two earlier ones, in the order of ids.
 * @param texts in an alphabet of one character a byte; the first 256 are the bytes
 * @param takesPart whether an id from 256 on is an ordinary token
 */
export function mergesOf(texts: readonly string[], takesPart: (id: number) => boolean): string[] {
  const joiner = new Joiner(texts);
  const merges: string[] = [];
  for (let id = 256; id < texts.length; id++) {
    const parts = takesPart(id) ? joiner.parts(texts[id]!) : undefined;
    if (parts?.length !== 2) continue; // a token in between is lost, or it is no product of merging
    const [left, right] = parts as [number, number];
    joiner.add(left, right, id);
    merges.push(`${texts[left]} ${texts[right]}`);
  }
  return merges;
}

/** Byte-level BPE with the merges that are known so far. */
class Joiner {
  private readonly idOfChar = new Map<string, number>();
  /** left * idSpan + right -> the token they make, whose id is its rank. */
  private readonly products = new Map<number, number>();

  constructor(texts: readonly string[]) {
    for (let id = 0; id < 256; id++) this.idOfChar.set(texts[id]!, id);
  }

  add(left: number, right: number, product: number): void {
    this.products.set(left * idSpan + right, product);
  }

  /** The ids that a text in the byte alphabet ends as; undefined if it has another character. */
  parts(text: string): number[] | undefined {
    const ids: number[] = [];
    for (const char of text) {
      const id = this.idOfChar.get(char);
      if (id === undefined) return undefined;
      ids.push(id);
    }
    // joins[i]: what ids[i] and ids[i + 1] make.
    const joins = ids.map((_, i) => this.join(ids, i));
    for (;;) {
      let best = 0;
      for (let i = 1; i < joins.length; i++) if (joins[i]! < joins[best]!) best = i;
      const product = joins[best]!;
      if (product === none) return ids;
      ids.splice(best, 2, product);
      joins.splice(best, 1);
      joins[best] = this.join(ids, best);
      if (best > 0) joins[best - 1] = this.join(ids, best - 1);
    }
  }

  private join(ids: readonly number[], at: number): number {
    const right = ids[at + 1];
    if (right === undefined) return none;
    return this.products.get(ids[at]! * idSpan + right) ?? none;
  }
}
