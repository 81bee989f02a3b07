// Sound files and unsound ones: each trap by the finding that names it.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { bitnetChatTemplate } from '../../src/convert/bitnet.ts';
import { encodingByName } from '../../src/formats/encodings/index.ts';
import { readGguf } from '../../src/formats/gguf.ts';
import type { MetadataItem } from '../../src/formats/gguf-write.ts';
import { type MetadataEntry, MetadataMap } from '../../src/formats/metadata.ts';
import { syntheticModel } from '../../src/formats/synthetic.ts';
import type { ModelFile } from '../../src/formats/types.ts';
import { packagedModel } from '../../src/index.ts';
import { openModel } from '../../src/open.ts';
import { currentPlatform } from '../../src/platform/current.ts';
import type { Finding } from '../../src/verify/finding.ts';
import { type VerifyOptions, verifyModel } from '../../src/verify/verify.ts';
import {
  converted,
  llamaKeys,
  makeGguf,
  matrix,
  modelFile,
  oneMatrix,
  someCodes,
  tensorOf,
} from '../convert/helpers.ts';
import { hasTruth, truthPath } from '../truth.ts';

const packaged = new Uint8Array(readFileSync(fileURLToPath(packagedModel)));

/** "warning tokenizer.ggml.pre: is missing ...", of the findings whose place matches. */
async function findings(file: ModelFile | Uint8Array, where: RegExp, options?: VerifyOptions): Promise<string[]> {
  const model = file instanceof Uint8Array ? await modelFile(file) : file;
  const all = (await verifyModel(model, options)).findings;
  return all.filter((finding) => where.test(finding.where)).map(textOf);
}

function textOf({ level, where, what, cure }: Finding): string {
  return `${level} ${where}: ${what}${cure ? `; ${cure}` : ''}`;
}

/** The packaged model with other keys, undefined for those to drop: its tensors and tokenizer are sound. */
async function withKeys(changes: Record<string, string | undefined>): Promise<ModelFile> {
  const file = await modelFile(packaged);
  const old = file.metadata as MetadataMap;
  const entries = new Map<string, MetadataEntry>();
  for (const key of old.keys) entries.set(key, { type: old.type(key)!, value: old.raw(key)! });
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) entries.delete(key);
    else entries.set(key, { type: 'string', value });
  }
  return { ...file, metadata: new MetadataMap(entries) };
}

describe('a sound file', () => {
  it('has notes at most', async () => {
    const report = await verifyModel(await modelFile(packaged));
    expect(report.findings.map(textOf)).toEqual([
      'note tokenizer.chat_template: is missing: a base model, which continues texts',
    ]);
    expect(report).toMatchObject({ format: 'GGUF v3', architecture: 'bitnet-b1.58', i2s: undefined });
    expect(report.encodings.map(({ name, tensors }) => [name, tensors])).toEqual([
      ['TQ2_0', 35],
      ['Q8_0', 1],
      ['F32', 21],
    ]);
    expect(report.zeroShare).toBeCloseTo(0.328, 2);
  });

  it('is read once, with progress, and not at all with quick', async () => {
    const file = await modelFile(packaged);
    const total = file.tensors.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    const progress: [number, number][] = [];
    const { checkedBytes } = await verifyModel(file, { onProgress: (done, of) => progress.push([done, of]) });
    expect(checkedBytes).toBe(total);
    expect(progress.at(-1)).toEqual([total, total]);
    for (const [i, [done]] of progress.entries()) expect(done).toBeGreaterThanOrEqual(progress[i - 1]?.[0] ?? 0);
    const source = { ...file.source, read: () => Promise.reject(new Error('it was read')) };
    expect(await verifyModel({ ...file, source }, { quick: true })).toMatchObject({
      checkedBytes: 0,
      zeroShare: undefined,
    });
  });

  it('is recognised by its shape', async () => {
    const { resembles, vocabulary } = await verifyModel(await readGguf(syntheticModel('bitnet-2b-4t')), {
      quick: true,
    });
    expect({ resembles, vocabulary }).toEqual({ resembles: 'BitNet b1.58 2B-4T', vocabulary: 'Llama-3' });
  });

  it('can be of any kind', async () => {
    for (const name of ['models/qwen3-bin-bpe2k.Q1_0.gguf', 'models/llama-spm512.TQ1_0.gguf', 'bitmamba/bm256.bin']) {
      if (!hasTruth(`truth/${name}`, name)) continue;
      const { file, close } = await openModel(truthPath(`truth/${name}`), currentPlatform());
      const { findings } = await verifyModel(file);
      expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
      await close();
    }
  });

  it('stops being read when it is told to', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const run = verifyModel(await modelFile(packaged), {
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(run).rejects.toBe(reason);
  });
});

describe('structure', () => {
  it('that is not a whole model', async () => {
    expect(await findings(makeGguf(llamaKeys, [matrix('TQ2_0', [256, 256], 1)]), /^file$/)).toEqual([
      'error file: model: tensor token_embd.weight is missing; a vocabulary-only file can only tokenize',
    ]);
    const file = await modelFile(packaged);
    const tensors = file.tensors.filter(({ name }) => name !== 'blk.3.ffn_down.weight');
    expect(await findings({ ...file, tensors }, /^file$/)).toEqual([
      'error file: model: tensor blk.3.ffn_down.weight is missing, expected shape [768, 512]',
      'warning file: there is data that belongs to no tensor between 1 of them; convert it anew',
    ]);
  });

  it('with something behind it', async () => {
    const longer = new Uint8Array(packaged.length + 5000);
    longer.set(packaged);
    expect(await findings(longer, /^file$/)).toEqual([
      'warning file: 5000 bytes follow the last tensor, expected padding at most; download it again',
    ]);
  });

  it('of an unknown architecture', async () => {
    const file = await withKeys({ 'general.architecture': 'gpt5' });
    expect(await findings(file, /^file$/, { quick: true })).toEqual([
      expect.stringMatching(/^error file: model: architecture "gpt5" is not known/),
    ]);
  });

  it('of a vocabulary only', async () => {
    const vocabulary = makeGguf([['general.architecture', 'string', 'llama']], []);
    expect(await findings(vocabulary, /^file$/)).toEqual([
      'note file: it has no tensors: a vocabulary, which can only tokenize',
    ]);
  });

  it('whose dialect matters elsewhere', async () => {
    const name = 'truth/models/qwen3-bpe2k.Q2_0_g128.gguf';
    if (!hasTruth(name, 'a file of PrismML')) return;
    const file = await modelFile(new Uint8Array(readFileSync(truthPath(name))));
    expect(await findings(file, /^Q2_0/, { quick: true })).toEqual([
      expect.stringMatching(/^note Q2_0 \(128\): 14 tensors: groups of 128, PrismML's first form;/),
    ]);
    const rows = oneMatrix('I2_S', [192, 2], 1);
    expect(await findings(rows, /^blk/)).toEqual([
      'note blk.0.attn_q.weight: I2_S with rows that are no multiple of 128: right here, wrong in the kernels of bitnet.cpp',
    ]);
  });
});

describe('hyper-parameters', () => {
  const llama3Tokens: MetadataItem[] = [
    ['tokenizer.ggml.model', 'string', 'gpt2'],
    [
      'tokenizer.ggml.tokens',
      'string[]',
      Array.from({ length: 128256 }, (_, id) => (id === 128000 ? '<|begin_of_text|>' : `t${id}`)),
    ],
  ];
  const qwen3Tokens: MetadataItem[] = [
    ['tokenizer.ggml.model', 'string', 'gpt2'],
    [
      'tokenizer.ggml.tokens',
      'string[]',
      Array.from({ length: 151669 }, (_, id) => ({ 151644: '<|im_start|>', 151667: '<think>' })[id] ?? `t${id}`),
    ],
  ];
  const falcon3: MetadataItem[] = [
    ['tokenizer.ggml.tokens', 'string[]', ['a']],
    ['tokenizer.ggml.pre', 'string', 'falcon3'],
  ];
  const base = (value: number | undefined, tokens: MetadataItem[]) =>
    makeGguf(
      [
        ...llamaKeys,
        ...(value === undefined ? [] : [['llama.rope.freq_base', 'f32', value] as MetadataItem]),
        ...tokens,
      ],
      [],
    );

  it.each([
    ['Llama-3', llama3Tokens, '500000', [500000]],
    ['Falcon3', falcon3, '1000042', [1000042]],
    ['Qwen3', qwen3Tokens, '1000000 or 5000000', [1e6, 5e6]],
  ] as const)('rope base of the %s vocabulary', async (name, tokens, expected, right) => {
    const at = /rope\.freq_base/;
    const wrong = `expected ${expected} with the ${name} vocabulary`;
    expect(await findings(base(undefined, [...tokens]), at)).toEqual([
      `warning llama.rope.freq_base: is missing, which means 10000, ${wrong}; answers get worse with every position; convert the model anew, or set the key`,
    ]);
    expect(await findings(base(10000, [...tokens]), at)).toEqual([
      expect.stringMatching(`^warning llama\\.rope\\.freq_base: is 10000, ${wrong}`),
    ]);
    expect(await findings(base(250000, [...tokens]), at)).toEqual([`note llama.rope.freq_base: is 250000, ${wrong}`]);
    for (const value of right) expect(await findings(base(value, [...tokens]), at)).toEqual([]);
    expect(await findings(base(10000, [['tokenizer.ggml.tokens', 'string[]', ['a']]]), at)).toEqual([]);
  });

  it('YaRN without the length before', async () => {
    const yarn: MetadataItem[] = [['llama.rope.scaling.type', 'string', 'yarn']];
    const at = /original_context_length/;
    expect(await findings(makeGguf([...llamaKeys, ...yarn], []), at)).toHaveLength(1);
    yarn.push(['llama.rope.scaling.original_context_length', 'u32', 8192]);
    expect(await findings(makeGguf([...llamaKeys, ...yarn], []), at)).toEqual([]);
  });

  it('2B-4T as bitnet without its activation', async () => {
    const keys: MetadataItem[] = [['general.architecture', 'string', 'bitnet']];
    const shape = (dims: number[]) => [
      { name: 'token_embd.weight', dims, encoding: encodingByName('Q6_K')!, offsetBytes: 0, lengthBytes: 0 },
    ];
    const file = async (more: MetadataItem[], dims = [2560, 128256]) => ({
      ...(await modelFile(makeGguf([...keys, ...more], []))),
      tensors: shape(dims),
    });
    const at = /hidden_activation/;
    const quick = { quick: true };
    expect(await findings(await file([]), at, quick)).toEqual([
      expect.stringMatching(/^error bitnet\.hidden_activation: is missing, which means SiLU, .* needs "relu2"; /),
    ]);
    expect(await findings(await file([['bitnet.hidden_activation', 'string', 'relu2']]), at, quick)).toEqual([]);
    expect(await findings(await file([], [1536, 32002]), at, quick)).toEqual([]);
  });

  it('eps, context length and file type that cannot be', async () => {
    const keys = llamaKeys.filter(([key]) => !/epsilon|context/.test(key));
    const odd: MetadataItem[] = [
      ['llama.attention.layer_norm_rms_epsilon', 'f32', 0.5],
      ['llama.context_length', 'u32', 8],
      ['general.file_type', 'u32', 40],
    ];
    const file = makeGguf([...keys, ...odd], [matrix('TQ2_0', [256, 2], 1)]);
    expect(await findings(file, /epsilon/)).toEqual([
      'warning llama.attention.layer_norm_rms_epsilon: is 0.5, expected 1e-6 to 1e-5',
    ]);
    expect(await findings(file, /context_length/)).toEqual([
      'warning llama.context_length: is 8, expected hundreds of tokens at least',
    ]);
    expect(await findings(file, /file_type/)).toEqual([
      'note general.file_type: is 40 (I2_S or Q1_0), but no tensor is of that type',
    ]);
  });
});

describe('tokenizer', () => {
  const quick = { quick: true };

  it('that is missing or does not fit together', async () => {
    expect(await findings(makeGguf(llamaKeys, []), /^tokenizer/)).toEqual([
      'warning tokenizer.ggml.model: is missing: the model can be run by token ids only; get a file with a tokenizer',
    ]);
    expect(await findings(await withKeys({ 'tokenizer.ggml.merges': undefined }), /^tokenizer/, quick)).toEqual([
      'error tokenizer: tokenizer: tokenizer.ggml.merges is missing',
    ]);
  });

  it('without its pre-tokenizer', async () => {
    const pre = 'tokenizer.ggml.pre';
    expect(await findings(await withKeys({ [pre]: undefined }), /pre$/, quick)).toEqual([
      'warning tokenizer.ggml.pre: is missing; llama-bpe is used here, other engines split a fifth of all texts wrongly; ternlight convert adds it',
    ]);
    const falconE = await withKeys({ [pre]: 'falcon_e' });
    expect(await findings(falconE, /pre$/, quick)).toEqual([
      'note tokenizer.ggml.pre: is falcon_e, which llama.cpp does not know; ternlight convert calls it llama-bpe',
    ]);
  });

  it('without its ends', async () => {
    const at = /eos_token_id/;
    expect(await findings(await withKeys({ 'tokenizer.ggml.eos_token_id': undefined }), at, quick)).toEqual([
      expect.stringMatching(
        /^warning tokenizer\.ggml\.eos_token_id: (is missing; other engines take token 11|nothing says)/,
      ),
    ]);
  });

  it('of another length than the embedding', async () => {
    const file = await modelFile(packaged);
    const resized = (rows: number) => ({
      ...file,
      tensors: file.tensors.map((info) => (info.name === 'token_embd.weight' ? { ...info, dims: [512, rows] } : info)),
    });
    expect(await findings(resized(2080), /tokens$/, quick)).toEqual([
      'note tokenizer.ggml.tokens: has 2048 tokens, the embedding 2080 rows: the last rows are padding',
    ]);
    expect(await findings(resized(2000), /tokens$/, quick)).toEqual([
      expect.stringMatching(
        /^warning tokenizer\.ggml\.tokens: has 2048 tokens, the embedding 2000 rows: the last tokens have no embedding/,
      ),
    ]);
  });

  it("with a chat template that is not the model's own", async () => {
    const template = (text: string) => withKeys({ 'tokenizer.chat_template': text });
    expect(await findings(await template("{{ 'BITNETAssistant: ' }}"), /chat_template/, quick)).toEqual([
      expect.stringMatching(/^warning tokenizer\.chat_template: is "Human: .*; ternlight convert replaces it$/),
    ]);
    expect(await findings(await template(bitnetChatTemplate), /chat_template/, quick)).toEqual([]);
  });

  it('of Llama-3 whose end of turn no key tells', async () => {
    const name = 'truth/tokenizers/llama-3-128256.vocab.gguf';
    if (!hasTruth(name, "Llama-3's vocabulary")) return;
    const file = await modelFile(new Uint8Array(readFileSync(truthPath(name))));
    const { metadata } = file;
    const chat = {
      ...file,
      metadata: Object.assign(Object.create(metadata), {
        string: (key: string) => (key === 'tokenizer.chat_template' ? 'x' : metadata.string(key)),
        integer: (key: string) => (/e(os|ot|om)_token_id/.test(key) ? 128001 : metadata.integer(key)),
      }),
    };
    expect(await findings(chat, /eot_token_id/)).toEqual([
      expect.stringMatching(
        /^note tokenizer\.ggml\.eot_token_id: turns end with <\|eot_id\|> \(128009\), which no key says/,
      ),
    ]);
  });
});

describe('data', () => {
  const at = /^(blk|token_embd|output)/;
  const error = (bytes: Uint8Array) => findings(bytes, at);

  it('with a code 3', async () => {
    const file = await modelFile(packaged);
    const { offsetBytes } = tensorOf(file, 'blk.2.ffn_up.weight');
    const copy = packaged.slice();
    copy[offsetBytes + 660] = 0xff;
    expect(await error(copy)).toEqual([
      expect.stringMatching(/^error blk\.2\.ffn_up\.weight: TQ2_0: the data holds a code 3, expected 0, 1 or 2/),
    ]);
  });

  it('with scales and numbers that are none, many at once', async () => {
    const file = await modelFile(packaged);
    const copy = packaged.slice();
    const view = new DataView(copy.buffer);
    for (const { offsetBytes, encoding } of file.tensors) {
      if (encoding.name === 'TQ2_0') view.setUint16(offsetBytes + 64, 0x7e00, true);
      if (encoding.name === 'F32') view.setFloat32(offsetBytes, Number.POSITIVE_INFINITY, true);
    }
    const found = await error(copy);
    expect(found).toHaveLength(2);
    expect(found[0]).toMatch(/and 16 more: it holds numbers that are infinite or none$/);
    expect(found[1]).toMatch(
      /^error .*blk\.0.* and 30 more: TQ2_0: the data holds a scale that is infinite or not a number/,
    );
  });

  it('with scales that are 0 or below', async () => {
    const codes = someCodes(512);
    expect(await error(oneMatrix('TQ2_0', [256, 2], [0, 1], codes))).toEqual([
      'warning blk.0.attn_q.weight: some scales are 0 although their codes are not: those weights are lost',
    ]);
    expect(await error(oneMatrix('TQ2_0', [256, 2], [0, 0], codes))).toEqual([
      'warning blk.0.attn_q.weight: all weights are 0; download the file again, or convert the model anew',
    ]);
    expect(await error(oneMatrix('TQ2_0', [256, 2], [1, 1], codes.fill(1)))).toEqual([
      'warning blk.0.attn_q.weight: all weights are 0; download the file again, or convert the model anew',
    ]);
    expect(await error(oneMatrix('I2_S', [256, 2], -0.5))).toEqual([
      'warning blk.0.attn_q.weight: some scales are below 0, which no known writer makes',
    ]);
    // Blocks of zeros have no scale that matters.
    const half = Uint8Array.from([...someCodes(256), ...new Uint8Array(256).fill(1)]);
    expect(await error(oneMatrix('TQ2_0', [256, 2], [1, 0], half))).toEqual([]);
  });

  it('with a tensor scale that is none', async () => {
    const bytes = oneMatrix('I2_S', [256, 2], 0.5);
    new DataView(bytes.buffer).setFloat32(bytes.length - 32, Number.NaN, true);
    expect(await error(bytes)).toEqual([
      expect.stringMatching(/^error blk\.0\.attn_q\.weight: I2_S: the tensor's scale is NaN/),
    ]);
  });

  it('of a conversion is sound', async () => {
    for (const ternary of ['TQ1_0', 'I2_S'] as const) {
      const { bytes } = await converted(packaged, { ternary });
      expect(await findings(bytes, /^blk|^file/)).toEqual([]);
    }
  });
});
