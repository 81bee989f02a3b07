// The template language's interpreter with limits: templates come with files of strangers, and three lines of one can
// ask for more steps and memory than any machine has. Everything a template computes passes through `evaluate`.

import { Environment, Interpreter } from '@huggingface/jinja';

/** A step is about a microsecond; work that grows with the size of a value costs more of them. */
const maxSteps = 1_000_000;
/** Of expressions, blocks and macro calls in one another; the stack of a worker in WebKit bears it. */
const maxDepth = 400;
/** Of a text, and of all texts in a list or mapping together. */
const maxChars = 4 << 20;
/** What one call may make of its inputs: size of the one times size of the other. */
const maxProductChars = 32 << 20;

const quickFilters: ReadonlySet<unknown> = new Set(['length', 'first', 'last']);

interface Value {
  readonly type: string;
  readonly value: unknown;
}
type Call = (args: Value[], scope: Environment) => Value;
interface Node {
  readonly type: string;
  readonly [part: string]: unknown;
}
/** The library's class with the methods that its types call private; the package's version is pinned. */
interface Open {
  run(program: unknown): Value;
  evaluate(node: Node | undefined, scope: Environment): Value;
  evaluateBlock(body: Node[], scope: Environment): Value;
  evaluateArguments(args: Node[], scope: Environment): [Value[], Map<string, Value>];
  applyFilter(operand: Value, filter: Node, scope: Environment): Value;
}
const Base = Interpreter as unknown as new (scope: GlobalScope) => Open;

/** The outermost scope. Its look-up of unknown names (the library calls it private too) is quick: it throws nothing. */
export class GlobalScope extends (Environment as unknown as new () => Pick<Environment, 'set' | 'variables'>) {
  resolve(): this {
    return this;
  }
}

/** Runs one program once. Throws an Error where a limit is met. */
export class BoundedInterpreter extends Base {
  #stepsLeft = maxSteps;
  #depth = 0;
  /** The result of the last `evaluate`. */
  #last: Value | undefined;
  /** Weight of what a filter is applied to while its arguments are computed. */
  #operand = 0;
  /** Expressions whose results are gone through from end to end by what they stand in. */
  readonly #consumed = new Set<unknown>();
  readonly #weights = new WeakMap<Value, number>();

  override evaluate(node: Node | undefined, scope: Environment): Value {
    this.#spend(1);
    if (node) this.#enter(node);
    if (++this.#depth > maxDepth) throw new Error('nested too deeply');
    let value: Value;
    try {
      value = super.evaluate(node, scope);
    } finally {
      this.#depth--;
    }
    // Undefined is what the library gives for the first of an empty list.
    if (value) {
      const weight = this.#weigh(value);
      if (typeof value.value === 'string') this.#spend(weight / 64);
      if (this.#consumed.has(node)) this.#spend(this.#work(value));
      if (node?.type === 'MemberExpression' && value.type === 'FunctionValue')
        value = this.#method(value, node.computed ? undefined : this.#last);
    }
    this.#last = value;
    return value;
  }

  /** Loops with empty bodies pass only here. */
  override evaluateBlock(body: Node[], scope: Environment): Value {
    this.#spend(1);
    return super.evaluateBlock(body, scope);
  }

  override applyFilter(operand: Value, filter: Node, scope: Environment): Value {
    // Long conversations ask for the number of messages once a message.
    if (!quickFilters.has(filter.value)) this.#spend(this.#work(operand));
    this.#operand = this.#weigh(operand);
    const value = super.applyFilter(operand, filter, scope);
    this.#operand = 0;
    return value;
  }

  override evaluateArguments(args: Node[], scope: Environment): [Value[], Map<string, Value>] {
    const operand = this.#operand;
    this.#operand = 0;
    const result = super.evaluateArguments(args, scope);
    const values = [...result[0], ...result[1].values()];
    for (const value of values) this.#spend(1 + countOf(value));
    if (operand > 0) {
      // A filter's number is a width.
      const widths = values.map(({ value }) => (typeof value === 'number' ? Math.abs(value) : 0));
      this.#multiply(operand, this.#weighAll(values) + widths.reduce((a, b) => a + b, 0));
    }
    return result;
  }

  #enter(node: Node): void {
    if (node.type === 'For') {
      const iterable = node.iterable as Node;
      this.#consumed.add(iterable.type === 'SelectExpression' ? iterable.lhs : iterable);
    } else if (node.type === 'BinaryExpression') {
      this.#consumed.add(node.left).add(node.right);
    } else if (node.type === 'Macro' || node.type === 'CallStatement') {
      // Its whole body is searched for names.
      this.#spend(2000);
    }
  }

  /** @param object whose method it is; undefined if its name was computed */
  #method(method: Value, object: Value | undefined): Value {
    const call: Call = (args, scope) => {
      if (!object) throw new Error('a method is called by a computed name');
      this.#spend(this.#work(object));
      this.#multiply(this.#weigh(object), this.#weighAll(args));
      return (method.value as Call)(args, scope);
    };
    return new (method.constructor as new (call: Call) => Value)(call);
  }

  #spend(steps: number): void {
    this.#stepsLeft -= steps;
    if (this.#stepsLeft < 0) throw new Error(`more than ${maxSteps} steps; it may never end`);
  }

  #multiply(a: number, b: number): void {
    if (a * b > maxProductChars) throw new Error('a call would make too much text');
    this.#spend((a * b) / 256);
  }

  /** Steps for going through a value once. */
  #work(value: Value): number {
    return 4 * countOf(value) + this.#weigh(value) / 64;
  }

  #weighAll(values: readonly Value[]): number {
    return values.reduce((sum, value) => sum + this.#weigh(value), 0);
  }

  /**
   * About the characters that a value has when written out. A list that holds another one twice counts it twice, so
   * lists of lists of lists do not get away with a small size, and each level is a quarter heavier than what is in it:
   * depth ends too.
   */
  #weigh(value: Value | undefined): number {
    const inner = value?.value;
    let weight = 1;
    if (typeof inner === 'string') {
      weight = inner.length;
    } else if (value && (Array.isArray(inner) || inner instanceof Map)) {
      const known = this.#weights.get(value);
      if (known !== undefined) return known;
      this.#spend(countOf(value));
      let sum = 0;
      if (inner instanceof Map) for (const key of inner.keys()) sum += key.length;
      for (const child of inner.values() as Iterable<Value | undefined>) {
        // Of all values only namespaces change; within others they would make known weights wrong.
        if (child?.type === 'NamespaceValue') throw new Error('a namespace within another value');
        sum += this.#weigh(child);
      }
      weight = 1 + 1.25 * sum;
      if (value.type !== 'NamespaceValue') this.#weights.set(value, weight);
    }
    if (weight > maxChars) throw new Error(`a text or list of more than ${maxChars} characters`);
    return weight;
  }
}

function countOf({ value }: Value): number {
  return Array.isArray(value) ? value.length : value instanceof Map ? value.size : 0;
}
