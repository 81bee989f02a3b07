// The alphabet of byte-level BPE: each byte has one printable character, so that vocabularies and merges are plain
// text without spaces. Knows nothing of tokens. Source: openai/gpt-2, src/encoder.py.

const codeOfByte = new Uint16Array(256);
const byteOfCode = new Int16Array(0x144).fill(-1);

let nextCode = 0x100;
for (let byte = 0; byte < 256; byte++) {
  const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  const code = printable ? byte : nextCode++;
  codeOfByte[byte] = code;
  byteOfCode[code] = byte;
}

/**
 * Writes to `out` at `outBytes` the bytes that text in this alphabet (UTF-8, from `begin` to `end`) stands for.
 * @returns how many bytes were written, -1 if the text has a character that is not in the alphabet
 */
export function fromAlphabet(text: Uint8Array, begin: number, end: number, out: Uint8Array, outBytes: number): number {
  let to = outBytes;
  for (let at = begin; at < end; at++) {
    let code = text[at]!;
    // Every character of the alphabet is one or two bytes of UTF-8; 0 is none.
    if (code > 0x7f) {
      const follower = text[++at] ?? 0;
      code = code >= 0xc2 && code <= 0xc5 && follower >> 6 === 2 ? ((code & 31) << 6) | (follower & 63) : 0;
    }
    const byte = code < byteOfCode.length ? byteOfCode[code]! : -1;
    if (byte < 0) return -1;
    out[to++] = byte;
  }
  return to - outBytes;
}

/** The inverse. */
export function toAlphabet(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(codeOfByte[byte]!);
  return text;
}
