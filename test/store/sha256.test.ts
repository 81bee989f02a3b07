// SHA-256 against Node's own.
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { sha256, sha256Hex } from '../../src/store/sha256.ts';

it('is that of every length around the blocks, however the bytes come', () => {
  const bytes = new Uint8Array(300).map((_, i) => (i * 37) ^ 91);
  for (let length = 0; length <= bytes.length; length++) {
    for (const step of [1, 7, 64, 300]) {
      const hash = sha256();
      for (let at = 0; at < length; at += step) hash.update(bytes.subarray(at, Math.min(length, at + step)));
      expect(hash.digest()).toBe(createHash('sha256').update(bytes.subarray(0, length)).digest('hex'));
    }
  }
});

it('is that of many bytes, and of text', () => {
  const bytes = new Uint8Array(3_000_001).map((_, i) => (i * i) >> 3);
  const hash = sha256();
  hash.update(bytes);
  expect(hash.digest()).toBe(createHash('sha256').update(bytes).digest('hex'));
  expect(sha256Hex('Grüße')).toBe(createHash('sha256').update('Grüße').digest('hex'));
});
