// BitMamba-2's own .bin: five numbers, then tensors in a fixed order, each behind a small header. Shown as any other
// model file: metadata under GGUF-like keys, tensors under GGUF-like names. The five numbers decide every shape, so
// each tensor's header is checked against them, and the file must end where the last tensor does. Reads headers only.

import { TernlightError } from '../errors.ts';
import { bitmambaTernary } from './bitmamba-encoding.ts';
import { type BitmambaShape, type BitmambaTensor, bitmambaTensors } from './bitmamba-layout.ts';
import { encodingByName } from './encodings/index.ts';
import { type MetadataEntry, MetadataMap } from './metadata.ts';
import { isBitmamba, isReversedBitmamba, looksLike } from './sniff.ts';
import type { ByteSource, Encoding, ModelFile, TensorInfo } from './types.ts';

const headerBytes = 20;

/**
 * Reads the header and every tensor's own. Offsets only rise, but they go through the whole file: the weights can be
 * read afterwards only where the source has random access (or the file is small).
 * Throws TernlightError: 'invalid-file' for what breaks the format, 'unsupported' for what is not done here.
 */
export async function readBitmamba(source: ByteSource, signal?: AbortSignal): Promise<ModelFile> {
  const shape = checkShape(source.name, await readPreamble(source, signal));
  const tensors: TensorInfo[] = [];
  let at = headerBytes;
  for (const expected of bitmambaTensors(shape)) {
    const info = await readTensor(source, at, expected, signal);
    tensors.push(info);
    at = info.offsetBytes + info.lengthBytes;
  }
  if (source.byteLength !== undefined && source.byteLength !== at) {
    throw invalid(source.name, `has ${source.byteLength} bytes, expected ${at}, where the last tensor ends`);
  }
  return { source, format: 'BitMamba', metadata: metadataOf(source.name, shape), tensors };
}

async function readPreamble(source: ByteSource, signal: AbortSignal | undefined): Promise<DataView> {
  const length = Math.min(headerBytes, source.byteLength ?? headerBytes);
  const bytes = await source.read(0, length, signal);
  if (isReversedBitmamba(bytes)) {
    throw new TernlightError(
      'unsupported',
      `bitmamba: ${source.name} has its magic reversed: it is big-endian, expected little-endian; export the model anew`,
    );
  }
  if (!isBitmamba(bytes)) {
    throw invalid(source.name, `is not a BitMamba file: it looks like ${looksLike(bytes)}`);
  }
  if (length < headerBytes) {
    throw invalid(source.name, `is cut short: has ${length} bytes, the header ends at ${headerBytes}`);
  }
  return viewOf(bytes);
}

function checkShape(fileName: string, header: DataView): BitmambaShape {
  const [vocab, dim, nLayers, nHeads] = [4, 8, 12, 16].map((at) => header.getInt32(at, true)) as [
    number,
    number,
    number,
    number,
  ];
  const check = (what: string, value: number, max: number) => {
    if (value < 1 || value > max) throw invalid(fileName, `${what} is ${value}, expected 1 to ${max}`);
  };
  check('vocab', vocab, 2 ** 24);
  check('d_model', dim, 2 ** 20);
  check('n_layers', nLayers, 1024);
  check('n_heads', nHeads, 2 ** 16);
  if (dim % 4 !== 0) throw invalid(fileName, `d_model is ${dim}, expected a multiple of 4`);
  const innerDim = 2 * dim;
  if (innerDim % nHeads !== 0) {
    throw invalid(fileName, `n_heads is ${nHeads}, expected a divisor of ${innerDim}, twice d_model`);
  }
  if ((innerDim / nHeads) % 4 !== 0) {
    throw new TernlightError(
      'unsupported',
      `bitmamba: ${fileName}: the head dimension is ${innerDim / nHeads}, expected a multiple of 4`,
    );
  }
  return { vocab, dim, innerDim, nLayers, nHeads };
}

/** Reads the tensor's header at `at`, which its kind and shape leave no freedom but the scale. */
async function readTensor(
  source: ByteSource,
  at: number,
  { name, shape, ternary }: BitmambaTensor,
  signal: AbortSignal | undefined,
): Promise<TensorInfo> {
  const where = `tensor ${name}`;
  // Type, and rows, columns, scale or the number of dimensions and they themselves.
  const offsetBytes = at + (ternary ? 16 : 8 + 4 * shape.length);
  const elems = shape.reduce((a, b) => a * b, 1);
  const lengthBytes = ternary ? elems / 4 : elems * 4;
  const header = viewOf(await source.read(at, clamp(offsetBytes, source.byteLength) - at, signal));
  const int = (index: number) => (4 * index + 4 <= header.byteLength ? header.getInt32(4 * index, true) : undefined);

  const type = int(0);
  if (type !== undefined && type !== (ternary ? 2 : 0)) throw wrongType(source.name, where, type, ternary);
  const nDims = ternary ? 2 : int(1);
  if (nDims !== undefined && nDims !== shape.length) {
    throw invalid(source.name, `${where} has ${nDims} dimensions, expected ${shape.length}`);
  }
  const dims = shape.map((_, i) => int(i + (ternary ? 1 : 2)));
  if (dims.some((dim, i) => dim !== undefined && dim !== shape[i])) {
    throw invalid(source.name, `${where} has shape [${dims.join(', ')}], expected [${shape.join(', ')}]`);
  }
  const endBytes = offsetBytes + lengthBytes;
  if (source.byteLength !== undefined && endBytes > source.byteLength) {
    throw invalid(
      source.name,
      `the file is cut short: has ${source.byteLength} bytes, ${where} ends at ${endBytes}; download it again`,
    );
  }
  const encoding: Encoding = ternary ? bitmambaTernary : encodingByName('F32')!;
  // Fastest first, and without the convolution's middle dimension of 1.
  const info = { name, dims: shape.filter((_, i) => i !== 1 || shape.length < 3).reverse(), encoding };
  if (!ternary) return { ...info, offsetBytes, lengthBytes };
  return { ...info, offsetBytes, lengthBytes, scale: inverse(source.name, where, header.getFloat32(12, true)) };
}

/** The file holds what to divide by. */
function inverse(fileName: string, where: string, divisor: number): number {
  const scale = Math.fround(1 / divisor);
  if (divisor > 0 && scale > 0 && Number.isFinite(scale)) return scale;
  throw invalid(fileName, `${where} has the scale ${divisor}, expected a finite number above 0`);
}

function metadataOf(fileName: string, shape: BitmambaShape): MetadataMap {
  const name = fileName.replace(/^.*[\\/]/s, '').replace(/\.bin$/i, '');
  const integer = (value: number): MetadataEntry => ({ type: 'u32', value });
  const string = (value: string): MetadataEntry => ({ type: 'string', value });
  return new MetadataMap(
    new Map([
      ['general.architecture', string('bitmamba2')],
      ['general.name', string(name || fileName)],
      ['bitmamba2.vocab_size', integer(shape.vocab)],
      ['bitmamba2.context_length', integer(2 ** 20)], // a state of constant size knows no limit
      ['bitmamba2.embedding_length', integer(shape.dim)],
      ['bitmamba2.block_count', integer(shape.nLayers)],
      ['bitmamba2.ssm.inner_size', integer(shape.innerDim)],
      ['bitmamba2.ssm.head_count', integer(shape.nHeads)],
      ['bitmamba2.ssm.conv_kernel', integer(4)],
      ['bitmamba2.attention.layer_norm_rms_epsilon', { type: 'f32', value: Math.fround(1e-6) }],
    ]),
  );
}

function wrongType(fileName: string, where: string, type: number, ternary: boolean): TernlightError {
  const name = type === 0 ? '0 (floats)' : type === 2 ? '2 (ternary)' : `${type}`;
  const text = `${where} has type ${name}, expected ${ternary ? '2 (ternary)' : '0 (floats)'}`;
  if (type !== 0 && type !== 2) return invalid(fileName, text);
  return new TernlightError('unsupported', `bitmamba: ${fileName}: ${text}; export the model anew`);
}

function invalid(fileName: string, text: string): TernlightError {
  return new TernlightError('invalid-file', `bitmamba: ${fileName}: ${text}`);
}

function clamp(endBytes: number, fileBytes: number | undefined): number {
  return Math.min(endBytes, fileBytes ?? endBytes);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
