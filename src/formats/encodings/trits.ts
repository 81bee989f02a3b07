// Base-3 digits, five or four to a byte, as TQ1_0 and PTQ1_0 have them. A byte is a fraction in base 3: multiplying by
// 3 pushes the next digit out at the top. No byte can give a digit 3.

/** Digit n of byte i of a run of `count` goes to `out + n * count + i`. */
export function unpackTrits(
  source: DataView,
  from: number,
  count: number,
  digits: number,
  target: DataView,
  out: number,
): void {
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const four = source.getUint32(from + i, true);
    // Bytes 0, 2 and bytes 1, 3, each in a lane of 16 bits: 3 * 255 does not run over.
    let even = four & 0x00ff00ff;
    let odd = (four >>> 8) & 0x00ff00ff;
    for (let n = 0; n < digits; n++) {
      even = Math.imul(even, 3);
      odd = Math.imul(odd, 3);
      target.setUint32(out + n * count + i, ((even >>> 8) & 0x00030003) | (odd & 0x03000300), true);
      even &= 0x00ff00ff;
      odd &= 0x00ff00ff;
    }
  }
  for (; i < count; i++) {
    let byte = source.getUint8(from + i);
    for (let n = 0; n < digits; n++) {
      byte *= 3;
      target.setUint8(out + n * count + i, byte >> 8);
      byte &= 255;
    }
  }
}

/** The inverse; not 0 if one of the codes is above 2. */
export function packTrits(
  codes: Uint8Array,
  at: number,
  count: number,
  digits: number,
  bytes: Uint8Array,
  to: number,
): number {
  let wrong = 0;
  for (let i = 0; i < count; i++) {
    let value = 0;
    for (let n = 0; n < digits; n++) {
      const code = codes[at + n * count + i]!;
      wrong |= (code + 1) & 0x1fc; // 3 and more
      value = value * 3 + code;
    }
    // Four digits stand where five would, so that they come out at the top too.
    if (digits === 4) value *= 3;
    // value / 243 as a fraction of 256, rounded up: then every digit comes out whole.
    bytes[to + i] = (value * 256 + 242) / 243;
  }
  return wrong;
}
