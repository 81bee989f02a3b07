// Renderings by two other engines, and templates that mean harm.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { TernlightError } from '../../src/errors.ts';
import { compileTemplate, renderTemplate } from '../../src/generate/template.ts';
import { hasTruth, truthJson, truthPath } from '../truth.ts';

interface Rendering {
  template: string;
  vars: Record<string, unknown>;
  expected: string;
  case?: string;
  name?: string;
}
/** The day on which the expected texts were made. */
const now = new Date(2025, 6, 10, 9, 5);

describe.runIf(hasTruth('truth/chat', 'renderings of chat templates by transformers'))('as transformers', () => {
  test('112 renderings of 8 templates', () => {
    const cases = truthJson<Rendering[]>('truth/chat/cases.json');
    expect(cases.length).toBe(112);
    for (const { template, vars, expected, case: name } of cases) {
      const source = readFileSync(truthPath(`truth/chat/templates/${template}`), 'utf8');
      expect(renderTemplate(source, vars, { now }), `${template} ${name}`).toBe(expected);
    }
  });

  test('27 templates of other models', () => {
    const cases = truthJson<Rendering[]>('truth/chat/hf-e2e.json');
    expect(cases.length).toBe(27);
    for (const { template, vars, expected, name } of cases)
      expect(renderTemplate(template, vars, { now }), name).toBe(expected);
  });

  test('1000 messages are not too many', () => {
    const messages = Array.from({ length: 1000 }, (_, i) => ({
      role: i % 2 ? 'assistant' : 'user',
      content: 'word '.repeat(200),
    }));
    for (const name of ['Qwen-Qwen3-0.6B', 'meta-llama-Llama-3.1-8B-Instruct', 'Qwen-Qwen2.5-7B-Instruct']) {
      const source = readFileSync(truthPath(`truth/chat/templates/${name}.jinja`), 'utf8');
      expect(renderTemplate(source, { messages, bos_token: '' }).length).toBeGreaterThan(990_000);
    }
  });
});

test('dates are those of the given day, in English', () => {
  const render = (format: string) => renderTemplate(`{{ strftime_now('${format}') }}`, {}, { now });
  expect(render('%d %b %Y')).toBe('10 Jul 2025');
  expect(render('%A, %B %-d, %H:%M:%S')).toBe('Thursday, July 10, 09:05:00');
  expect(render('%m%% %-m %q')).toBe('07% 7 %q');
});

test('range counts as in Python', () => {
  const render = (call: string) => renderTemplate(`{{ ${call}|join(' ') }}`, {});
  expect(render('range(4)')).toBe('0 1 2 3');
  expect(render('range(2, 4)')).toBe('2 3');
  expect(render('range(7, 0, -3)')).toBe('7 4 1');
  expect(render('range(3, 1)')).toBe('');
});

test('a compiled template keeps nothing of a rendering', () => {
  const template = compileTemplate('{% set x = (x or "") ~ "a" %}{% for i in range(6000) %}{% endfor %}{{ x }}');
  expect([template({}), template({}), template({ x: 'b' })]).toEqual(['a', 'a', 'ba']);
});

test('variables may be named like what is there already, and like properties of objects', () => {
  expect(renderTemplate('{{ range }}', { range: 'mine' })).toBe('mine');
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty'])
    expect(renderTemplate(`{{ ${name} is defined }} {{ x.${name} is defined }}`, { x: { a: 1 } })).toBe('false false');
});

function refusal(source: string): string {
  try {
    return `rendered: ${renderTemplate(source, variables)}`;
  } catch (error) {
    if (error instanceof TernlightError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

const variables = {
  messages: Array.from({ length: 100 }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: 'hello' })),
  list: Array.from({ length: 5000 }, (_, i) => ({ a: { b: { c: { d: `number ${i}` } } } })),
  long: Array.from({ length: 3000 }, (_, i) => `${'p'.repeat(990)}${i}`),
  words: 'ab '.repeat(90_000),
};
const steps = 'it takes more than 500000 steps and may never end';
const chars = 'it makes a text or list of more than 4194304 characters';
const product = 'one call in it would make too much text';
const nested = 'it nests too deeply';
const namespaces = 'it puts a namespace within another value';
/** x is sixteen letters 2^n times over. */
const doubled = (letters: string, n: number) => `{% set x = '${letters}' %}${'{% set x = x ~ x %}'.repeat(n)}`;
/** x is a text of a million characters. */
const big = doubled('sixteen letters ', 16);
const es = doubled('e'.repeat(16), 17);
const many = (body: string) => body.repeat(100);
const loop = (body: string, count = 10000) => `{% for i in range(${count}) %}${body}{% endfor %}`;

test.each([
  ['a long range', loop('', 1e9), 'range() gives more than 10000 items'],
  ['many ranges', loop(loop('', 101), 100), 'range() gives more than 10000 items'],
  ['loops in loops', `{% for a in messages %}{% for b in messages %}${loop('', 9)}{% endfor %}{% endfor %}`, 'range()'],
  ['empty loops', '{% for m in messages %}'.repeat(6) + '{% endfor %}'.repeat(6), steps],
  [
    'loops left at once',
    `{% set x = range(9000) %}{% for m in messages %}{% for y in x %}{% break %}{% endfor %}{% endfor %}`.repeat(2),
    steps,
  ],
  ['long bodies', loop('{{ nothing }}'.repeat(1000), 9000), steps],
  ['recursion', '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}', nested],
  [
    'doubling recursion',
    '{% macro f(n) %}{% if n %}{{ f(n - 1) ~ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}',
    steps,
  ],
  [
    'macros that double',
    `{% macro f(x) %}{{ x }}{{ x }}{% endmacro %}{% set y = 'ha' %}${'{% set y = f(y) %}'.repeat(60)}`,
    steps,
  ],
  ['long macros made often', loop(`{% macro f() %}${'{{ a }}'.repeat(8000)}{% endmacro %}`), steps],
  ['doubling', `{% set n = namespace(x='ha') %}${loop('{% set n.x = n.x ~ n.x %}', 60)}`, chars],
  ['doubling with +', `${big}${'{% set x = x + x %}'.repeat(40)}`, chars],
  ['long output', `${big}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}`, chars],
  ['lists that double', `{% set n = namespace(x=[1]) %}${loop('{% set n.x = n.x + n.x %}', 60)}`, steps],
  ['lists of lists', `{% set x = [1] %}${'{% set x = [x, x] %}'.repeat(60)}{{ x|tojson }}`, chars],
  ['mappings of mappings', `{% set x = {} %}${"{% set x = {'a': x, 'b': x} %}".repeat(60)}{{ x }}`, chars],
  [
    'a deep list',
    `{% set n = namespace(x=[1]) %}${loop('{% set n.x = [n.x] %}', 5000)}{{ n.x|tojson(indent=9) }}`,
    chars,
  ],
  ['namespaces in lists', '{% set n = namespace() %}{% set a = [n, n] %}{% set n.x = a %}{{ a }}', namespaces],
  ['a namespace in itself', '{% set n = namespace() %}{% set n.x = n %}{{ n }}', namespaces],
  ['replace', `${big}{{ x.replace('e', x) }}`, product],
  ['replace, the filter', `${big}{{ x|replace('e', x) }}`, product],
  ['replace, kept', `${big}{% set f = x.replace %}{{ f('e', x) }}`, product],
  ['replace, named in parts', `${big}{{ x['rep' ~ 'lace']('e', x) }}`, 'a method is called by a computed name'],
  ['replace, in a loop', `${big}${loop("{% set y = x|replace('e', 'f') %}")}`, steps],
  ['join', `${big}{{ range(9000)|join(x) }}`, product],
  ['indent', "{{ 'a\\nb'|indent(500000000) }}", product],
  ['tojson', '{{ messages|tojson(indent=100000000) }}', product],
  ['long texts searched', `${big}{% set y = x[5:] ~ 'b' %}${loop('{% if y in x %}{% endif %}')}`, product],
  ['long texts cut', `${big}${loop('{% set y = x[0:1] %}')}`, steps],
  ['long texts split', `${big}${loop("{% set y = x.split(' ') %}")}`, steps],
  ['lists sorted', loop("{% set y = list|sort(attribute='a.b.c.d') %}"), steps],
  ['lists compared', loop("{% if list == 'a' %}{% endif %}"), steps],
  ['lists as mappings', loop('{% set y = list[0].items() %}{% set y = list|tojson %}'), steps],
  [
    'a number that is none',
    `{{ 'a'|indent(0 // 0) }}${'{% for m in messages %}'.repeat(6)}${'{% endfor %}'.repeat(6)}`,
    product,
  ],
  ['a number without end', "{{ ''|indent(1 // 0, true, true) }}", product],
  ['a width of nothing', "{{ ''|indent(536870000, true, true) }}", product],
  ['lists written', `${big}{% set y = [x, x, x] %}${loop('{{ y }}')}`, steps],
  ['lists written, without a loop', `${big}{% set y = [x, x, x] %}${'{{ y }}'.repeat(3000)}`, steps],
  [
    'a search that nearly succeeds everywhere',
    `${doubled('e'.repeat(16), 16)}{% set y = 'ef' ~ x[:500000] %}{{ y in x }}`,
    product,
  ],
  [
    'shorter ones',
    `${doubled('e'.repeat(16), 14)}{% set y = 'ef' ~ x[:100] %}${many('{% set z = y not in x %}')}`,
    steps,
  ],
  [
    'dates',
    `${doubled('%B %A %b %a %B %', 16)}{{ strftime_now(x) }}`,
    'strftime_now() gets more than 10000 characters',
  ],
  ['many dates', loop("{{ strftime_now('%B %A') }}".repeat(9)), 'strftime_now() gets more than 10000 characters'],
  ['dates of lists', '{{ strftime_now(list) }}', 'strftime_now() takes a text'],
  ['long texts sorted', loop('{% set y = long|sort %}'), steps],
  ['long patterns', `${big}{{ 'a'.replace(x, 'b') }}`, 'it replaces a text of more than 4096 characters'],
  ['every letter replaced', `${es}${many("{% set y = x|replace('e', 'f') %}")}`, steps],
  ['nothing replaced', `${es}${many("{% set y = x.replace('', 'f') %}")}`, steps],
  ['titles', `${doubled('e e e e e e e e ', 17)}${many('{% set y = x|title %}')}`, steps],
  ['words split', `${doubled('e e e e e e e e ', 17)}${many('{% set y = x.split() %}')}`, steps],
  ['letters split', `${es}${many("{% set y = x.split('e') %}")}`, steps],
  ['lines indented', `${doubled('\\n'.repeat(16), 17)}${many('{% set y = x|indent(1) %}')}`, steps],
  ['characters cut', `${doubled('日本語日本語日本語日本語日本語日', 17)}${many('{% set y = x[0:1] %}')}`, steps],
  ['characters joined', `${doubled('日本語日本語日本語日本語日本語日', 17)}${many("{% set y = x|join('') %}")}`, steps],
  ['characters escaped', `${doubled('日本語日本語日本語日本語日本語日', 17)}{{ x|tojson(ensure_ascii=true) }}`, chars],
  ['tables of methods', `{% set l = words.split() %}${many('{% for w in l %}{% set y = w.x %}{% endfor %}')}`, steps],
  ['lengths', `{% set l = words.split() %}${many('{% for w in l %}{% set y = w.length %}{% endfor %}')}`, steps],
  [
    'names looked up far from where they are',
    `{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% else %}${loop('{{ q }}'.repeat(1000))}{% endif %}{% endmacro %}{{ f(99) }}`,
    steps,
  ],
  ['functions written', `{% set l = [range, range] %}${'{% set l = l + l %}'.repeat(13)}{{ l|join }}`, steps],
  ['loops that go on', '{% for m in messages %}'.repeat(4) + '{% continue %}{% endfor %}'.repeat(4), steps],
  ['macros handed lists', `{% macro f() %}{{ varargs|length }}{% endmacro %}${loop('{{ f(*long) }}')}`, steps],
  ['letters times a number', "{{ 'a' * 1000000000 }}", 'Unknown operator "*"'],
  ['powers', '{{ 10 ** 10 ** 10 ** 10 }}', 'Exponentiation result is not a finite real number'],
  ['nested parentheses', `{{ ${'('.repeat(30000)}1${')'.repeat(30000)} }}`, ''],
  ['nested lists', `{{ ${'['.repeat(30000)}1${']'.repeat(30000)} }}`, ''],
  ['nested blocks', '{% if 1 %}'.repeat(3000) + '{% endif %}'.repeat(3000), ''],
  ['a long sum', `{{ ${'1+'.repeat(30000)}1 }}`, nested],
  ['a long chain', `{{ a${'.b'.repeat(30000)} }}`, nested],
  ['many elifs', `{% if 0 %}${'{% elif 0 %}'.repeat(5000)}{% endif %}`, nested],
  ['a long template', 'a'.repeat(65537), 'it has 65537 characters, expected 65536 at most'],
  ['a far longer one', '{{ a }}'.repeat(1_500_000), 'it has 10500000 characters, expected 65536 at most'],
  ['much white space', ' '.repeat(65000), 'it has 1000 characters of white space in a row'],
  ['no end', '{{ "a', 'it cannot be read: Unexpected end of input'],
  ['no end of a tag', '{{ a ', 'it cannot be read: Unexpected end of input'],
  ['no end of a block', '{% if a %}', 'it cannot be read: it ends within a tag or block'],
  ['no end of a comment', '{# a', 'it cannot be read: Missing end of comment tag'],
  ['other files', "{% include 'a' %}", 'it cannot be read: Unknown statement type: include'],
  ['code', "{{ messages.constructor.constructor('return 1')() }}", 'Cannot call something that is not a function'],
  [
    'its own error',
    "{{ raise_exception('roles are ' ~ messages[0].role) }}",
    'it refuses the messages: roles are user; change them',
  ],
  ['a long error', `${big}{{ raise_exception(x) }}`, 'it refuses the messages: sixteen letters'],
])('ends soon: %s', { timeout: 30_000 }, (_, source, message) => {
  const begin = performance.now();
  const text = refusal(source);
  expect(text.slice(0, 400)).toContain(`template: chat template: ${message}`);
  expect(text.length).toBeLessThan(400);
  // Half a second where it is longest; a machine with other work to do takes more.
  expect(performance.now() - begin).toBeLessThan(5_000);
});

test('an error says whose template it is, and the cure', () => {
  const origin = { where: 'chat template of the file', cure: 'give another one' };
  const message = (source: string) => {
    try {
      compileTemplate(source, origin)({});
    } catch (error) {
      return (error as Error).message;
    }
    return 'none';
  };
  expect(message('{{ a.b.c }}')).toBe('none');
  expect(message('{% for %}')).toMatch(/^chat template of the file: .*; give another one$/);
  expect(message("{{ 1 + 'a'|abs }}")).toMatch(/^chat template of the file: .*; give another one$/);
  expect(message("{{ raise_exception('no tools') }}")).toBe(
    'chat template of the file: it refuses the messages: no tools; change them, or give another one',
  );
});

test('the first of nothing is nothing, as in Python', () => {
  expect(renderTemplate("{{ []|first }}{{ []|last|default('none') }}", {})).toBe('none');
});
