// What a model file is to the rest: a source of bytes, metadata and tensors. Knows no model and no memory.

/** Random access to bytes. `read` returns exactly `lengthBytes` bytes or throws a TernlightError. */
export interface ByteSource {
  /** For messages: a file name, a URL, "blob". */
  readonly name: string;
  /** Undefined for a stream that does not say how long it is; known from when its end has been met. */
  readonly byteLength: number | undefined;
  /** Reads must go forwards. Default false; may turn true when a server has shown what it does. */
  readonly sequential?: boolean;
  /**
   * Sources without random access (a stream, a server that ignores ranges) take offsets in rising order only; they
   * keep what was read of the last few MiB, so that the end of a header may be read again.
   */
  read(offsetBytes: number, lengthBytes: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Present where bytes can be read without a copy: as read, into all of `target`, which may be shared memory. */
  readInto?(offsetBytes: number, target: Uint8Array, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

interface EncodingBase {
  /** The id in a GGUF tensor info. */
  readonly id: number;
  /** The upstream name: "TQ2_0". */
  readonly name: string;
  /** Elements per block; a row holds whole blocks (except I2_S, whose blocks run on over the whole tensor). */
  readonly blockElems: number;
  readonly blockBytes: number;
  /** Bytes after the last block, for the whole tensor (I2_S: 32). Default 0. */
  readonly trailerBytes?: number;
}

/**
 * Codes whose order a kernel knows (packV32Planes). A row is blocks of blockElems codes: bytes of four codes of the columns
 * j, j + q, j + 2 q, j + 3 q, j = 0 .. q - 1; again, as often as the block has 4 q codes; then what else the block holds.
 */
export interface TernaryPlanes {
  /** q, a multiple of 16. */
  readonly quarterBytes: number;
  /** Which bits of a byte hold column j. */
  readonly firstIn: 'low' | 'high';
  /** The scales alone, as decode gives them; absent where there is one for the tensor. */
  scales?(bytes: Uint8Array, elems: number, scales: Float32Array): void;
}

/** Weights -1, 0, +1 times a scale. Codes are stored as w + 1: 0, 1, 2. */
export interface TernaryEncoding extends EncodingBase {
  readonly family: 'ternary';
  /** Elements that share a scale; 'tensor' if there is one, in the trailer. */
  readonly scaleElems: number | 'tensor';
  /**
   * Decodes whole blocks. bytes [elems / blockElems * blockBytes] -> codes [elems], scales [elems / scaleElems]
   * (not touched where scaleElems is 'tensor'). Throws on a code that is not a ternary one.
   */
  decode(bytes: Uint8Array, elems: number, codes: Uint8Array, scales: Float32Array): void;
  /** Present where a kernel can read the codes of rows of whole blocks as they are. */
  readonly planes?: TernaryPlanes;
  /** Present where scaleElems is 'tensor' and the scale is in the trailer: reads it from the trailer's bytes. */
  tensorScale?(trailer: Uint8Array): number;
  /**
   * Present where files can be written in it: the inverse of decode. Encodes whole blocks; scales as decode gives
   * them; f16 scales are rounded to nearest even. Nothing is written for the trailer.
   */
  encode?(codes: Uint8Array, scales: Float32Array, elems: number, bytes: Uint8Array): void;
  /** Present with encode where there is a trailer: the trailer's bytes for this scale. */
  encodeTrailer?(scale: number): Uint8Array;
}

/** Weights -1, +1 times a scale: a bit is 1 for +1. */
export interface BinaryEncoding extends EncodingBase {
  readonly family: 'binary';
  /** Elements that share a scale. */
  readonly scaleElems: number;
  /**
   * Decodes whole blocks. bytes -> bits [elems / 8], lowest bit first, scales [elems / scaleElems]. Throws on a scale
   * that is not finite.
   */
  decode(bytes: Uint8Array, elems: number, bits: Uint8Array, scales: Float32Array): void;
}

/** Anything else that can be read as numbers. */
export interface DenseEncoding extends EncodingBase {
  readonly family: 'dense';
  /** Decodes whole blocks to f32. bytes [elems / blockElems * blockBytes] -> out [elems] */
  decode(bytes: Uint8Array, elems: number, out: Float32Array): void;
  /**
   * Present where the value is exactly int8 * f32 scale per run of `i8ScaleElems` elements (Q8_0: 32, Q6_K: 16): the
   * same weights at about a byte each. q [elems] i8, scales [elems / i8ScaleElems] f32
   */
  readonly i8ScaleElems?: number;
  decodeI8?(bytes: Uint8Array, elems: number, q: Int8Array, scales: Float32Array): void;
  /** Present where files can be written in it: encodes whole blocks, as llama.cpp's reference quantiser does. */
  encode?(numbers: Float32Array, elems: number, bytes: Uint8Array): void;
}

export type Encoding = TernaryEncoding | BinaryEncoding | DenseEncoding;

export interface TensorInfo {
  readonly name: string;
  /** Fastest-varying first, as in GGUF: a linear layer is [in, out]. */
  readonly dims: readonly number[];
  readonly encoding: Encoding;
  /** Absolute, from the start of the source. */
  readonly offsetBytes: number;
  /** Data and trailer. */
  readonly lengthBytes: number;
  /** The tensor's scale, where the encoding has one for the tensor and the file tells it elsewhere than in a trailer. */
  readonly scale?: number;
}

/** A list of strings kept as bytes; a string is made when it is asked for. */
export interface StringList {
  readonly length: number;
  get(index: number): string;
  /** The UTF-8 bytes, a view. */
  bytes(index: number): Uint8Array;
}

export type MetadataValue =
  | number
  | bigint
  | boolean
  | string
  | StringList
  | readonly number[]
  | Float32Array
  | Int32Array;

/** Typed look-up; each getter throws a TernlightError naming the key, the type found and the type expected. */
export interface Metadata {
  readonly keys: readonly string[];
  has(key: string): boolean;
  raw(key: string): MetadataValue | undefined;
  /** Any integer type of GGUF. */
  integer(key: string): number | undefined;
  /** An integer, or element [layer] of an array of integers. */
  perLayer(key: string, layer: number): number | undefined;
  float(key: string): number | undefined;
  boolean(key: string): boolean | undefined;
  string(key: string): string | undefined;
  strings(key: string): StringList | undefined;
  /** Any numeric array, as f32. */
  floats(key: string): Float32Array | undefined;
  /** Any integer array, as i32. */
  integers(key: string): Int32Array | undefined;
}

/** Several files that make up one model: a folder, a repository, what was dropped on a page. */
export interface FileSet {
  /** For messages: the folder's path, the repository's address. */
  readonly name: string;
  /** Undefined where there is no such file. `path` is relative, with "/". The caller closes what it opens. */
  open(path: string, signal?: AbortSignal): Promise<ByteSource | undefined>;
}

/** A model file that has been understood as far as its header. */
export interface ModelFile {
  readonly source: ByteSource;
  /** "GGUF v3" and the like. */
  readonly format: string;
  readonly metadata: Metadata;
  /** In the order of their offsets. */
  readonly tensors: readonly TensorInfo[];
}
