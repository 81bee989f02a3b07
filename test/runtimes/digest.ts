// One number for all bits of a model's logits: SHA-256 over fixed tokens. Also sent into pages as text, so it may use
// nothing from outside.
import type { Model } from '../../src/index.ts';

export async function logitDigest(model: Model): Promise<string> {
  const ids = Array.from({ length: 150 }, (_, i) => (i * 37 + 11) % 2000);
  const parts: Uint8Array[] = [];
  for await (const row of model.logits(ids))
    parts.push(new Uint8Array(row.buffer, row.byteOffset, row.byteLength).slice());
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  return [...hash].map((b) => b.toString(16).padStart(2, '0')).join('');
}
