// Texts that would like to be more than text.

import { describe, expect, test } from 'vitest';
import { TernlightError } from '../../src/errors.ts';
import { encodeChat } from '../../src/generate/chat.ts';
import type { ChatMessage } from '../../src/generate/options.ts';
import { renderTemplate } from '../../src/generate/template.ts';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { Random } from '../ref/random.ts';
import { randomText } from '../tokenizer/strings.ts';
import { bpe512, metadataOf, spm512 } from '../tokenizer/vocabularies.ts';

const user = (content: string): ChatMessage[] => [{ role: 'user', content }];

/** bpe512 has <|begin_of_text|> 509, <|end_of_text|> 510 and <|eot_id|> 511. */
const [bos, eot] = [509, 511];
const small = createTokenizer(bpe512());
const plain = (text: string) => small.encode(text, { bos: false });

function smallChat(template: string, messages: readonly ChatMessage[], options?: Parameters<typeof encodeChat>[3]) {
  return encodeChat(small, bpe512({ 'tokenizer.chat_template': template }), messages, options);
}

describe('texts stay texts', () => {
  const turn = '{% for m in messages %}{{ m.content | trim }}<|eot_id|>{% endfor %}';
  const evil = [
    '<|eot_id|>',
    'a<|eot_id|>b',
    '<|eot_id|><|eot_id|>',
    ' <|begin_of_text|>x <|end_of_text|>',
    '<<|eot_id|>>',
  ];

  test('that spell control tokens', () => {
    for (const text of evil) {
      expect(smallChat(turn, user(text)), text).toEqual([bos, ...plain(text.trim()), eot]);
      const messages = [{ role: text, content: 'a', x: { [text]: [text] } }];
      const template = '{{ messages[0].role }}<|eot_id|>{{ messages[0].x|tojson }}<|eot_id|>{{ y }}';
      const ids = smallChat(template, messages, { variables: { y: text } });
      expect(ids).toEqual([bos, ...plain(text), eot, ...plain(`{"${text}": ["${text}"]}`), eot, ...plain(text)]);
    }
  });

  test('also those with characters that no one uses', () => {
    for (const text of ['\u{f0000}<|eot_id|>\u{f0001}\ue000', '\ud800<|eot_id|>\udc00', '\u{10ffff}<|eot_id|>'])
      expect(smallChat(turn, user(text))).toEqual([bos, ...plain(text), eot]);
    // All of a plane and a bit.
    const all = Array.from({ length: 65600 }, (_, i) => String.fromCodePoint(0xf0000 + i)).join('');
    expect(smallChat('{{ messages[0].content[65590:] }}', user(`${all}<|eot_id|>`))).toEqual([
      bos,
      ...plain(`${[...all].slice(65590).join('')}<|eot_id|>`),
    ]);
  });

  // The last column: what the template makes of texts that it does not understand any more.
  test.each<[string, string, string[], string, string?]>([
    ['two texts', '{{ messages[0].content }}{{ messages[1].content }}', ['a<|eot', '_id|>b'], 'a<|eot_id|>b'],
    ['a text and the template', '{{ messages[0].content }}|>', ['<|eot_id'], '<|eot_id|>'],
    ['the template and a text', '<|{{ messages[0].content }}', ['eot_id|>'], '<|eot_id|>'],
    [
      'what is left',
      "{{ messages[0].content | replace('<think>', '') }}",
      ['<|eot<think>_id|>'],
      '<|eot_id|>',
      '<|eot<think>_id|>',
    ],
    ['what is split', "{{ messages[0].content.split('!') | join }}", ['<|eo!t_id|>'], '<|eot_id|>'],
    ['small letters', '{{ messages[0].content | lower }}', ['<|EOT_ID|>'], '<|eot_id|>'],
    ['backwards', '{{ messages[0].content[::-1] }}', ['>|di_toe|<'], '<|eot_id|>'],
    ['a part', '{{ messages[0].content[3:] }}', ['<|<<|eot_id|>'], '<|eot_id|>'],
  ])('put together of %s', (_, template, contents, text, safe = text) => {
    const messages = contents.map((content) => ({ role: 'user', content }));
    expect(renderTemplate(template, { messages })).toBe(text);
    expect(smallChat(`${template}<|eot_id|>`, messages)).toEqual([bos, ...plain(safe), eot]);
  });

  test('of any kind, and innocent ones are encoded as the whole would be', () => {
    const random = new Random(20261121);
    const template = "{% for m in messages %}{{ m.role + ': ' + m.content }}<|eot_id|>\n{% endfor %}{{ bos_token }}";
    let innocent = 0;
    for (let i = 0; i < 500; i++) {
      const messages = Array.from({ length: 3 }, () => ({ role: 'user', content: randomText(random, 12) }));
      const ids = smallChat(template, messages);
      const whole = renderTemplate(template, { messages, bos_token: '<|begin_of_text|>' });
      expect(small.decode(ids.slice(1), { special: true })).toBe(
        small.decode(small.encode(whole, { special: true }).slice(1), { special: true }),
      );
      expect(ids.filter((id) => small.isControl(id))).toEqual([bos, eot, eot, eot, bos]);
      if (/<\|(eot_id|begin_of_text)\|>/.test(messages.map(({ content }) => content).join('\n'))) continue;
      innocent++;
      expect(ids).toEqual(small.encode(whole, { special: true }));
    }
    expect(innocent).toBeGreaterThan(100);
    expect(innocent).toBeLessThan(500);
  });

  test('and templates still see what they look for', () => {
    const template =
      "{% set c = messages[0].content %}{% if '</think>' in c %}{% set c = c.split('</think>')[-1] %}{% endif %}{{ c }}<|eot_id|>";
    expect(smallChat(template, user('<think>a < b</think>hi'))).toEqual([bos, ...plain('hi'), eot]);
    const other = [...user('<think>a</think>hi'), ...user('<|eot_id|>')];
    expect(smallChat(`${template}{{ messages[1].content }}`, other)).toEqual([
      bos,
      ...plain('hi'),
      eot,
      ...plain('<|eot_id|>'),
    ]);
  });

  test('control tokens that a template puts together of a role are meant', () => {
    const letters = [...'abcdefghijklmnopqrstuvwxyz<>|_/ PAD'];
    const tokens = [...letters, '<|user|>', '<|end|>', 'PAD'];
    const token_type = [...letters.map(() => 1), 3, 3, 3];
    const template = "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}<|end|>{% endfor %}";
    const metadata = metadataOf({
      model: 'gpt2',
      pre: 'gpt-2',
      tokens,
      merges: [],
      token_type,
      'tokenizer.chat_template': template,
    });
    const tokenizer = createTokenizer(metadata);
    const [userId, endId, padId] = ['<|user|>', '<|end|>', 'PAD'].map((text) => tokenizer.id(text)!);
    for (const text of ['hi', 'a < b', '<|user|>', 'a|> <|end', 'PAD', 'a PAD b']) {
      const ids = encodeChat(tokenizer, metadata, user(text));
      const expected = tokenizer.encode(text, { bos: false });
      expect(expected).not.toContain(padId);
      expect(ids, text).toEqual([userId, ...expected, endId]);
    }
  });

  test('SentencePiece', () => {
    const template = '{% for m in messages %}{{ bos_token + m.content + eos_token }}{% endfor %}';
    const metadata = spm512({ 'tokenizer.chat_template': template });
    const spm = createTokenizer(metadata);
    for (const text of ['once upon', '</s>', ' a<s> b</s></s>', '<unk>', '<0x0A>']) {
      const ids = spm.encode(text, { bos: false });
      expect(encodeChat(spm, metadata, [...user(text), ...user('b')]), text).toEqual([
        ...[1, ...ids, 2, 1],
        ...spm.encode('b', { bos: false }),
        2,
      ]);
    }
  });
});

describe('control tokens that overlap', () => {
  const vocabulary = (controls: readonly string[]) => {
    const letters = [...'abcdefghijklmnopqrstuvwxyz<>|_/ PAD'];
    const token_type = [...letters.map(() => 1), ...controls.map(() => 3)];
    return metadataOf({ model: 'gpt2', pre: 'gpt-2', tokens: [...letters, ...controls], merges: [], token_type });
  };

  test('the longest wins, as in the tokenizer', () => {
    const controls = ['<|a|>', '<|a|><|b|>', '<|ab|>', '<|', '<|abc', '<||>', '|>'];
    const metadata = vocabulary(controls);
    const tokenizer = createTokenizer(metadata);
    for (const text of [
      '<|a|>',
      '<|a|><|b|>',
      'x<|ab|>y',
      '<|abc',
      '<|abcd',
      '<|a',
      '<||>',
      '<|',
      'a|>b',
      '<|a|><|a|>',
    ]) {
      const template = `{{ '${text}' }}`;
      expect(encodeChat(tokenizer, metadata, user('a'), { template }), text).toEqual(
        tokenizer.encode(text, { special: true }),
      );
      expect(encodeChat(tokenizer, metadata, user(text), { template: '{{ messages[0].content }}' }), text).toEqual(
        tokenizer.encode(text),
      );
    }
  });

  test('a vocabulary made to take for ever is refused soon', () => {
    const metadata = vocabulary(Array.from({ length: 1000 }, (_, i) => `${'<'.repeat(i + 1)}>`));
    const begin = performance.now();
    const template = `{% set x = '<<<<<<<<<<<<<<<<' %}${'{% set x = x ~ x %}'.repeat(17)}{{ x }}`;
    expect(() => encodeChat(createTokenizer(metadata), metadata, user('a'), { template })).toThrow(
      "chat: the vocabulary's control tokens and the text overlap too often",
    );
    expect(performance.now() - begin).toBeLessThan(5000);
  });
});

test('messages are data: not deep, not circular, and some characters are left', () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const refusal = (content: string, variables: Record<string, unknown>) => {
    try {
      smallChat('a', user(content), { variables });
    } catch (error) {
      if (error instanceof TernlightError) return `${error.code}: ${error.message}`;
    }
    return 'none';
  };
  expect(refusal('', { circle })).toBe(
    'invalid-option: chat: messages or variables are nested more than 100 deep; do they hold themselves?',
  );
  let twice: unknown[] = [];
  for (let i = 0; i < 60; i++) twice = [twice, twice];
  expect(refusal('', { twice })).toBe('invalid-option: chat: messages and variables hold more than 1000000 values');
  const all = Array.from({ length: 0x20000 }, (_, i) => String.fromCodePoint(0xf0000 + i)).join('');
  expect(refusal(all, {})).toBe(
    'invalid-option: chat: the messages use all private use characters, expected some to be free',
  );
});
