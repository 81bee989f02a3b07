// Words out of bytes that may start anywhere, and four codes at a time in one.

/** The first `count` little-endian u16 of `bytes`; a view where they are aligned, else a copy. */
export function asUint16(bytes: Uint8Array, count: number): Uint16Array {
  if (bytes.byteOffset % 2 === 0) return new Uint16Array(bytes.buffer, bytes.byteOffset, count);
  return new Uint16Array(bytes.slice(0, count * 2).buffer);
}

/** Not 0 if one of the four bytes is above 2. */
export function notTernary(four: number): number {
  return (four & 0xfcfcfcfc) | (four & (four >>> 1) & 0x01010101);
}
