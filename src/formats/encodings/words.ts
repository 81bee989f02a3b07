// 16-bit words out of bytes that may start anywhere.

/** The first `count` little-endian u16 of `bytes`; a view where they are aligned, else a copy. */
export function asUint16(bytes: Uint8Array, count: number): Uint16Array {
  if (bytes.byteOffset % 2 === 0) return new Uint16Array(bytes.buffer, bytes.byteOffset, count);
  return new Uint16Array(bytes.slice(0, count * 2).buffer);
}
