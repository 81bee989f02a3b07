import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { chatFormNames } from '../../src/generate/chat-forms.ts';
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
    expect(stderr).toMatch(/^ternlight: .*template.*--chat-template.*\n$/);
  });

  it('takes a form by name or the Jinja text of a file', async () => {
    const asked = async (template: string, model: string[] = []) =>
      runCli(['chat', ...model, '-t', '1', '--temp', '0', '-n', '6', '--json', '--chat-template', template], {
        stdin: 'Hello\n',
      });
    const model = await load(undefined, { threads: 1 });
    const expected = async (template: string) => {
      const options = { temperature: 0, maxTokens: 6, template };
      const summary = await model.chat([{ role: 'user', content: 'Hello' }], options).summary();
      return { text: summary.text, promptTokens: summary.promptTokens };
    };
    const jinja = join(folder, 'own.jinja');
    writeFileSync(jinja, "\ufeff{% for m in messages %}{{ m.content ~ ' said ' }}{% endfor %}\n");
    for (const [template, same] of [
      ['question', 'question'],
      ['falcon-e-plain', 'falcon-e-plain'],
      [jinja, "{{ messages[0].content ~ ' said ' }}"],
    ] as const) {
      const { code, stdout } = await asked(template);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject(await expected(same));
    }
    await model.dispose();
    expect((await asked('file', ['-m', file])).code).toBe(0);
    writeFileSync(jinja, `{{ 1 }}${'x'.repeat(1e6)}`);
    expect((await asked(jinja)).stderr).toMatch(/^ternlight: chat template that was given: it has 262\d+ characters, /);
    writeFileSync(jinja, 'Hello');
    expect(await asked(jinja)).toMatchObject({ code: 2, stdout: '' });
  });

  it.each([
    ['llama3', '--chat-template: got "llama3": no such name or file; did you mean llama-3?'],
    [
      '/nowhere/x.jinja',
      '--chat-template: got "/nowhere/x.jinja": no such name or file, expected file, bitnet-2b-4t, ',
    ],
    [folder, `--chat-template: got "${folder}": `],
  ])('refuses the form %s', async (template, message) => {
    const { code, stdout, stderr } = await runCli(['chat', '-m', '/nowhere/x.gguf', '--chat-template', template]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`ternlight chat: ${message}`);
  });

  it('tells the names in its help', async () => {
    const { stdout } = await runCli(['chat', '--help']);
    expect(stdout.replace(/\s+/g, ' ')).toContain(`: file, ${chatFormNames.join(', ')}, or a file of Jinja text`);
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
