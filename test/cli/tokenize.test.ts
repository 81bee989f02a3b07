import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../src/index.ts';
import { hasTruth, truthPath } from '../truth.ts';
import { runCli } from './harness.ts';

const tokenizer = await loadTokenizer();
const text = 'Once upon a time,\n“Lily” saw a 🦊.\u2028\n';

describe('tokenize', () => {
  it('takes --text or standard input as it is', async () => {
    const expected = { code: 0, stdout: `${JSON.stringify(tokenizer.encode(text))}\n`, stderr: '' };
    expect(await runCli(['tokenize', '--text', text])).toEqual(expected);
    expect(await runCli(['tokenize'], { stdin: text })).toEqual(expected);
    expect(await runCli(['tokenize', '--json'], { stdin: text })).toEqual(expected);
    const bom = '\ufeffOnce';
    expect(JSON.parse((await runCli(['tokenize'], { stdin: bom })).stdout)).toEqual(tokenizer.encode(bom));
  });

  it('takes --no-bos and --special', async () => {
    const end = tokenizer.token(tokenizer.eosId!)!;
    const ids = async (...args: string[]) => JSON.parse((await runCli(['tokenize', '--text', end, ...args])).stdout);
    expect(await ids('--special', '--no-bos')).toEqual([tokenizer.eosId]);
    expect(await ids('--special')).toEqual([tokenizer.bosId, tokenizer.eosId]);
    expect(await ids('--no-bos')).toEqual(tokenizer.encode(end, { bos: false }));
    expect(await ids('--no-bos')).not.toContain(tokenizer.eosId);
  });

  it('--jsonl: a JSON string a line in, an array of ids a line out', async () => {
    const texts = ['', 'Once', text, 'a\u2028b'];
    const { code, stdout } = await runCli(['tokenize', '--jsonl'], {
      stdin: texts.map((t) => JSON.stringify(t)).join('\r\n'),
    });
    expect(code).toBe(0);
    expect(stdout).toBe(texts.map((t) => `${JSON.stringify(tokenizer.encode(t))}\n`).join(''));
  });

  it('--jsonl: says which line is none', async () => {
    expect(await runCli(['tokenize', '--jsonl'], { stdin: '"a"\n["b"]\n' })).toEqual({
      code: 1,
      stdout: `${JSON.stringify(tokenizer.encode('a'))}\n`,
      stderr: 'ternlight: input: line 2 is ["b"], expected a JSON string\n',
    });
    expect((await runCli(['tokenize', '--jsonl', '--text', 'x'])).code).toBe(2);
  });

  it('refuses what is not UTF-8', async () => {
    const { Readable } = await import('node:stream');
    const stdin = Readable.from([Buffer.from([0x61, 0xff])]);
    expect(await runCli(['tokenize'], { stdin })).toMatchObject({
      code: 1,
      stderr: 'ternlight: input: it is not UTF-8 text\n',
    });
  });
});

describe('detokenize', () => {
  const ids = tokenizer.encode(text);

  it('takes --ids or a JSON array from standard input', async () => {
    expect(await runCli(['detokenize', '--ids', ids.join()])).toEqual({ code: 0, stdout: `${text}\n`, stderr: '' });
    expect((await runCli(['detokenize', '--json'], { stdin: JSON.stringify(ids) })).stdout).toBe(
      `${JSON.stringify(text)}\n`,
    );
    const special = await runCli(['detokenize', '--json', '--special', '--ids', ids.join()]);
    expect(JSON.parse(special.stdout)).toBe(tokenizer.decode(ids, { special: true }));
  });

  it('refuses what is no token', async () => {
    expect(await runCli(['detokenize', '--ids', `1,${tokenizer.vocabSize}`])).toMatchObject({ code: 2, stdout: '' });
    expect((await runCli(['detokenize'], { stdin: '["a"]' })).code).toBe(1);
  });
});

const vocabulary = 'truth/tokenizers/ggml-vocab-llama-spm.gguf';
describe.skipIf(!hasTruth(vocabulary, 'commands on a vocabulary-only file'))('a vocabulary-only file', () => {
  const model = ['-m', truthPath(vocabulary)];

  it('tokenizes and detokenizes', async () => {
    const { stdout } = await runCli(['tokenize', '--text', 'Hello world', ...model]);
    expect(stdout).toBe('[1,15043,3186]\n');
    expect((await runCli(['detokenize', ...model], { stdin: stdout })).stdout).toBe('Hello world\n');
  });

  it('is inspected, without a memory plan', async () => {
    const { code, stdout } = await runCli(['inspect', '--json', ...model]);
    expect(code).toBe(0);
    const inspection = JSON.parse(stdout);
    expect(inspection).toMatchObject({ architecture: 'llama', tensors: [], parameters: 0 });
    expect(inspection.memory).toBeUndefined();
    expect((await runCli(['inspect', ...model])).stdout).toMatch(/^memory +no plan/m);
  });

  it('does not run', async () => {
    expect((await runCli(['run', 'x', ...model])).code).toBe(1);
  });
});
