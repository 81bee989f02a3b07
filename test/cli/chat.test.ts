import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { load } from '../../src/index.ts';
import { modelWithTemplate, runCli } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'ternlight-chat-'));
const file = join(folder, 'chat.gguf');
writeFileSync(file, modelWithTemplate('{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}'));
afterAll(() => rmSync(folder, { recursive: true }));

const args = ['chat', '-m', file, '-t', '1', '--temp', '0', '-n', '8', '--system', 'Tell stories.'];

async function expectedAnswers(): Promise<string[]> {
  const model = await load(file, { threads: 1 });
  const options = { temperature: 0, maxTokens: 8 };
  const messages = [
    { role: 'system', content: 'Tell stories.' },
    { role: 'user', content: 'One day' },
  ];
  const first = (await model.chat(messages, options).summary()).text;
  messages.push({ role: 'assistant', content: first }, { role: 'user', content: 'Then' });
  const second = (await model.chat(messages, options).summary()).text;
  await model.dispose();
  return [first, second];
}

describe('chat', () => {
  it('answers line by line, with the conversation in mind', async () => {
    const [first, second] = await expectedAnswers();
    const plain = await runCli(args, { stdin: 'One day\n\n  \nThen\n' });
    expect(plain).toMatchObject({ code: 0, stdout: `${first}\n${second}\n` });
    const json = await runCli([...args, '--json'], { stdin: 'One day\r\nThen\n/exit\nnever\n' });
    expect(json.code).toBe(0);
    const answers = json.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(answers).toMatchObject([
      { text: first, stop: 'length' },
      { text: second, stop: 'length' },
    ]);
    expect(answers[0].ids).toHaveLength(8);
  });

  it('/clear forgets the conversation', async () => {
    const [first] = await expectedAnswers();
    const { stdout } = await runCli(args, { stdin: 'One day\n/clear\nOne day' });
    expect(stdout).toBe(`${first}\n${first}\n`);
  });

  it('says that a base model has no template', async () => {
    const { code, stdout, stderr } = await runCli(['chat', '-t', '1'], { stdin: 'Hello\n' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^ternlight: .*template.*\n$/);
  });

  it('asks on a terminal; Ctrl-C stops the answer, then ends the chat', async () => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    stdin.write('One day\r');
    let presses = 0;
    const { code, stdout, stderr } = await runCli(['chat', '-m', file, '-t', '1', '--seed', '3', '-c', '4096'], {
      ...{ stdin, stdoutTty: true, stderrTty: true },
      onOutput: (text, interrupt) => {
        if (presses === 0 && text.length > 20) {
          presses = 1;
          interrupt();
        } else if (presses === 1 && text.endsWith('\n')) {
          presses = 2;
          setTimeout(interrupt, 50); // when the next prompt is there
        }
      },
    });
    expect(code).toBe(130);
    expect(stdout).toMatch(/.{20}.*\n\n$/s);
    expect(stderr.match(/> /g)?.length).toBeGreaterThanOrEqual(2);
  });
});
