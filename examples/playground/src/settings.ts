// What the user sets: its fields, their limits, and what the library is asked for with them. Knows no elements.
import type { ChatOptions, LoadOptions } from 'ternlight';
import { chatFormNames } from 'ternlight';
import { recall, remember } from './local-values.ts';
import { Topic } from './topic.ts';

interface Common {
  readonly label: string;
  readonly hint: string;
  /** What holds where it is left empty. */
  readonly empty: string;
  /** A heading of the form; those of "Model" need the model to be loaded again. */
  readonly group: 'Sampling' | 'Answers' | 'Model';
}
export interface NumberField extends Common {
  readonly kind: 'number';
  readonly min: number;
  readonly max: number;
  readonly step: number;
}
export interface ChoiceField extends Common {
  readonly kind: 'choice';
  readonly choices: readonly string[];
}
export interface TextField extends Common {
  readonly kind: 'text';
}
export type Field = NumberField | ChoiceField | TextField;

function number(
  group: Common['group'],
  label: string,
  [min, max, step]: readonly [number, number, number],
  empty: string,
  hint: string,
): NumberField {
  return { kind: 'number', group, label, min, max, step, empty, hint };
}
function choice(
  group: Common['group'],
  label: string,
  choices: readonly string[],
  empty: string,
  hint: string,
): ChoiceField {
  return { kind: 'choice', group, label, choices, empty, hint };
}

const own = 'the model’s own';
export const fields = {
  temperature: number('Sampling', 'Temperature', [0, 5, 0.05], own, '0 always takes the likeliest token'),
  topK: number('Sampling', 'Top-k', [0, 1000, 1], own, 'keep the k likeliest; 0 keeps all'),
  topP: number('Sampling', 'Top-p', [0, 1, 0.01], own, 'keep the likeliest that sum to p'),
  minP: number('Sampling', 'Min-p', [0, 1, 0.01], own, 'drop those below this share of the likeliest'),
  repetitionPenalty: number('Sampling', 'Repetition penalty', [0.01, 100, 0.01], own, '1 is off'),
  seed: number('Sampling', 'Seed', [0, Number.MAX_SAFE_INTEGER, 1], 'random', 'the same one gives the same text'),
  maxTokens: number('Answers', 'Most tokens', [1, 1e6, 1], 'what there is room for', 'of an answer'),
  chatForm: choice('Answers', 'Chat form', chatFormNames, own, 'how a conversation is written'),
  systemPrompt: { kind: 'text', group: 'Answers', label: 'System prompt', empty: 'none', hint: 'begins each chat' },
  contextLength: number('Model', 'Context', [16, 2 ** 20, 1], 'at most 4096', 'tokens that are remembered'),
  threads: number('Model', 'Threads', [1, 64, 1], 'as many as processors', 'at most 8 unless given'),
  kv: choice('Model', 'Cache', ['f16', 'f32', 'i8', 'i4'], 'f16', 'type of keys and values (kv)'),
  head: choice('Model', 'Head', ['stored', 'int8', 'fast'], 'by its size', 'how the output matrix is held'),
} as const satisfies Record<string, Field>;
export type FieldName = keyof typeof fields;
export const fieldNames = Object.keys(fields) as FieldName[];

/** A field's text as a value; undefined where it is empty. Throws RangeError with what is expected. */
export function parse(name: FieldName, text: string): number | string | undefined {
  const field: Field = fields[name];
  const given = text.trim();
  if (given === '') return undefined;
  if (field.kind === 'text') return text;
  if (field.kind === 'choice') {
    if (field.choices.includes(given)) return given;
    throw new RangeError(`expected one of ${field.choices.join(', ')}`);
  }
  const value = Number(given);
  const whole = field.step === 1;
  if (Number.isFinite(value) && value >= field.min && value <= field.max && !(whole && !Number.isInteger(value)))
    return value;
  throw new RangeError(`expected ${whole ? 'a whole number' : 'a number'} from ${field.min} to ${field.max}`);
}

export class Settings {
  readonly changed = new Topic<FieldName>();
  /** Texts of the fields, checked. */
  readonly #texts = new Map<FieldName, string>();

  /** What was kept, less what is no longer allowed. */
  constructor() {
    let kept: Record<string, unknown> = {};
    try {
      kept = Object(JSON.parse(recall('settings') ?? '{}'));
    } catch {
      // As if there were none: they may have been written by hand.
    }
    for (const name of fieldNames) {
      const text = kept[name];
      if (typeof text !== 'string') continue;
      try {
        parse(name, text);
        this.#texts.set(name, text);
      } catch {
        // The field stays empty.
      }
    }
  }

  text(name: FieldName): string {
    return this.#texts.get(name) ?? '';
  }

  /** Throws RangeError; then the field is what it was. */
  set(name: FieldName, text: string): void {
    parse(name, text);
    if (text === this.text(name)) return;
    this.#texts.set(name, text);
    remember('settings', JSON.stringify(Object.fromEntries(this.#texts)));
    this.changed.tell(name);
  }

  reset(): void {
    for (const name of fieldNames) this.set(name, '');
  }

  #values(names: readonly FieldName[]): Record<string, number | string> {
    const said = names.map((name) => [name, parse(name, this.text(name))] as const);
    return Object.fromEntries(said.filter(([, value]) => value !== undefined)) as Record<string, number | string>;
  }

  get systemPrompt(): string {
    return this.text('systemPrompt').trim();
  }

  /** For generate() and chat(). */
  generation(): ChatOptions {
    const { chatForm, ...options } = this.#values(
      fieldNames.filter((name) => fields[name].group !== 'Model' && name !== 'systemPrompt'),
    );
    return { ...options, ...(chatForm !== undefined && { template: String(chatForm) }) };
  }

  /** For load(). */
  loading(): LoadOptions {
    return this.#values(fieldNames.filter((name) => fields[name].group === 'Model'));
  }
}
