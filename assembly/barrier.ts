// The only file that knows about threads. Never called where the memory is not shared: waiting would trap there.
// Words live on cache lines of their own (layout.ts): an arrival counter, an epoch, a count of sleepers.
import { BARRIER_ARRIVED, BARRIER_EPOCH, BARRIER_FAILED, BARRIER_SLEEPERS } from './layout';

const SECOND: i64 = 1_000_000_000;

/**
 * All `threads` threads meet here. Spins `spins` times, then sleeps; the last to arrive wakes sleepers only if there
 * are any. `epoch` counts this thread's barriers from 1 on: the counters never restart, so none is left behind.
 * Traps when another thread has died (BARRIER_FAILED), or after `patience` seconds of sleep in which one has not come.
 */
export function barrier(control: usize, threads: i32, epoch: i32, spins: i32, patience: i32): void {
  // Differences, not comparisons: the counters wrap around after 2^32 arrivals.
  if (atomic.add<i32>(control + BARRIER_ARRIVED, 1) - (threads * epoch - 1) == 0) {
    atomic.store<i32>(control + BARRIER_EPOCH, epoch);
    if (atomic.load<i32>(control + BARRIER_SLEEPERS) > 0) atomic.notify(control + BARRIER_EPOCH, threads);
  } else waitFor(control + BARRIER_EPOCH, control + BARRIER_SLEEPERS, epoch, spins, control + BARRIER_FAILED, patience);
}

/** Returns when the word at `address` has reached `value`; spins first, then sleeps and is counted among the sleepers. */
export function awaitAtLeast(address: usize, sleepers: usize, value: i32, spins: i32): void {
  waitFor(address, sleepers, value, spins, address, FOREVER);
}

/** Patience below 0: no word is asked whether a thread died. */
const FOREVER = -1;

function waitFor(address: usize, sleepers: usize, value: i32, spins: i32, failed: usize, patience: i32): void {
  while (spins-- > 0) if (atomic.load<i32>(address) - value >= 0) return;
  atomic.add<i32>(sleepers, 1);
  sleepUntil(address, value, failed, patience);
  atomic.sub<i32>(sleepers, 1);
}

/**
 * Waits until the word at `address` has reached `value`.
 * A function of its own, and recursive so that it is not inlined: the baseline compiler of V8 11 (Node 20) sets a
 * function's last local to 0 when it waits. Here that is `seen`, which is not needed any more.
 */
function sleepUntil(address: usize, value: i32, failed: usize, patience: i32): void {
  const seen = atomic.load<i32>(address);
  if (seen - value >= 0) return;
  if (patience == 0 || (patience > 0 && atomic.load<i32>(failed) != 0)) unreachable();
  atomic.wait<i32>(address, seen, patience < 0 ? -1 : SECOND);
  sleepUntil(address, value, failed, patience - 1);
}
