// The engine's memory: named, 64-byte-aligned regions one after another. Sizes are doubles, never shifted: addresses
// pass 2 GiB.
import { TernlightError } from '../errors.ts';
import { roundUp } from '../plan/weights.ts';

export const PAGE_BYTES = 65536;
/** 32-bit WebAssembly, less a page that engines keep. */
export const MAX_MEMORY_BYTES = 65535 * PAGE_BYTES;
const ALIGN_BYTES = 64;

export interface Region {
  readonly name: string;
  readonly address: number;
  readonly bytes: number;
}

/** Hands out addresses; whether there is memory behind them is Arena's business. */
export class Layout {
  readonly #regions = new Map<string, Region>();
  #end: number;

  constructor(base: number) {
    this.#end = roundUp(base, ALIGN_BYTES);
  }

  get end(): number {
    return this.#end;
  }

  get regions(): readonly Region[] {
    return [...this.#regions.values()];
  }

  /** The region of this name, made if there is none; asking again for more than it has is a fault. */
  allocate(name: string, bytes: number): number {
    const found = this.#regions.get(name);
    if (found) {
      if (bytes > found.bytes)
        throw new TernlightError('internal', `arena: ${name} has ${found.bytes} bytes, asked for ${bytes}`);
      return found.address;
    }
    const region = { name, address: this.#end, bytes };
    this.#regions.set(name, region);
    this.#end = roundUp(this.#end + bytes, ALIGN_BYTES);
    return region.address;
  }
}

/** A memory of at least `bytes` that can grow to `maxBytes`; undefined where the engine refuses it. */
export function createMemory(bytes: number, maxBytes: number, shared: boolean): WebAssembly.Memory | undefined {
  const initial = Math.ceil(bytes / PAGE_BYTES);
  const maximum = Math.max(initial, Math.ceil(maxBytes / PAGE_BYTES));
  try {
    return new WebAssembly.Memory(shared ? { initial, maximum, shared } : { initial, maximum });
  } catch {
    return undefined;
  }
}

/** Grows `memory` so that it reaches `endBytes`. */
export function ensureMemory(memory: WebAssembly.Memory, endBytes: number, what: string): void {
  const missing = Math.ceil((endBytes - memory.buffer.byteLength) / PAGE_BYTES);
  if (missing <= 0) return;
  try {
    memory.grow(missing);
  } catch (cause) {
    throw new TernlightError(
      'environment',
      `memory: no room for ${what}: ${megabytes(missing * PAGE_BYTES)} MB more were refused; dispose a session, or load with a smaller contextLength`,
      { cause },
    );
  }
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}
