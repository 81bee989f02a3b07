// Renders chat templates, which come from strangers' files: whatever one says, it ends soon and in little memory.
// Knows neither tokenizers nor messages.
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { TernlightError } from '../errors.ts';

const MAX_TEMPLATE_CHARS = 65_536;
const MAX_RANGE_ITEMS = 1000;
/** A step is a node evaluated; a usual template takes some 100 for a message. */
const STEPS = 100_000;
const STEPS_PER_ITEM = 2000;
/** Characters and items that a value may hold, beside eight times the variables' own. */
const VALUE_SIZE = 1 << 20;
/** Characters, or items of a list, that are handled for the price of a step. */
const CHARS_PER_STEP = 256;
const ITEMS_PER_STEP = 16;
/** A macro's body is searched for names each time its definition is met. */
const STEPS_PER_MACRO = 500;

/** A value of the interpreter's; its classes are not exported. */
interface Value {
  readonly type: string;
  value: unknown;
}

interface Node {
  readonly type: string;
}

/** The interpreter's methods that see every step and every value; TypeScript holds most of them for private. */
interface Steps {
  run(program: unknown): Value;
  evaluate(node: Node | undefined, scope: unknown): Value;
  evaluateBlock(nodes: Node[], scope: unknown): Value;
  evaluateArguments(args: Node[], scope: unknown): [Value[], Map<string, Value>];
  evaluateMemberExpression(node: Node & { object: Node }, scope: unknown): Value;
  applyFilter(operand: Value, filter: Node, scope: unknown): Value;
}

const Base = Interpreter as unknown as new (scope: Environment) => Steps;

class BoundedInterpreter extends Base {
  #steps: number;
  readonly #maxSize: number;
  /** Of lists and mappings that hold no namespace: they do not change once they are made. */
  readonly #sizes = new WeakMap<Value, number>();
  /** Size of the value that the filter or method about to take arguments works on. */
  #operandSize = 0;

  constructor(scope: Environment, steps: number, maxSize: number) {
    super(scope);
    this.#steps = steps;
    this.#maxSize = maxSize;
  }

  override evaluate(node: Node | undefined, scope: unknown): Value {
    this.#spend(node?.type === 'Macro' || node?.type === 'CallStatement' ? STEPS_PER_MACRO : 1);
    // What evaluateMemberExpression put there.
    if (node?.type === 'Evaluated') return (node as unknown as { result: Value }).result;
    const result = super.evaluate(node, scope);
    const { value } = result;
    if (typeof value === 'string') this.#spend(value.length / CHARS_PER_STEP);
    else if (Array.isArray(value)) this.#spend(value.length / ITEMS_PER_STEP);
    if (this.#size(result) > this.#maxSize) throw new Error('a value grows too large');
    return result;
  }

  /** Loops with empty bodies evaluate nothing else. */
  override evaluateBlock(nodes: Node[], scope: unknown): Value {
    this.#spend(1);
    return super.evaluateBlock(nodes, scope);
  }

  override applyFilter(operand: Value, filter: Node, scope: unknown): Value {
    this.#operandSize = this.#size(operand);
    try {
      return super.applyFilter(operand, filter, scope);
    } finally {
      this.#operandSize = 0;
    }
  }

  /** Replacing, joining and indenting make as much as the product of what they are given. */
  override evaluateArguments(args: Node[], scope: unknown): [Value[], Map<string, Value>] {
    const operandSize = this.#operandSize;
    this.#operandSize = 0;
    const result = super.evaluateArguments(args, scope);
    this.#checkProduct(operandSize, [...result[0], ...result[1].values()]);
    return result;
  }

  /** Methods of texts are functions that know their text: they get the same check. */
  override evaluateMemberExpression(node: Node & { object: Node }, scope: unknown): Value {
    const object = this.evaluate(node.object, scope);
    const evaluated = { type: 'Evaluated', result: object };
    const member = super.evaluateMemberExpression({ ...node, object: evaluated }, scope);
    if (member.type !== 'FunctionValue' || object.type !== 'StringValue') return member;
    const method = member.value as (args: Value[], scope: unknown) => Value;
    const size = this.#size(object);
    return Object.assign(Object.create(Object.getPrototypeOf(member)), member, {
      value: (args: Value[], scope: unknown) => {
        this.#checkProduct(size, args);
        return method(args, scope);
      },
    });
  }

  #spend(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0) throw new Error('it takes too many steps');
  }

  #checkProduct(size: number, args: Value[]): void {
    let factor = 1;
    for (const { value } of args)
      factor += typeof value === 'number' ? Math.abs(value) : typeof value === 'string' ? value.length : 0;
    if (size * factor > this.#maxSize * 64) throw new Error('a value grows too large');
  }

  /** Characters and items in a value, counted as often as they would be written. */
  #size(value: Value): number {
    const content = value.value;
    if (typeof content === 'string') return content.length + 1;
    if (typeof content !== 'object' || content === null) return 1;
    const known = this.#sizes.get(value);
    if (known !== undefined) return known;
    const parts: Iterable<Value> = content instanceof Map ? content.values() : (content as Value[]);
    let size = 1;
    let fixed = value.type !== 'NamespaceValue';
    for (const part of parts) {
      this.#spend(1 / ITEMS_PER_STEP);
      size += this.#size(part);
      if (size > this.#maxSize) break;
      if (typeof part.value === 'object' && part.value !== null && !this.#sizes.has(part)) fixed = false;
    }
    if (fixed) this.#sizes.set(value, size);
    return size;
  }
}

export class JinjaTemplate {
  readonly #program: unknown;
  /** The texts that stand in the template's expressions. */
  readonly literals: readonly string[];

  /** Throws "template". */
  constructor(source: string) {
    if (source.length > MAX_TEMPLATE_CHARS)
      throw new TernlightError(
        'template',
        `chat template: it has ${source.length} characters, expected at most ${MAX_TEMPLATE_CHARS}`,
      );
    try {
      const tokens = tokenize(source, { lstrip_blocks: true, trim_blocks: true });
      this.literals = tokens.filter(({ type }) => type === 'StringLiteral').map(({ value }) => value);
      this.#program = parse(tokens);
    } catch (cause) {
      throw failure('cannot be read', cause);
    }
  }

  /** Throws "template", with the template's own message where it raises one. */
  render(variables: Readonly<Record<string, unknown>>): string {
    try {
      const scope = new Environment();
      for (const [name, value] of Object.entries({ ...globals(), ...variables })) scope.set(name, value);
      const [items, chars] = extent(variables);
      const steps = STEPS + STEPS_PER_ITEM * items + chars;
      const { value } = new BoundedInterpreter(scope, steps, VALUE_SIZE + 8 * chars).run(this.#program);
      return value as string;
    } catch (cause) {
      throw failure('cannot be rendered', cause);
    }
  }
}

function globals(): Record<string, unknown> {
  let ranged = 0;
  const range = (a: number, b?: number, step = 1): number[] => {
    const [from, to] = b === undefined ? [0, a] : [a, b];
    const count = Math.max(0, Math.ceil((to - from) / step));
    ranged += count;
    // Not a number, if an argument is not one.
    if (!(ranged <= MAX_RANGE_ITEMS)) throw new Error(`range() gives more than ${MAX_RANGE_ITEMS} numbers`);
    return Array.from({ length: count }, (_, i) => from + i * step);
  };
  const raise_exception = (message: unknown) => {
    throw new Error(String(message));
  };
  return {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range,
    raise_exception,
    strftime_now,
  };
}

const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

/** The local date as Python's strftime writes it, in English on every machine. */
function strftime_now(format: string): string {
  const now = new Date();
  const two = (n: number) => String(n).padStart(2, '0');
  const month = MONTHS[now.getMonth()]!;
  const day = DAYS[now.getDay()]!;
  const fields: Record<string, string> = {
    '%': '%',
    ...{
      Y: String(now.getFullYear()),
      y: two(now.getFullYear() % 100),
      m: two(now.getMonth() + 1),
      d: two(now.getDate()),
    },
    ...{ B: month, b: month.slice(0, 3), A: day, a: day.slice(0, 3) },
    ...{ H: two(now.getHours()), M: two(now.getMinutes()), S: two(now.getSeconds()) },
  };
  return String(format).replace(/%(.)/g, (whole, name: string) => fields[name] ?? whole);
}

/** Items in lists and characters in texts, all the way down. */
function extent(value: unknown): [items: number, chars: number] {
  if (typeof value === 'string') return [0, value.length];
  if (typeof value !== 'object' || value === null) return [0, 0];
  let [items, chars] = [Array.isArray(value) ? value.length : 0, 0];
  for (const part of Object.values(value)) {
    const [i, c] = extent(part);
    items += i;
    chars += c;
  }
  return [items, chars];
}

function failure(what: string, cause: unknown): TernlightError {
  if (cause instanceof TernlightError) return cause;
  const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
  return new TernlightError('template', `chat template: ${what}: ${reason}`, { cause });
}
