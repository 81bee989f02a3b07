// What the first bytes of a file look like: who reads it, and what to say of a file that nobody reads.

/** `start`: the first bytes, up to a few hundred. */
export function looksLike(start: Uint8Array): string {
  const text = String.fromCharCode(...start.subarray(0, 256));
  if (start.length === 0) return 'an empty file';
  if (start.every((byte) => byte === 0)) return 'zeros, perhaps a download that was never finished';
  if (text.startsWith('FUGG')) return 'a GGUF with its magic reversed';
  if (/^(lmgg|tjgg|fmgg|algg|ggml|ggjt|ggmf|ggla|GGML)/.test(text))
    return 'a GGML file from before GGUF; convert the model anew';
  if (text.startsWith('PK\x03\x04')) return 'a zip archive or a PyTorch checkpoint';
  if (text.startsWith('\x1f\x8b')) return 'a gzip file; unpack it first';
  if (text.startsWith('\x28\xb5\x2f\xfd')) return 'a zstd file; unpack it first';
  if (text.startsWith('\xfd7zXZ')) return 'an xz file; unpack it first';
  if (text.startsWith('7z\xbc\xaf')) return 'a 7-Zip archive; unpack it first';
  if (text.startsWith('\x80\x02') || text.startsWith('\x80\x04')) return 'a Python pickle or an old PyTorch checkpoint';
  if (text.startsWith('version https://git-lfs')) return 'a Git LFS pointer; fetch the file itself (git lfs pull)';
  if (/^(\xef\xbb\xbf)?\s*<(!doctype|html|head|body|\?xml|!--)/i.test(text))
    return 'a web page or XML, perhaps an error page; check the address';
  // safetensors: a u64 length of the JSON that follows
  if (text[8] === '{' && start[6] === 0 && start[7] === 0)
    return 'a safetensors file; give its repository: the folder or address that has config.json';
  if (/^\s*[{[]/.test(text)) return 'JSON, perhaps an error message; check the address';
  if (/^[\t\n\r -~]+$/.test(text)) return `text: ${JSON.stringify(text.slice(0, 40))}`;
  return `something else, beginning with ${[...start.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`;
}

/** Whether the first bytes of a file are those of a BitMamba .bin. */
export function isBitmamba(start: Uint8Array): boolean {
  return String.fromCharCode(...start.subarray(0, 4)) === '2TIB';
}

/** As isBitmamba, written by a big-endian machine. */
export function isReversedBitmamba(start: Uint8Array): boolean {
  return String.fromCharCode(...start.subarray(0, 4)) === 'BIT2';
}

/** A u64 length, below 2^32, of the JSON that follows. */
export function isSafetensors(start: Uint8Array): boolean {
  return start.length >= 9 && start[8] === 0x7b && start.subarray(4, 8).every((byte) => byte === 0);
}
