// Random numbers that depend on the seed only. Knows nothing of tokens.

/** xoshiro128** (Blackman and Vigna, 2018), its state filled from the seed by a 32-bit mixer. */
export class Random {
  readonly #state = new Uint32Array(4);

  /** @param seed integer 0 .. 2^53-1 */
  constructor(seed: number) {
    const low = seed >>> 0;
    const high = Math.floor(seed / 2 ** 32);
    for (let i = 0; i < 4; i++) this.#state[i] = mix(mix(low + Math.imul(i + 1, 0x9e3779b9)) ^ (high + i));
    // The one state that would give zeros for ever.
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  /** 0 <= x < 1, a multiple of 2^-53. */
  next(): number {
    return ((this.#word() >>> 5) * 2 ** 26 + (this.#word() >>> 6)) / 2 ** 53;
  }

  #word(): number {
    const s = this.#state;
    const result = Math.imul(rotate(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotate(s[3]!, 11);
    return result;
  }
}

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** A bijection of 32-bit integers in which each bit of the argument moves half of the result's. */
function mix(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}
