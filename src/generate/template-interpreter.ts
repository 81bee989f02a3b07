// The template language's interpreter with limits: templates come with files of strangers, and three lines of one can
// ask for more steps and memory than any machine has. Everything a template computes passes through `evaluate`.

import { Environment, Interpreter } from '@huggingface/jinja';

/** A step is about a microsecond; work that grows with the size of a value costs more of them. */
const maxSteps = 500_000;
/** Of expressions, blocks and macro calls in one another; the stack of a worker in WebKit bears it. */
const maxDepth = 400;
/** Of a text, and of all texts in a list or mapping together. */
const maxChars = 4 << 20;
/** What one call may make of its inputs: size of the one times size of the other. */
const maxProductChars = 32 << 20;

const quickFilters: ReadonlySet<unknown> = new Set(['length', 'first', 'last']);
const sorts: ReadonlySet<unknown> = new Set(['sort', 'dictsort']);
/** Of properties for whose sake the library makes a table of all methods of a value. */
const looksUpMethods: ReadonlySet<unknown> = new Set(['FunctionValue', 'UndefinedValue', 'IntegerValue']);

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
  evaluateBinaryExpression(node: Node, scope: Environment): Value;
  evaluateSliceExpression(object: Value, node: Node, scope: Environment): Value;
  applyFilter(operand: Value, filter: Node, scope: Environment): Value;
}
const Base = Interpreter as unknown as new (scope: GlobalScope) => Open;

/** The outermost scope. Its look-up of unknown names (the library calls it private too) is quick: it throws nothing. */
export class GlobalScope extends (Environment as unknown as new () => Pick<Environment, 'set' | 'variables'>) {
  resolve(): this {
    return this;
  }
}

/** Stands for an expression that was evaluated already. */
class Evaluated implements Node {
  readonly [part: string]: unknown;
  readonly type = 'Evaluated';

  constructor(readonly result: Value) {}
}

/** Runs one program once. Throws an Error where a limit is met. */
export class BoundedInterpreter extends Base {
  #stepsLeft = maxSteps;
  #depth = 0;
  /** The result of the last `evaluate`. */
  #last: Value | undefined;
  /** What a filter is applied to, and its name, while its arguments are computed. */
  #filter: { operand: Value; name: unknown } | undefined;
  /** Expressions whose results are gone through, item by item, by what they stand in. */
  readonly #walked = new Set<unknown>();
  /** Expressions whose results may be written out by what they stand in. */
  readonly #written = new Set<unknown>();
  readonly #blocks = new Set<unknown>();
  readonly #weights = new WeakMap<Value, number>();

  override evaluate(node: Node | undefined, scope: Environment): Value {
    if (node instanceof Evaluated) return node.result;
    // Names are looked up scope by scope, and there are more of these further down.
    this.#spend(1 + this.#depth / 64);
    if (node) this.#enter(node);
    if (++this.#depth > maxDepth) throw new Error('it nests too deeply');
    let value: Value;
    try {
      value = super.evaluate(node, scope);
    } finally {
      this.#depth--;
    }
    const weight = this.#weigh(value);
    if (typeof value.value === 'string') this.#spend(weight / 64);
    else if (this.#written.has(node)) this.#spend(this.#work(value));
    if (this.#walked.has(node)) this.#spend(4 * countOf(value));
    if (node?.type === 'MemberExpression') value = this.#member(node, value);
    this.#last = value;
    return value;
  }

  /** Loops with empty bodies pass only here. */
  override evaluateBlock(body: Node[], scope: Environment): Value {
    this.#spend(1);
    if (!this.#blocks.has(body)) {
      this.#blocks.add(body);
      for (const statement of body) this.#written.add(statement);
    }
    return super.evaluateBlock(body, scope);
  }

  override evaluateBinaryExpression(node: Node, scope: Environment): Value {
    const operator = (node.operator as { value: unknown }).value;
    if (operator !== 'in' && operator !== 'not in') return super.evaluateBinaryExpression(node, scope);
    const left = this.evaluate(node.left as Node, scope);
    const right = this.evaluate(node.right as Node, scope);
    // A search that nearly succeeds at every place looks at all of the one for each of the other.
    if (typeof left.value === 'string' && typeof right.value === 'string')
      this.#multiply(this.#weigh(left), this.#weigh(right));
    return super.evaluateBinaryExpression({ ...node, left: new Evaluated(left), right: new Evaluated(right) }, scope);
  }

  override evaluateSliceExpression(object: Value, node: Node, scope: Environment): Value {
    // Of a text a list of characters is made first.
    if (typeof object.value === 'string') this.#spend(object.value.length / 4);
    return super.evaluateSliceExpression(object, node, scope);
  }

  override applyFilter(operand: Value, filter: Node, scope: Environment): Value {
    const name = filter.type === 'CallExpression' ? (filter.callee as Node).value : filter.value;
    // Long conversations ask for the number of messages once a message.
    if (!quickFilters.has(name)) this.#apply(operand, name);
    this.#filter = { operand, name };
    const value: Value | undefined = super.applyFilter(operand, filter, scope);
    this.#filter = undefined;
    // The first of an empty list is nothing at all to the library.
    return value ?? super.evaluate(undefined, scope);
  }

  override evaluateArguments(args: Node[], scope: Environment): [Value[], Map<string, Value>] {
    const filter = this.#filter;
    this.#filter = undefined;
    const result = super.evaluateArguments(args, scope);
    const values = [...result[0], ...result[1].values()];
    for (const value of values) this.#spend(1 + countOf(value));
    if (filter) this.#pass(filter.operand, filter.name, values);
    return result;
  }

  #enter(node: Node): void {
    if (node.type === 'For') {
      const iterable = node.iterable as Node;
      this.#walked.add(iterable.type === 'SelectExpression' ? iterable.lhs : iterable);
    } else if (node.type === 'BinaryExpression') {
      this.#written.add(node.left).add(node.right);
    } else if (node.type === 'Macro' || node.type === 'CallStatement') {
      // Its whole body is searched for names.
      this.#spend(2000);
    } else if (node.type === 'Break' || node.type === 'Continue') {
      // Thrown, with the stack written down.
      this.#spend(10);
    }
  }

  #member(node: Node, value: Value): Value {
    const name = node.computed ? undefined : (node.property as Node).value;
    if (looksUpMethods.has(value.type)) this.#spend(8);
    if (value.type !== 'FunctionValue') return value;
    // Of a computed name that is the name.
    const object = this.#last;
    const call: Call = (args, scope) => {
      if (typeof name !== 'string' || !object) throw new Error('a method is called by a computed name');
      this.#apply(object, name);
      this.#pass(object, name, args);
      return (value.value as Call)(args, scope);
    };
    return new (value.constructor as new (call: Call) => Value)(call);
  }

  #spend(steps: number): void {
    this.#stepsLeft -= steps;
    // Not "< 0": templates can make numbers that are none.
    if (!(this.#stepsLeft >= 0)) throw new Error(`it takes more than ${maxSteps} steps and may never end`);
  }

  #multiply(a: number, b: number): void {
    if (!(a * b <= maxProductChars)) throw new Error('one call in it would make too much text');
    this.#spend((a * b) / 256);
  }

  /** Pays for a method or filter going through what it is applied to. */
  #apply(object: Value, name: unknown): void {
    const text = typeof object.value === 'string' ? object.value : undefined;
    this.#spend(this.#work(object) * (sorts.has(name) ? Math.log2(countOf(object) + 2) : 1));
    // A call for each word, a list of characters, a list of lines.
    if (text !== undefined && (name === 'title' || name === 'join')) this.#spend(text.length / 4);
    if (text !== undefined && name === 'indent') this.#spend(occurrences(text, '\n', this.#stepsLeft));
  }

  /** Pays for what a method or filter makes of its arguments. */
  #pass(object: Value, name: unknown, args: readonly Value[]): void {
    // A number may be a width.
    const widths = args.map(({ value }) => (typeof value === 'number' ? Math.abs(value) : 0));
    this.#multiply(1 + this.#weigh(object), this.#weighAll(args) + widths.reduce((a, b) => a + b, 0));
    const text = object.value;
    if (typeof text !== 'string' || (name !== 'replace' && name !== 'split')) return;
    const part = args[0]?.value;
    if (typeof part !== 'string') this.#spend(whiteSpaceRuns(text, this.#stepsLeft));
    // A pattern is made of it, and not every engine makes large ones.
    else if (name === 'replace' && part.length > 4096)
      throw new Error('it replaces a text of more than 4096 characters');
    else this.#spend(occurrences(text, part, this.#stepsLeft));
  }

  /** Steps for going through a value once; lists and mappings are written out. */
  #work(value: Value): number {
    return 4 * countOf(value) + this.#weigh(value) / (typeof value.value === 'string' ? 64 : 16);
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
    } else if (typeof inner === 'function') {
      weight = 1000; // its source
    } else if (value && (Array.isArray(inner) || inner instanceof Map)) {
      const known = this.#weights.get(value);
      if (known !== undefined) return known;
      this.#spend(countOf(value));
      let sum = 0;
      if (inner instanceof Map) for (const key of inner.keys()) sum += key.length;
      for (const child of inner.values() as Iterable<Value | undefined>) {
        // Of all values only namespaces change; within others they would make known weights wrong.
        if (child?.type === 'NamespaceValue') throw new Error('it puts a namespace within another value');
        sum += this.#weigh(child);
      }
      weight = 1 + 1.25 * sum;
      if (value.type !== 'NamespaceValue') this.#weights.set(value, weight);
    }
    if (weight > maxChars) throw new Error(`it makes a text or list of more than ${maxChars} characters`);
    return weight;
  }
}

function countOf({ value }: Value): number {
  return Array.isArray(value) ? value.length : value instanceof Map ? value.size : 0;
}

/** How often `part` is in `text`; stops counting above `limit`. */
function occurrences(text: string, part: string, limit: number): number {
  if (part === '') return text.length + 1;
  let count = 0;
  for (let at = text.indexOf(part); at >= 0 && count <= limit; at = text.indexOf(part, at + part.length)) count++;
  return count;
}

/** The number of places where white space begins; stops counting above `limit`. */
function whiteSpaceRuns(text: string, limit: number): number {
  let count = 0;
  for (let pattern = /\s+/g; count <= limit && pattern.test(text); ) count++;
  return count;
}
