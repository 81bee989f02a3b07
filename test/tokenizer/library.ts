// The second oracle: the same vocabulary run by @huggingface/tokenizers, composed from the metadata of the file with
// patterns that are written out here again.

import { Tokenizer } from '@huggingface/tokenizers';
import type { Metadata } from '../../src/formats/types.ts';

const llama3 =
  "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const patterns: Record<string, string[]> = {
  'llama-bpe': [llama3],
  qwen2: [llama3.replace('\\p{N}{1,3}', '\\p{N}')],
  'gpt-2': [gpt2],
  falcon: ['[\\p{P}\\$\\+<=>\\^~\\|`]+', gpt2, '[0-9][0-9][0-9]'],
};

export interface Library {
  /** Special tokens in the text parsed, or, as for user text, the user-defined ones only. */
  encode(text: string, special: boolean): number[];
}

export function libraryTokenizer(metadata: Metadata): Library {
  const strings = metadata.strings('tokenizer.ggml.tokens')!;
  const types = metadata.integers('tokenizer.ggml.token_type')!;
  const tokens = Array.from({ length: strings.length }, (_, id) => strings.get(id));
  const vocab: Record<string, number> = Object.create(null);
  for (const [id, token] of tokens.entries()) vocab[token] ??= id;
  const added = (wanted: readonly number[]) =>
    tokens.flatMap((content, id) =>
      wanted.includes(types[id]!)
        ? [
            {
              id,
              content,
              special: types[id] !== 4,
              normalized: false,
              lstrip: false,
              rstrip: false,
              single_word: false,
            },
          ]
        : [],
    );
  const kind = metadata.string('tokenizer.ggml.model');
  const json = kind === 'llama' ? sentencePiece(metadata, tokens, types, vocab) : byteLevel(metadata, vocab);
  const config = { clean_up_tokenization_spaces: false };
  // The library can not be told to leave special tokens in a text alone: a second one that knows none of them.
  const full = new Tokenizer({ ...json, added_tokens: added([2, 3, 4]) } as never, config);
  const tiny = { ...json.model, vocab: { '<unk>': 0 }, merges: [] };
  const plain = new Tokenizer({ ...json, model: tiny, added_tokens: added([4]) } as never, config);
  (plain as unknown as { model: unknown }).model = (full as unknown as { model: unknown }).model;
  const options = { add_special_tokens: false };
  return {
    encode: (text, special) => (text === '' ? [] : (special ? full : plain).encode(text, options).ids),
  };
}

function byteLevel(metadata: Metadata, vocab: Record<string, number>) {
  const pre = metadata.string('tokenizer.ggml.pre')!;
  const list = metadata.strings('tokenizer.ggml.merges')!;
  const splits = patterns[pre]!.map((Regex) => ({
    type: 'Split',
    pattern: { Regex },
    behavior: 'Isolated',
    invert: false,
  }));
  const bytes = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
  return {
    normalizer: pre === 'qwen2' ? { type: 'NFC' } : null,
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [...splits, bytes] },
    model: {
      type: 'BPE',
      vocab,
      merges: Array.from({ length: list.length }, (_, i) => list.get(i)),
      ignore_merges: pre === 'llama-bpe',
      byte_fallback: false,
    },
  };
}

function sentencePiece(metadata: Metadata, tokens: string[], types: Int32Array, vocab: Record<string, number>) {
  const scores = metadata.floats('tokenizer.ggml.scores')!;
  const merges: { score: number; left: number; right: number; parts: [string, string] }[] = [];
  for (const [id, token] of tokens.entries()) {
    if (types[id] !== 1) continue;
    const characters = [...token];
    for (let cut = 1; cut < characters.length; cut++) {
      const parts: [string, string] = [characters.slice(0, cut).join(''), characters.slice(cut).join('')];
      const [left, right] = [vocab[parts[0]], vocab[parts[1]]];
      if (left !== undefined && right !== undefined) merges.push({ score: scores[id]!, left, right, parts });
    }
  }
  merges.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right);
  return {
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: { type: 'Split', pattern: { Regex: '▁*[^▁]+|▁+' }, behavior: 'Isolated', invert: false },
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      vocab,
      merges: merges.map(({ parts }) => parts),
      unk_token: '<unk>',
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
    },
  };
}
