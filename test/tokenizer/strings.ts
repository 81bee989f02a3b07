// Random strings of what tokenizers stumble over.

import type { Random } from '../ref/random.ts';

const rows = [
  'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ',
  '0123456789٣४五Ⅷ²½',
  ' \t\n\r\v\f\u0085\u00a0\u1680\u2003\u2028\u3000\u200b\ufeff',
  '.,;:!?\'"`´^~|$+-=<>()[]{}#@&%*_/\\',
  'éüßøñÅſİıΩжщאبकでに日本語한국',
  '\u0301\u0308\u0327\u20dd\u0e31\u093f',
  '\u0000\u0001\u001f\u007f\u0080\u009f\u00ad\u2581\uffff\ufffd',
];
const whole = [
  ['😀', '👩‍👩‍👧‍👦', '🏳️‍🌈', '𝒳', '🇩🇪', '\ud800', '\udfff', '\udc00\ud800'],
  ["'s", "'RE", "'lL", "'\u017f", '  ', '\r\n', '\n\n\n', ' \n ', '<0x0A>', '<|', '|>', '▁▁'],
  [' the', ' and', ' of', 'ing', 'tion', ' 1234567', 'return ', ' été', ' naïve', 'Hello', ' world'],
  ['<|endoftext|>', '</s>', '<s>', '<unk>', '<|im_start|>', '<|eot_id|>', '<|begin_of_text|>', '<tool_call>'],
];
const pieces = [...rows.map((row) => [...row]), ...whole];

/** A string of up to `maxPieces` pieces. */
export function randomText(random: Random, maxPieces: number): string {
  let text = '';
  // A few rows a string: words, numbers and runs of space come to be.
  const chosen = Array.from({ length: random.int(1, 4) }, () => pieces[random.int(0, pieces.length - 1)]!);
  for (let left = random.int(0, maxPieces); left > 0; left--) {
    const row = chosen[random.int(0, chosen.length - 1)]!;
    const piece = row[random.int(0, row.length - 1)]!;
    text += random.next() < 0.1 ? piece.repeat(random.int(2, 12)) : piece;
  }
  return text;
}
