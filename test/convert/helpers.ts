// Model files made for tests, conversions into memory, and tensors as numbers.
import { convertModel } from '../../src/convert/convert.ts';
import type { Conversion, ConvertOptions } from '../../src/convert/options.ts';
import { encodingByName } from '../../src/formats/encodings/index.ts';
import { readGguf } from '../../src/formats/gguf.ts';
import { ggufHeader, type MetadataItem } from '../../src/formats/gguf-write.ts';
import { bytesSource } from '../../src/formats/source.ts';
import type { ModelFile, TensorInfo, TernaryEncoding } from '../../src/formats/types.ts';

export interface MadeTensor {
  name: string;
  dims: number[];
  encoding: string;
  data: Uint8Array;
}

/** A GGUF file of these keys and tensors. */
export function makeGguf(metadata: readonly MetadataItem[], tensors: readonly MadeTensor[]): Uint8Array {
  const plans = tensors.map(({ name, dims, encoding }) => ({ name, dims, encoding: encodingByName(encoding)! }));
  const header = ggufHeader(metadata, plans);
  const out = new Uint8Array(header.fileBytes);
  out.set(header.bytes);
  for (const [i, { name, data }] of tensors.entries()) {
    if (data.length !== header.tensorBytes[i]) throw new Error(`${name}: ${data.length}, not ${header.tensorBytes[i]}`);
    out.set(data, header.tensorOffsetsBytes[i]);
  }
  return out;
}

/** Seeded codes 0, 1, 2. */
export function someCodes(elems: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: elems }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * 3);
  });
}

export function ternaryData(encoding: string, codes: Uint8Array, scale: number | ArrayLike<number>): Uint8Array {
  const { blockElems, blockBytes, encode, encodeTrailer } = encodingByName(encoding) as TernaryEncoding;
  const data = new Uint8Array((codes.length / blockElems) * blockBytes);
  const scales =
    typeof scale === 'number' ? new Float32Array(codes.length / blockElems).fill(scale) : Float32Array.from(scale);
  encode!(codes, scales, codes.length, data);
  if (!encodeTrailer) return data;
  return Uint8Array.from([...data, ...encodeTrailer(scale as number)]);
}

export function floatData(numbers: ArrayLike<number>): Uint8Array {
  return new Uint8Array(Float32Array.from(numbers).buffer);
}

/** The keys of a llama of one layer and two heads of 128; convert asks for no more tensors than there are. */
export const llamaKeys: readonly MetadataItem[] = [
  ['general.architecture', 'string', 'llama'],
  ['llama.block_count', 'u32', 1],
  ['llama.context_length', 'u32', 512],
  ['llama.embedding_length', 'u32', 256],
  ['llama.feed_forward_length', 'u32', 512],
  ['llama.attention.head_count', 'u32', 2],
  ['llama.attention.layer_norm_rms_epsilon', 'f32', 1e-5],
];

/** One ternary matrix, of some codes unless they are given. */
export function oneMatrix(
  encoding: string,
  dims: [cols: number, rows: number],
  scale: number | ArrayLike<number>,
  codes = someCodes(dims[0] * dims[1]),
): Uint8Array {
  return makeGguf(llamaKeys, [matrix(encoding, dims, scale, codes)]);
}

export function matrix(
  encoding: string,
  dims: [cols: number, rows: number],
  scale: number | ArrayLike<number>,
  codes = someCodes(dims[0] * dims[1]),
): MadeTensor {
  return { name: 'blk.0.attn_q.weight', dims, encoding, data: ternaryData(encoding, codes, scale) };
}

export function modelFile(bytes: Uint8Array, name?: string): Promise<ModelFile> {
  return readGguf(bytesSource(bytes, name));
}

export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return new Uint8Array(Buffer.concat(all));
}

export async function converted(
  bytes: Uint8Array,
  options: ConvertOptions = {},
): Promise<{ bytes: Uint8Array; file: ModelFile; conversion: Conversion }> {
  const conversion = convertModel(await modelFile(bytes, 'in.gguf'), options);
  const out = await collect(conversion.pieces);
  return { bytes: out, file: await modelFile(out), conversion };
}

export function tensorOf(file: ModelFile, name: string): TensorInfo {
  return file.tensors.find((tensor) => tensor.name === name)!;
}

/** Codes [elems] and a scale for each of them [elems]; of numbers the numbers. */
export async function contents(
  file: ModelFile,
  info: TensorInfo,
): Promise<{ codes: Uint8Array; weights: Float32Array }> {
  const { encoding } = info;
  const elems = info.dims.reduce((a, b) => a * b, 1);
  const bytes = await file.source.read(info.offsetBytes, info.lengthBytes);
  const codes = new Uint8Array(elems);
  const weights = new Float32Array(elems);
  if (encoding.family === 'dense') encoding.decode(bytes, elems, weights);
  else if (encoding.family === 'ternary') {
    const per = encoding.scaleElems === 'tensor' ? elems : encoding.scaleElems;
    const scales = new Float32Array(elems / per);
    encoding.decode(bytes, elems, codes, scales);
    if (encoding.scaleElems === 'tensor') scales[0] = encoding.tensorScale!(bytes.subarray(-encoding.trailerBytes!));
    // Not (codes - 1) * scale by way of -0.
    for (let i = 0; i < elems; i++) weights[i] = codes[i] === 1 ? 0 : (codes[i]! - 1) * scales[Math.floor(i / per)]!;
  } else {
    const bits = new Uint8Array(elems / 8);
    const scales = new Float32Array(elems / encoding.scaleElems);
    encoding.decode(bytes, elems, bits, scales);
    for (let i = 0; i < elems; i++) {
      codes[i] = ((bits[i >> 3]! >> (i & 7)) & 1) * 2;
      weights[i] = (codes[i]! - 1) * scales[Math.floor(i / encoding.scaleElems)]!;
    }
  }
  return { codes, weights };
}
