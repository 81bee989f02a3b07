// A WebAssembly module that reads memory from end to end, 16 bytes at a time. None of the kernels does only that: one that
// multiplies too would be slower than memory on small machines. So it is written down here, instruction by instruction,
// with the two functions that a pool needs of its kernels.
import { BARRIER_ARRIVED, BARRIER_EPOCH } from '../../assembly/layout.ts';

const UNIT_SHIFT = 12;
/** What `read` takes for a row. */
export const UNIT_BYTES = 2 ** UNIT_SHIFT;

const I32 = 0x7f;
const V128 = 0x7b;
const VOID = 0x40;

const IF = [0x04, VOID];
const ELSE = 0x05;
const END = 0x0b;
const DROP = 0x1a;
const LOOP = [0x03, VOID];
const REPEAT_IF = [0x0d, 0];
const LESS = 0x49;
const EQUAL = 0x46;
const UNEQUAL = 0x47;
const ADD = 0x6a;
const SUBTRACT = 0x6b;
const MULTIPLY = 0x6c;
const SHIFT_LEFT = 0x74;
const OR_V128 = [0xfd, 0x50];
const ANY_TRUE = [0xfd, 0x53];
const NOTIFY = 0x00;
const WAIT = 0x01;
const ATOMIC_STORE = 0x17;
const ATOMIC_ADD = 0x1e;
const ATOMIC_SUBTRACT = 0x25;
/** A wait's answer: it did not sleep, because the word was another. */
const WAS_ANOTHER = 1;
const FOR_EVER = [0x42, 0x7f];

const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const tee = (local: number) => [0x22, local];
const constant = (value: number) => [0x41, ...signed(value)];
const loadV128 = (offset: number) => [0xfd, 0x00, 4, ...leb(offset)];
const atomic = (operation: number, offset: number) => [0xfe, operation, 2, ...leb(offset)];

/** The module, over an imported memory; only if that is `shared` with `barrier` and `awaitAtLeast`. */
export function readProgram(shared: boolean): Uint8Array<ArrayBuffer> {
  const functions = shared ? { read: read(), barrier: barrier(), awaitAtLeast: awaitAtLeast() } : { read: read() };
  const names = Object.keys(functions);
  const limits = shared ? [3, 1, ...leb(65536)] : [0, 1];
  const parameters = vector([[I32], [I32], [I32], [I32]]);
  const types = [
    [0x60, ...parameters, ...vector([[I32]])],
    [0x60, ...parameters, ...vector([])],
  ];
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(2, [[...text('env'), ...text('memory'), 2, ...limits]]),
    ...section(
      3,
      names.map((name) => [name === 'read' ? 0 : 1]),
    ),
    ...section(
      7,
      names.map((name, i) => [...text(name), 0, i]),
    ),
    ...section(10, Object.values(functions)),
  ]);
}

/** read(address, begin, end, scratch): whether a bit of these units is set, so that no load can be left out. */
function read(): number[] {
  const [address, begin, end, sum] = [0, 1, 2, 4];
  const toAddress = (unit: number) => [
    ...[...get(address), ...get(unit), ...constant(UNIT_SHIFT), SHIFT_LEFT, ADD, ...set(unit)],
  ];
  // Four sums, so that no load waits for the one before it.
  const loads = Array.from({ length: 8 }, (_, i) => [
    ...[...get(sum + (i % 4)), ...get(begin), ...loadV128(16 * i), ...OR_V128, ...set(sum + (i % 4))],
  ]).flat();
  const advance = [...get(begin), ...constant(128), ADD, ...tee(begin), ...get(end), LESS, ...REPEAT_IF];
  const either = [0, 1, 2, 3].flatMap((i) => [...get(sum + i), ...(i > 0 ? OR_V128 : [])]);
  return body(
    [[4, V128]],
    [...toAddress(begin), ...toAddress(end), ...LOOP, ...loads, ...advance, END, ...either, ...ANY_TRUE],
  );
}

/** barrier(control, threads, epoch, spins) as in assembly/barrier.ts, but who waits sleeps at once: a pass is long. */
function barrier(): number[] {
  const [control, threads, epoch] = [0, 1, 2];
  const arrive = [...get(control), ...constant(1), ...atomic(ATOMIC_ADD, BARRIER_ARRIVED)];
  const last = [...get(threads), ...get(epoch), MULTIPLY, ...constant(1), SUBTRACT, EQUAL];
  const release = [...get(control), ...get(epoch), ...atomic(ATOMIC_STORE, BARRIER_EPOCH)];
  const wake = [...get(control), ...get(threads), ...atomic(NOTIFY, BARRIER_EPOCH), DROP];
  const sleep = sleepUntil(control, BARRIER_EPOCH, epoch);
  return body([], [...arrive, ...last, ...IF, ...release, ...wake, ELSE, ...sleep, END]);
}

/** awaitAtLeast(address, sleepers, value, spins) */
function awaitAtLeast(): number[] {
  const [address, sleepers, value] = [0, 1, 2];
  const count = (operation: number) => [...get(sleepers), ...constant(1), ...atomic(operation, 0), DROP];
  return body([], [...count(ATOMIC_ADD), ...sleepUntil(address, 0, value), ...count(ATOMIC_SUBTRACT)]);
}

/** Sleeps while the word is one less than `value`; it never rises by more. */
function sleepUntil(address: number, offset: number, value: number): number[] {
  const before = [...get(value), ...constant(1), SUBTRACT];
  const wait = [...get(address), ...before, ...FOR_EVER, ...atomic(WAIT, offset)];
  return [...LOOP, ...wait, ...constant(WAS_ANOTHER), UNEQUAL, ...REPEAT_IF, END];
}

function body(locals: number[][], code: number[]): number[] {
  const all = [...vector(locals), ...code, END];
  return [...leb(all.length), ...all];
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const bytes = vector(items);
  return [id, ...leb(bytes.length), ...bytes];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...leb(items.length), ...items.flat()];
}

function text(value: string): number[] {
  return vector([...value].map((c) => [c.charCodeAt(0)]));
}

function leb(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...leb(Math.floor(value / 128))];
}

/** Bit 6 of the last byte is the sign: where a value of ours has it set, a byte of zeros follows. */
function signed(value: number): number[] {
  const bytes = leb(value);
  const last = bytes[bytes.length - 1]!;
  return last < 64 ? bytes : [...bytes.slice(0, -1), last | 128, 0];
}
