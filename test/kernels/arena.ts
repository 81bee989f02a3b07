// The tests' memory: named regions at 64-byte boundaries, each followed by a canary from its very last byte on.
// Regions start as junk that reads as NaN, so a kernel that trusts fresh memory, or reads past its input, shows it.

/** As f32 and f64 a NaN, as i8 -127, 90, -59, 127. */
const JUNK = [0x81, 0x5a, 0xc5, 0x7f];
const CANARY_BYTES = 128;

type Typed =
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

interface Region {
  name: string;
  address: number;
  bytes: number;
  /** What an input held when it was put there: kernels may not write to it. */
  input?: Uint8Array;
}

const junk = Uint8Array.from({ length: 1 << 16 }, (_, i) => JUNK[i % 4]!);

export class Arena {
  private next: number;
  private readonly first: number;
  private readonly regions: Region[] = [];

  constructor(
    private readonly memory: WebAssembly.Memory,
    base: number,
  ) {
    this.first = Math.ceil(base / 64) * 64;
    this.fillJunk(this.first, CANARY_BYTES);
    this.next = this.first + CANARY_BYTES;
  }

  /** Address of a new region of junk. */
  region(name: string, bytes: number): number {
    const address = this.next;
    const end = Math.ceil((address + bytes + CANARY_BYTES) / 64) * 64;
    if (end > this.memory.buffer.byteLength) throw new Error(`test arena: ${name} of ${bytes} bytes does not fit`);
    this.fillJunk(address, end - address);
    this.regions.push({ name, address, bytes });
    this.next = end;
    return address;
  }

  /** A region that holds `data`, and must hold it at every check. */
  input(name: string, data: Typed): number {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const address = this.region(name, bytes.length);
    this.u8(address, bytes.length).set(bytes);
    this.regions[this.regions.length - 1]!.input = bytes.slice();
    return address;
  }

  /** A region that holds `data` first and is the kernel's to change. */
  inout(name: string, data: Typed): number {
    const address = this.input(name, data);
    this.regions[this.regions.length - 1]!.input = undefined;
    return address;
  }

  /** The range [first, end) as kernels read it. */
  range(first: number, end: number): number {
    return this.input(`range ${first}..${end}`, Int32Array.of(first, end));
  }

  u8(address: number, count: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, count);
  }

  /** Copies: memory may be shared, and results outlive it. */
  i8(address: number, count: number): Int8Array<ArrayBuffer> {
    return Int8Array.from(new Int8Array(this.memory.buffer, address, count));
  }

  u16(address: number, count: number): Uint16Array<ArrayBuffer> {
    return Uint16Array.from(new Uint16Array(this.memory.buffer, address, count));
  }

  f32(address: number, count: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.u8(address, count * 4).slice().buffer as ArrayBuffer);
  }

  setF32(address: number, data: Float32Array): void {
    new Float32Array(this.memory.buffer, address, data.length).set(data);
  }

  setI32(address: number, value: number): void {
    new Int32Array(this.memory.buffer, address, 1)[0] = value;
  }

  /** Throws if a canary was touched or an input changed. */
  check(): void {
    let name = 'the start';
    let from = this.first;
    for (const region of this.regions) {
      this.checkJunk(`canary after ${name}`, from, region.address);
      if (region.input && Buffer.compare(this.u8(region.address, region.bytes), region.input) !== 0)
        throw new Error(`test arena: input ${region.name} was written to`);
      name = region.name;
      from = region.address + region.bytes;
    }
    this.checkJunk(`canary after ${name}`, from, this.next);
  }

  private checkJunk(what: string, from: number, to: number): void {
    const bytes = this.u8(from, to - from);
    for (let i = 0; i < bytes.length; i++)
      if (bytes[i] !== JUNK[(from + i) % 4]) throw new Error(`test arena: ${what}, byte ${i} was written to`);
  }

  private fillJunk(address: number, count: number): void {
    for (let done = 0; done < count; done += junk.length) {
      const size = Math.min(junk.length, count - done);
      this.u8(address + done, size).set(junk.subarray(0, size));
    }
  }
}
