// Objects of JSON out of a repository, with look-ups that check: each error names the file, the key, what it is and
// what it should be. null counts as absent, as it does in transformers.

import { TernlightError } from '../errors.ts';
import { describe } from './safetensors-text.ts';
import { looksLike } from './sniff.ts';

export class JsonObject {
  /** @param where the file, and the key of the object in it: "config.json", "config.json: rope_scaling" */
  constructor(
    readonly where: string,
    readonly values: Readonly<Record<string, unknown>>,
  ) {}

  /** @param text the file's; throws 'invalid-file' unless it is one object */
  static parse(where: string, text: string): JsonObject {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      const start = new TextEncoder().encode(text.slice(0, 256));
      const what = /^\s*[{[]/.test(text)
        ? '; it is cut short or damaged: download it again'
        : `: it looks like ${looksLike(start)}`;
      throw new TernlightError('invalid-file', `${where}: is not JSON${what}`, { cause });
    }
    return JsonObject.of(where, value);
  }

  static of(where: string, value: unknown): JsonObject {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return new JsonObject(where, value as Record<string, unknown>);
    }
    throw new TernlightError('invalid-file', `${where}: is ${describe(value)}, expected an object`);
  }

  get keys(): string[] {
    return Object.keys(this.values);
  }

  raw(key: string): unknown {
    return Object.hasOwn(this.values, key) ? (this.values[key] ?? undefined) : undefined;
  }

  integer(key: string, min: number, max: number): number | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw this.invalid(key, `an integer from ${min} to ${max}`);
  }

  number(key: string, min: number, max: number): number | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && value >= min && value <= max) return value;
    throw this.invalid(key, `a number from ${min} to ${max}`);
  }

  boolean(key: string): boolean | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === 'boolean') return value;
    throw this.invalid(key, 'true or false');
  }

  string(key: string): string | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === 'string') return value;
    throw this.invalid(key, 'a string');
  }

  list(key: string): readonly unknown[] | undefined {
    const value = this.raw(key);
    if (value === undefined || Array.isArray(value)) return value;
    throw this.invalid(key, 'a list');
  }

  object(key: string): JsonObject | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) throw this.invalid(key, 'an object');
    return new JsonObject(`${this.where}: ${key}`, value as Record<string, unknown>);
  }

  /** What is thrown where the key is not as `expected`, or is missing. */
  invalid(key: string, expected: string): TernlightError {
    return new TernlightError(
      'invalid-file',
      `${this.where}: ${key} is ${describe(this.raw(key))}, expected ${expected}`,
    );
  }

  /** What is thrown where the key is well formed and asks for something that is not done here. */
  unsupported(key: string, expected: string): TernlightError {
    return new TernlightError(
      'unsupported',
      `${this.where}: ${key} is ${describe(this.raw(key))}, expected ${expected}`,
    );
  }
}
