// UTF-8 that arrives in pieces. Knows nothing of tokens.

const encoder = new TextEncoder();
// A leading U+FEFF is text like any other here; a decoder that eats it breaks the tokens that are or hold one.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const noBytes = new Uint8Array(0);

/** Lone surrogates become U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Invalid bytes become U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Gives out whole characters only. The texts joined are what `decodeUtf8` makes of the bytes joined. */
export class Utf8Stream {
  private held = noBytes;

  push(bytes: Uint8Array): string {
    let all = bytes;
    if (this.held.length > 0) {
      all = new Uint8Array(this.held.length + bytes.length);
      all.set(this.held);
      all.set(bytes, this.held.length);
    }
    const wholeBytes = all.length - unfinishedBytes(all);
    this.held = all.slice(wholeBytes);
    return wholeBytes > 0 ? decodeUtf8(all.subarray(0, wholeBytes)) : '';
  }

  /** What is held back, as U+FFFD. */
  end(): string {
    const rest = decodeUtf8(this.held);
    this.held = noBytes;
    return rest;
  }
}

/** How many bytes at the end may be the beginning of a character: 0 to 3. */
function unfinishedBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte < 0xc2 || byte > 0xf4 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return length > back ? back : 0;
  }
  return 0;
}
