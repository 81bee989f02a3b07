// Which slots there are of an address: the states of its file that were kept, the newest last.
import type { Backend, Slot, SlotRecord } from './backend.ts';
import { sha256Hex } from './sha256.ts';

const keyDigits = 20;

/** Of the whole address but its fragment: a query may choose the file. It tells nothing of what may be secret in it. */
export function keyOf(url: string): string {
  return sha256Hex(url.replace(/#.*$/s, '')).slice(0, keyDigits);
}

/** Slots with a readable record; of one address with `key` only. */
export async function listSlots(backend: Backend, key = ''): Promise<Slot[]> {
  const slots: Slot[] = [];
  for (const id of await backend.slots()) {
    if (!id.startsWith(key)) continue;
    const record = parse(await backend.readRecord(id));
    if (record) slots.push({ id, record });
  }
  return slots.sort((a, b) => generation(a.id) - generation(b.id));
}

/** The id that comes after those that are there, whether their records can be read or not. */
export async function nextId(backend: Backend, key: string): Promise<string> {
  const taken = (await backend.slots()).filter((id) => id.startsWith(key)).map(generation);
  return `${key}-${Math.max(0, ...taken) + 1}`;
}

export async function removeAll(backend: Backend, key: string, but?: string): Promise<void> {
  for (const id of await backend.slots()) if (id.startsWith(key) && id !== but) await backend.remove(id);
}

export async function writeRecord(backend: Backend, id: string, record: SlotRecord): Promise<Slot> {
  await backend.writeRecord(id, JSON.stringify(record));
  return { id, record };
}

export async function isComplete(backend: Backend, slot: Slot): Promise<boolean> {
  const { bytes, pieceBytes } = slot.record;
  return (await backend.pieces(slot)).size === Math.ceil(bytes / pieceBytes);
}

function generation(id: string): number {
  return Number(id.slice(keyDigits + 1)) || 0;
}

/** Undefined for what is not ours or was cut short. */
function parse(text: string | undefined): SlotRecord | undefined {
  try {
    const record = JSON.parse(text ?? '') as SlotRecord;
    return record.url && record.bytes >= 0 && record.pieceBytes > 0 ? record : undefined;
  } catch {
    return undefined;
  }
}
