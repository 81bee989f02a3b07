// A small seeded generator, so that every run of the tests sees the same numbers.

export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** Uniform in [0, 1), 32 bits: a Weyl sequence through a finaliser. */
  next(): number {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 4294967296;
  }

  /** An integer in [low, high]. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** Ternary weights -1, 0, +1. */
  weights(count: number): Int8Array<ArrayBuffer> {
    return Int8Array.from({ length: count }, () => this.int(-1, 1));
  }

  /** int8 values in [-127, 127]. */
  int8(count: number): Int8Array<ArrayBuffer> {
    return Int8Array.from({ length: count }, () => this.int(-127, 127));
  }

  /** f32 values in [-size, size). */
  f32(count: number, size = 1): Float32Array<ArrayBuffer> {
    return Float32Array.from({ length: count }, () => (this.next() * 2 - 1) * size);
  }

  /** f32 scales: positive, within a factor of 4 of `size`. */
  scales(count: number, size = 1): Float32Array<ArrayBuffer> {
    return Float32Array.from({ length: count }, () => size * 2 ** (this.next() * 4 - 2));
  }
}
