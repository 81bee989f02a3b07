// GGUF, versions 2 and 3: bytes from a stranger -> metadata and a table of tensors. Reads from the front, a MiB at a
// time, and stops soon after the header. Every count, length and offset is checked before anything is allocated for
// it. Knows no model and reads no tensor.

import { TernlightError } from '../errors.ts';
import { Cursor, NeedMore } from './gguf-cursor.ts';
import { placeTensors, readTensorInfo } from './gguf-tensors.ts';
import { readValue } from './gguf-values.ts';
import { type MetadataEntry, MetadataMap } from './metadata.ts';
import { looksLike } from './sniff.ts';
import type { ByteSource, ModelFile, TensorInfo } from './types.ts';

const stepBytes = 1 << 20;
/** Below what a sequential source keeps, so that tensor data that was read with the header can be read again. */
const maxStepBytes = 3 << 20;
/** The largest known header is 8 MB. */
const maxHeaderBytes = 128 << 20;
const maxKeyBytes = 65535;
const maxAlignment = 1 << 30;

/**
 * Reads the header. Throws TernlightError: 'invalid-file' for what breaks the format, 'unsupported' for what is well
 * formed but not done here, 'io' from the source.
 * @param isPart a file of several that make up a model is not refused
 */
export async function readGguf(
  source: ByteSource,
  signal?: AbortSignal,
  isPart = false,
): Promise<ModelFile & { version: number }> {
  const reader = new HeaderReader(source, signal);
  const cursor = reader.cursor;
  const { version, nTensors, nKeys } = await reader.parse(() => readPreamble(cursor, reader.bytes));

  cursor.where = 'metadata';
  await reader.parse(() => cursor.need(nKeys * 13)); // the shortest key: 8 + 0, type, a byte
  const entries = new Map<string, MetadataEntry>();
  for (let i = 0; i < nKeys; i++) {
    await reader.parse(() => {
      cursor.where = `metadata key ${i}`;
      const key = cursor.string(maxKeyBytes);
      cursor.where = `metadata ${quote(key)}`;
      if (entries.has(key)) throw cursor.fault('is there twice');
      entries.set(key, readValue(cursor));
    });
  }
  const metadata = new MetadataMap(entries);
  refuseVariants(source.name, metadata, isPart);
  const alignment = alignmentOf(source.name, metadata);

  cursor.where = 'tensor table';
  await reader.parse(() => cursor.need(nTensors * 32)); // the shortest entry: 8 + 0, one dimension, type, offset
  const infos: TensorInfo[] = [];
  for (let i = 0; i < nTensors; i++) infos.push(await reader.parse(() => readTensorInfo(cursor, i)));
  const dataOffsetBytes = Math.ceil(cursor.at / alignment) * alignment;
  const tensors = placeTensors(source.name, infos, dataOffsetBytes, alignment, source.byteLength);
  return { source, format: `GGUF v${version}`, version, metadata, tensors };
}

function readPreamble(cursor: Cursor, bytes: Uint8Array): { version: number; nTensors: number; nKeys: number } {
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (magic !== 'GGUF') throw notGguf(cursor.fileName, bytes);
  cursor.at = 4;
  const version = cursor.u32();
  // Big-endian files have no mark of their own: their version reads with its bytes swapped.
  if (version !== 0 && version % 65536 === 0) {
    throw new TernlightError(
      'unsupported',
      `gguf: ${cursor.fileName} is a big-endian file, expected little-endian; convert the model anew`,
    );
  }
  if (version !== 2 && version !== 3) {
    throw new TernlightError(
      'unsupported',
      `gguf: ${cursor.fileName} is of version ${version}, expected 2 or 3; convert the model anew`,
    );
  }
  return { version, nTensors: cursor.count(), nKeys: cursor.count() };
}

function notGguf(fileName: string, bytes: Uint8Array): TernlightError {
  return new TernlightError(
    'invalid-file',
    `gguf: ${fileName} is not a GGUF file: it looks like ${looksLike(bytes.subarray(0, 256))}`,
  );
}

/** What would load without complaint and then answer with noise. */
function refuseVariants(fileName: string, metadata: MetadataMap, isPart: boolean): void {
  const rotated = metadata.keys.find((key) => key.startsWith('prism.hadamard.'));
  if (rotated) {
    throw new TernlightError(
      'unsupported',
      `gguf: ${fileName}: the weights are rotated (metadata ${quote(rotated)}), which is not supported; use a file without rotation`,
    );
  }
  const parts = metadata.integer('split.count') ?? 1;
  if (parts > 1 && !isPart) {
    throw new TernlightError(
      'unsupported',
      `gguf: ${fileName} is one of ${parts} parts of a model, expected one file; join them with llama-gguf-split --merge`,
    );
  }
}

function alignmentOf(fileName: string, metadata: MetadataMap): number {
  const alignment = metadata.integer('general.alignment') ?? 32;
  const fine = alignment >= 8 && alignment <= maxAlignment && Number.isInteger(Math.log2(alignment));
  if (fine) return alignment;
  throw new TernlightError(
    'invalid-file',
    `gguf: ${fileName}: general.alignment is ${alignment}, expected a power of two from 8 to ${maxAlignment}`,
  );
}

/** Long or strange names must not fill the message. */
function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name);
}

/** The front of the source, growing as the parser asks for it. */
class HeaderReader {
  readonly cursor: Cursor;
  /** What has been read: the file from its start. */
  bytes: Uint8Array = new Uint8Array(0);
  /** `bytes` and room for more. */
  private buffer: Uint8Array = this.bytes;

  constructor(
    private readonly source: ByteSource,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.cursor = new Cursor(source.name, source.byteLength);
  }

  /** Runs `step` until the bytes suffice; each try starts where the first one did. Nothing earlier is parsed again. */
  async parse<T>(step: () => T): Promise<T> {
    const start = this.cursor.at;
    if (this.bytes.byteLength === 0) await this.grow(1);
    for (;;) {
      try {
        return step();
      } catch (error) {
        if (!(error instanceof NeedMore)) throw error;
        this.cursor.at = start;
        while (this.bytes.byteLength < error.endBytes) await this.grow(error.endBytes);
      }
    }
  }

  /** Reads on, towards `endBytes` but a step only: who asks for much must show that it is there. */
  private async grow(endBytes: number): Promise<void> {
    const have = this.bytes.byteLength;
    if (endBytes > maxHeaderBytes) {
      throw this.cursor.fault(
        `ends at byte ${endBytes} or later, expected a header of at most ${maxHeaderBytes} bytes`,
      );
    }
    const step = Math.min(Math.max(stepBytes, endBytes - have, Math.floor(have / 4)), maxStepBytes);
    const more = await this.readUpTo(have, step);
    if (more.byteLength === 0) {
      if (have === 0) throw notGguf(this.source.name, more);
      this.cursor.need(endBytes - this.cursor.at);
    }
    if (have + more.byteLength > this.buffer.byteLength) {
      const bigger = new Uint8Array(Math.max(have + more.byteLength, this.buffer.byteLength * 2));
      bigger.set(this.bytes);
      this.buffer = bigger;
    }
    this.buffer.set(more, have);
    this.bytes = this.buffer.subarray(0, have + more.byteLength);
    this.cursor.refill(this.bytes);
  }

  /** Fewer bytes at the end of the file. */
  private async readUpTo(offset: number, length: number): Promise<Uint8Array> {
    const left = () => Math.max(0, (this.source.byteLength ?? Number.POSITIVE_INFINITY) - offset);
    try {
      return await this.source.read(offset, Math.min(length, left()), this.signal);
    } catch (error) {
      // A stream learns its length when it ends; then the rest can be asked for.
      if (this.cursor.fileBytes !== undefined || this.source.byteLength === undefined) throw error;
      return await this.source.read(offset, Math.min(length, left()), this.signal);
    } finally {
      this.cursor.fileBytes = this.source.byteLength;
    }
  }
}
