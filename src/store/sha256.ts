// SHA-256 of bytes as they come (FIPS 180-4): crypto.subtle wants them all at once.

export interface Hasher {
  update(bytes: Uint8Array): void;
  /** 64 hexadecimal digits; ends the hash. */
  digest(): string;
}

/** The first 32 bits of the fractional parts of the cube (3) or square (2) roots of the first primes. */
function roots(count: number, degree: number): Uint32Array {
  const out = new Uint32Array(count);
  for (let n = 2, i = 0; i < count; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (prime) out[i++] = (n ** (1 / degree) % 1) * 2 ** 32;
  }
  return out;
}

const rotate = (x: number, bits: number) => (x >>> bits) | (x << (32 - bits));
const blockBytes = 64;

export function sha256(): Hasher {
  const k = roots(64, 3);
  const state = roots(8, 2);
  const w = new Int32Array(64);
  const rest = new Uint8Array(blockBytes);
  let restBytes = 0;
  let totalBytes = 0;

  function block(bytes: Uint8Array, at: number): void {
    for (let i = 0; i < 16; i++, at += 4)
      w[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15]!;
      const y = w[i - 2]!;
      const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
      const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
      w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as number[] as [number, ...number[]] & number[];
    for (let i = 0; i < 64; i++) {
      const s1 = rotate(e!, 6) ^ rotate(e!, 11) ^ rotate(e!, 25);
      const t1 = (h! + s1 + ((e! & f!) ^ (~e! & g!)) + k[i]! + w[i]!) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const t2 = (s0 + ((a & b!) ^ (a & c!) ^ (b! & c!))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d! + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    [a, b!, c!, d!, e!, f!, g!, h!].forEach((x, i) => {
      state[i] = state[i]! + x;
    });
  }

  function update(bytes: Uint8Array): void {
    totalBytes += bytes.length;
    let at = 0;
    if (restBytes > 0) {
      at = Math.min(blockBytes - restBytes, bytes.length);
      rest.set(bytes.subarray(0, at), restBytes);
      restBytes += at;
      if (restBytes < blockBytes) return;
      block(rest, 0);
    }
    for (; at + blockBytes <= bytes.length; at += blockBytes) block(bytes, at);
    rest.set(bytes.subarray(at));
    restBytes = bytes.length - at;
  }

  return {
    update,
    digest() {
      const bits = totalBytes * 8;
      // 0x80, zeros up to 8 bytes before the end of a block, the length in bits.
      const tail = new Uint8Array(((restBytes + 9 + 63) & ~63) - restBytes);
      tail[0] = 0x80;
      const view = new DataView(tail.buffer);
      view.setUint32(tail.length - 8, bits / 2 ** 32);
      view.setUint32(tail.length - 4, bits);
      update(tail);
      return Array.from(state, (x) => x.toString(16).padStart(8, '0')).join('');
    },
  };
}

/** Of a text's UTF-8. */
export function sha256Hex(text: string): string {
  const hash = sha256();
  hash.update(new TextEncoder().encode(text));
  return hash.digest();
}
