// A turn for everybody else: timers, aborts, other sessions.

const queue: (() => void)[] = [];
let channel: MessageChannel | undefined;

/** Resolves in a new task, without the 4 ms that timers are clamped to in pages. */
export function nextTask(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve));
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => queue.shift()?.();
  }
  const { port2 } = channel;
  return new Promise((resolve) => {
    queue.push(resolve);
    port2.postMessage(0);
  });
}
