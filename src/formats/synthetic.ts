// Models of the published shapes with random weights, made while they are read: for benchmarks and tests of size
// without a download. A virtual GGUF file; never in memory as a whole.

import { TernlightError } from '../errors.ts';
import { encodingByName } from './encodings/index.ts';
import { ggufHeader } from './gguf-write.ts';
import { checkRange } from './range.ts';
import { type Fill, numbersFill, weightsFill } from './synthetic-fill.ts';
import { type SyntheticName, syntheticNames } from './synthetic-names.ts';
import { type Shape, shapes, type WeightEncoding, weightEncodings } from './synthetic-shapes.ts';
import { type SyntheticTensor, syntheticMetadata, syntheticTensors } from './synthetic-tensors.ts';
import type { ByteSource } from './types.ts';

export interface SyntheticOptions {
  /**
   * Of the ternary or 1-bit matrices; rows must be whole blocks (of 64 to 256 weights; I2_S takes any). Default: what
   * the published model has.
   */
  encoding?: WeightEncoding;
  /** Default 1. */
  seed?: number;
}

/** The same bytes for the same arguments, whatever the order and size of the reads. Throws 'invalid-option'. */
export function syntheticModel(name: string, options: SyntheticOptions = {}): ByteSource {
  const shape = shapeOf(name);
  const { encoding = shape.encoding, seed = 1 } = options;
  if (!weightEncodings.includes(encoding)) {
    throw invalid(`encoding ${encoding}, expected one of ${weightEncodings.join(', ')}`);
  }
  const tensors = syntheticTensors(shape, encodingByName(encoding)!);
  const header = ggufHeader(syntheticMetadata(name, shape), tensors);
  const pieces = piecesOf(tensors, header.tensorOffsetsBytes, header.tensorBytes, seed);
  const { bytes, fileBytes } = header;

  const sourceName = `synthetic ${name}`;
  return {
    name: sourceName,
    byteLength: fileBytes,
    async read(offsetBytes, lengthBytes, signal) {
      signal?.throwIfAborted();
      checkRange(sourceName, fileBytes, offsetBytes, lengthBytes);
      const out = new Uint8Array(lengthBytes);
      out.set(bytes.subarray(offsetBytes, offsetBytes + lengthBytes));
      for (const piece of pieces) write(piece, offsetBytes, out);
      return out;
    },
    async close() {},
  };
}

function shapeOf(name: string): Shape {
  if (Object.hasOwn(shapes, name)) return shapes[name as SyntheticName];
  throw invalid(`no model "${name}", expected one of ${syntheticNames.join(', ')}`);
}

function invalid(text: string): TernlightError {
  return new TernlightError('invalid-option', `synthetic: ${text}`);
}

/** A tensor, or a part of its rows with scales of their own. */
interface Piece extends Fill {
  phase: number;
  offsetBytes: number;
  lengthBytes: number;
}

function piecesOf(
  tensors: readonly SyntheticTensor[],
  offsetsBytes: readonly number[],
  lengthsBytes: readonly number[],
  seed: number,
): Piece[] {
  const fills = new Map<string, Fill>();
  const pieces: Piece[] = [];
  for (const [i, tensor] of tensors.entries()) {
    const count = 'range' in tensor ? 1 : tensor.rowShards;
    const lengthBytes = lengthsBytes[i]! / count;
    for (let shard = 0; shard < count; shard++) {
      const fill = fillOf(fills, tensor, shard, seed);
      // Each piece begins elsewhere in the pattern.
      const phase = ((pieces.length * 1009 + seed) * fill.blockBytes) % fill.pattern.length;
      pieces.push({ ...fill, phase, offsetBytes: offsetsBytes[i]! + shard * lengthBytes, lengthBytes });
    }
  }
  return pieces;
}

/** Tensors that are alike share one. */
function fillOf(fills: Map<string, Fill>, tensor: SyntheticTensor, shard: number, seed: number): Fill {
  const { encoding, dims } = tensor;
  const [cols, rows = 1] = dims;
  const key = `${encoding.name} ${dims} ${'range' in tensor ? tensor.range : shard}`;
  const known = fills.get(key);
  if (known) return known;
  // Scales of neighbouring shards differ by a tenth; the first has the scale that a whole tensor would have.
  const fill =
    'range' in tensor
      ? numbersFill(encoding, rows, tensor.range, seed)
      : weightsFill(encoding, dims, 1 + shard / 10, seed + cols! + rows);
  fills.set(key, fill);
  return fill;
}

/** What `out`, which stands at `outAt` in the file, has of the piece. */
function write({ pattern, phase, trailer, offsetBytes, lengthBytes }: Piece, outAt: number, out: Uint8Array): void {
  const dataEnd = offsetBytes + lengthBytes - trailer.length;
  const end = Math.min(outAt + out.length, dataEnd);
  for (let at = Math.max(outAt, offsetBytes); at < end; ) {
    const from = (at - offsetBytes + phase) % pattern.length;
    const count = Math.min(end - at, pattern.length - from);
    out.set(pattern.subarray(from, from + count), at - outAt);
    at += count;
  }
  for (let i = 0; i < trailer.length; i++) {
    const at = dataEnd + i - outAt;
    if (at >= 0 && at < out.length) out[at] = trailer[i]!;
  }
}
