// What a store writes to: slots, each of one state of one file, in pieces. Implemented in platform/.
import { TernlightError } from '../errors.ts';
import type { ByteSource } from '../formats/types.ts';
import type { Hasher } from './sha256.ts';

/** What is known of a slot, kept beside its pieces as JSON. */
export interface SlotRecord {
  /** Without password, query and fragment. */
  readonly url: string;
  readonly bytes: number;
  /** Of every piece but the last. */
  readonly pieceBytes: number;
  /** Entity tag or date of change, where the server told one. */
  readonly version?: string;
  /** Only where it was compared with an expected one. */
  readonly sha256?: string;
  /** All pieces are there and have been checked. */
  readonly whole: boolean;
  /** The server said that there is no such file: that is kept too, so that no request is needed to know it. */
  readonly absent?: true;
  /** When it became whole, else when it was begun: milliseconds since 1970. */
  readonly savedMs: number;
}

export interface Slot {
  /** Letters, digits, "-": who has it can make file names of it. */
  readonly id: string;
  readonly record: SlotRecord;
}

/** Every method throws TernlightError 'storage' with what failed and why. */
export interface Backend {
  /** For messages: the folder's path, "OPFS". */
  readonly name: string;
  /** Ids of slots that have a record. */
  slots(): Promise<string[]>;
  /** Undefined where there is none. */
  readRecord(id: string): Promise<string | undefined>;
  /** All or nothing, where the system can. */
  writeRecord(id: string, text: string): Promise<void>;
  /** Which pieces are there as a whole. */
  pieces(slot: Slot): Promise<Set<number>>;
  /** Once it returns the piece is there, whatever happens then; before, it is not. */
  write(slot: Slot, index: number, bytes: Uint8Array | Blob): Promise<void>;
  /** Reads pieces that are there; they may still be coming. */
  open(slot: Slot): Promise<ByteSource>;
  /** Record and pieces; nothing happens where they are not. */
  remove(id: string): Promise<void>;
  /** Undefined while somebody else has it: another tab, process or caller. A dead holder's lock does not count. */
  tryLock(name: string): Promise<(() => Promise<void>) | undefined>;
  /** Undefined where the system does not tell. */
  freeBytes(): Promise<number | undefined>;
  /** Asks that nothing is evicted when space runs short; whether that is so now. */
  persist(): Promise<boolean>;
  /** Faster than ours. */
  hasher?(): Hasher;
}

/** Where there is too little space. */
export const cure = 'remove models that are not needed, or go on with cache: false';

/** A failure of the system's storage in our words. @param what "could not be written" and the like */
export function storageError(name: string, what: string, cause: unknown): TernlightError {
  if (cause instanceof TernlightError) return cause;
  const { code, name: kind, message } = cause as { code?: unknown; name?: string; message?: string };
  const why = reasons[String(code)] ?? reasons[String(kind)] ?? `: ${message ?? cause}`;
  return new TernlightError('storage', `store: ${name} ${what}${why}`, { cause });
}

const full = `: the space is used up; ${cure}`;
const denied = ': it is not allowed here (a private window, or missing permissions); go on with cache: false';
const reasons: Record<string, string> = {
  QuotaExceededError: full,
  ENOSPC: full,
  EDQUOT: full,
  SecurityError: denied,
  NotAllowedError: denied,
  EACCES: denied,
  EPERM: denied,
  EROFS: ': the disk is read-only; choose another folder with TERNLIGHT_CACHE',
};
