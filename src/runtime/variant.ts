// Chooses one of the four builds and, by asking the engine, its fastest row kernel. Every choice gives the same bits.
import { wasmDeflated } from '#wasm';
import { TernlightError } from '../errors.ts';
import type { Kernels } from '../kernels.d.ts';
import type { RowKernel } from '../plan/types.ts';
import { instantiate } from './instantiate.ts';
import { Trial, trialPages } from './trial.ts';
import { unshared } from './unshared.ts';

export const VARIANTS = ['simd', 'relaxed', 'simd-threads', 'relaxed-threads'] as const;
export type Variant = (typeof VARIANTS)[number];

/** The parts of the builds, as they come. */
type Part = keyof typeof wasmDeflated;
const bytesOf = new Map<Part, Promise<Uint8Array<ArrayBuffer>>>();

async function partBytes(part: Part, threads: boolean): Promise<Uint8Array<ArrayBuffer>> {
  let bytes = bytesOf.get(part);
  if (!bytes) {
    bytes = inflated(wasmDeflated[part]);
    bytesOf.set(part, bytes);
  }
  return threads ? bytes : unshared(await bytes);
}

/** A build's modules: all kernels, and for a relaxed build those that relaxed SIMD makes faster, which replace some. */
function variantBytes(variant: Variant): Promise<Uint8Array<ArrayBuffer>[]> {
  const parts: Part[] = variant.startsWith('relaxed') ? ['simd-threads', 'relaxed-threads'] : ['simd-threads'];
  return Promise.all(parts.map((part) => partBytes(part, hasThreads(variant))));
}

/** Whether this engine accepts a build. */
export async function validates(variant: Variant): Promise<boolean> {
  return (await variantBytes(variant)).every((bytes) => WebAssembly.validate(bytes));
}

/** Of bytes that validate. */
export async function compile(variant: Variant): Promise<WebAssembly.Module[]> {
  const parts = await variantBytes(variant);
  return Promise.all(parts.map((bytes) => WebAssembly.compile(bytes))).catch((cause) => {
    throw new TernlightError(
      'environment',
      `environment: WebAssembly was not compiled (${cause.message}); a Content-Security-Policy has to allow it: script-src 'wasm-unsafe-eval'`,
      { cause },
    );
  });
}

/** Base64 of zlib's format: base64 alone keeps a compressing server from finding what repeats. */
async function inflated(base64: string): Promise<Uint8Array<ArrayBuffer>> {
  const deflated = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export function hasThreads(variant: Variant): boolean {
  return variant.endsWith('threads');
}

/** Whether shared memory can really be posted: that it can be constructed proves nothing. */
export function canShareMemory(): boolean {
  if (typeof SharedArrayBuffer === 'undefined' || typeof MessageChannel === 'undefined') return false;
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));
    return true;
  } catch {
    return false;
  } finally {
    port1.close();
    port2.close();
  }
}

/**
 * Whether this engine accepts the relaxed build and multiplies rightly: Node 20 with its flag computes wrong sums in
 * the baseline tier, which a cold start meets.
 */
async function relaxedWorks(): Promise<boolean> {
  if (!(await validates('relaxed'))) return false;
  const pages = trialPages(32, 32);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const trial = new Trial(await instantiate(await compile('relaxed'), memory), memory, 32, 32);
  trial.run('matmulTernaryDot');
  return trial.isRight();
}

/** The best build that this engine runs; `threads` says whether shared memory will be used. */
export async function chooseVariant(threads: boolean, wanted?: Variant): Promise<Variant> {
  if (typeof WebAssembly === 'undefined' || typeof DecompressionStream === 'undefined' || !(await validates('simd')))
    throw new TernlightError(
      'environment',
      'environment: this engine has no WebAssembly SIMD or no DecompressionStream, expected Chrome 91, Firefox 113, Safari 16.4, Node 20, Deno 1.19, Bun 1.3.3 or later',
    );
  if (wanted !== undefined) {
    if (!VARIANTS.includes(wanted))
      throw new TernlightError(
        'invalid-option',
        `options: variant is "${wanted}", expected one of ${VARIANTS.join(', ')}`,
      );
    if (wanted.startsWith('relaxed') && !(await relaxedWorks()))
      throw new TernlightError(
        'environment',
        `environment: this engine does not run build "${wanted}"; leave variant out`,
      );
    return wanted;
  }
  const relaxed = await relaxedWorks();
  return `${relaxed ? 'relaxed' : 'simd'}${threads ? '-threads' : ''}`;
}

/**
 * The row kernel that suits this engine: the i32 relaxed dot where it is an instruction, else the i16 one. Where it is one
 * of x86 (which has 256 bits then) and V8 pairs operations, the kernel written for that.
 */
export function chooseRowKernel(
  kernels: Kernels,
  variant: Variant,
  wanted?: RowKernel,
  revectorized = false,
): RowKernel {
  const relaxed = variant.startsWith('relaxed');
  if (wanted !== undefined) {
    if (!['dot', 'paired', 'i16', 'wide'].includes(wanted))
      throw new TernlightError('invalid-option', `options: kernel is "${wanted}", expected dot, paired, i16 or wide`);
    if (wanted !== 'wide' && !relaxed)
      throw new TernlightError(
        'environment',
        `environment: kernel "${wanted}" needs a relaxed build, got "${variant}"; use wide`,
      );
    return wanted;
  }
  if (!relaxed) return 'wide';
  const probe = kernels.relaxedDotProbe();
  if (probe === 1 && revectorized) return 'paired';
  return probe !== 0 ? 'dot' : 'i16';
}
