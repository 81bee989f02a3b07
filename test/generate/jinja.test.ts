import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { JinjaTemplate } from '../../src/generate/jinja.ts';
import { hasTruth, truthJson, truthPath } from '../truth.ts';

const render = (source: string, variables = {}) => new JinjaTemplate(source).render(variables);

describe.runIf(hasTruth('truth/chat/cases.json', 'renderings of chat templates'))(
  'templates render as in Python',
  () => {
    interface Case {
      template: string;
      vars: Record<string, unknown>;
      expected: string;
    }

    it('112 of 112', () => {
      const cases = truthJson<Case[]>('truth/chat/cases.json');
      const templates = new Map<string, JinjaTemplate>();
      for (const { template, vars, expected } of cases) {
        if (!templates.has(template))
          templates.set(
            template,
            new JinjaTemplate(readFileSync(truthPath(`truth/chat/templates/${template}`), 'utf8')),
          );
        expect(templates.get(template)!.render(vars), template).toBe(expected);
      }
      expect(cases.length).toBe(112);
    });

    it('27 of 27 of other models', () => {
      const cases = truthJson<(Case & { name: string })[]>('truth/chat/hf-e2e.json');
      // The day on which the expected texts were made.
      const strftime_now = (format: string) => (format.includes('%B') ? '10 July 2025' : '26 Jul 2024');
      for (const { name, template, vars, expected } of cases)
        expect(render(template, { strftime_now, ...vars }), name).toBe(expected);
      expect(cases.length).toBe(27);
    });
  },
);

describe('globals', () => {
  it('range counts as in Python', () => {
    const list = (args: string) => render(`{{ range(${args}) | join(' ') }}`);
    expect([list('3'), list('2, 5'), list('0, 7, 3'), list('3, 0, -1'), list('3, 0')]).toEqual([
      '0 1 2',
      '2 3 4',
      '0 3 6',
      '3 2 1',
      '',
    ]);
  });

  it('strftime_now is in English', () => {
    expect(render("{{ strftime_now('%d %b %Y, %B %A %a %H:%M:%S %y%% %q') }}")).toMatch(
      /^\d\d [A-Z][a-z]{2} \d{4}, [A-Z][a-z]{2,8} [A-Z][a-z]{2,5}day [A-Z][a-z]{2} \d\d:\d\d:\d\d \d\d% %q$/,
    );
  });

  it('raise_exception is an error with its text', () => {
    expect(() => render("{{ raise_exception('roles must alternate') }}")).toThrow(
      expect.objectContaining({ code: 'template', message: 'chat template: cannot be rendered: roles must alternate' }),
    );
  });
});

describe('evil templates', () => {
  const doubling = (start: string, end: string, op = 'x + x') =>
    `{% set x = ${start} %}${`{% set x = ${op} %}`.repeat(60)}${end}`;
  const evil: Record<string, string> = {
    'a huge range': '{{ range(1000000000) }}',
    'an endless range': '{{ range(0, 1, 0) }}',
    'many ranges': '{% for i in range(999) %}{% for j in range(999) %}{% endfor %}{% endfor %}',
    'nested loops':
      '{% set a = range(900) %}{% for i in a %}{% for j in a %}{% for k in a %}{% endfor %}{% endfor %}{% endfor %}',
    'nested loops with text': '{% set a = range(900) %}{% for i in a %}{% for j in a %}x{% endfor %}{% endfor %}',
    'infinite recursion': '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}',
    'branching recursion': '{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}',
    'macro bomb': `${Array.from({ length: 30 }, (_, i) => `{% macro m${i + 1}() %}${`{{ m${i}() }}`.repeat(10)}{% endmacro %}`).join('')}{% macro m0() %}x{% endmacro %}{{ m30() }}`,
    'macros defined in loops': `{% for i in range(900) %}{% macro m() %}${'{{ a }}'.repeat(5000)}{% endmacro %}{% endfor %}`,
    'string doubling': doubling("'ab'", '{{ x }}'),
    'string doubling, unused': doubling("'ab'", ''),
    'string doubling by ~': doubling("'ab'", '{{ x | upper }}', 'x ~ x'),
    'list doubling': doubling('[1]', '{{ x | length }}'),
    'nested lists': doubling('[1]', '{{ x }}', '[x, x]'),
    'nested mappings': doubling('{}', '{{ x | tojson }}', '{"a": x, "b": x}'),
    'nested namespaces': `${Array.from({ length: 50 }, (_, i) => `{% set n${i + 1} = namespace(a=n${i}, b=n${i}) %}`).join('')}{{ n50 }}`,
    'a list that holds a growing namespace': `{% set n = namespace(a=['x']) %}{% set x = [n] %}${'{% set n.a = [n.a, n.a] %}'.repeat(15)}${'{% set x = [x, x] %}'.repeat(15)}{{ x | tojson }}`,
    'a namespace within itself': '{% set n = namespace() %}{% set n.n = n %}{{ n }}',
    'a wide indent': "{{ 'a\nb' | indent(500000000) }}",
    'a wide indent of JSON': '{{ [1, [2, [3]]] | tojson(indent=400000000) }}',
    'replacing by much': `{% set x = 'a' %}${'{% set x = x + x %}'.repeat(18)}{{ x.replace('a', x) }}`,
    'replacing by much, filter': `{% set x = 'a' %}${'{% set x = x + x %}'.repeat(18)}{{ x | replace('a', x) }}`,
    'replacing by much, by another name': `{% set x = 'a' %}${'{% set x = x + x %}'.repeat(18)}{% set f = x.replace %}{{ f('a', x) }}`,
    'joining by much': `{% set x = 'a' %}${'{% set x = x + x %}'.repeat(18)}{{ x | join(x) }}`,
    'much work on a long text': `{% set x = 'a' %}${'{% set x = x + x %}'.repeat(19)}{% for i in range(900) %}{% set y = x | upper | lower | title %}{% endfor %}`,
    'deep nesting': `{{ ${'['.repeat(20_000)}${']'.repeat(20_000)} }}`,
    'deep brackets': `{{ ${'('.repeat(30_000)}1${')'.repeat(30_000)} }}`,
    'an unknown filter': "{{ 'a' | nosuch }}",
    'an include': "{% include 'x' %}",
    'an open block': '{% for x in y %}',
  };

  for (const [name, source] of Object.entries(evil)) {
    it(`${name}: an error, soon`, () => {
      expect(source.length).toBeLessThan(65_536);
      const before = process.memoryUsage().rss;
      const started = performance.now();
      expect(() => render(source)).toThrow(expect.objectContaining({ name: 'TernlightError', code: 'template' }));
      expect(performance.now() - started).toBeLessThan(3000);
      expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(400);
    });
  }

  it('too long a template is refused unread', () => {
    expect(() => new JinjaTemplate(' '.repeat(65_537))).toThrow(
      'chat template: it has 65537 characters, expected at most 65536',
    );
  });

  it('prototypes are out of reach', () => {
    const probes = [
      "''.constructor",
      "{}['__proto__']",
      'messages.constructor.constructor',
      "'a'.__class__",
      'range.constructor',
    ];
    for (const probe of probes) expect(render(`{{ (${probe}) is defined }}`, { messages: [] }), probe).toBe('false');
  });
});

it('long conversations are no evil', () => {
  const source =
    '{% for m in messages %}{% if loop.first %}{{ messages | length }}{% endif %}{{ m.role + m.content | trim }}{% if m.content in messages[loop.index0].content %}.{% endif %}{% endfor %}';
  const messages = Array.from({ length: 1500 }, (_, i) => ({ role: 'user', content: ` ${'word '.repeat(200)}${i}` }));
  expect(render(source, { messages }).length).toBeGreaterThan(1_000_000);
});
