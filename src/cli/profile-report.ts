// A profile as a table for people and as JSON for programs.
import type { ModelInfo } from '../index.ts';
import type { Phase, Profile, RoleTime } from '../runtime/profile.ts';
import { bytes, figure, table } from './text.ts';

/** Of a decode step: bytes it reads a second, as a part of what memory gives. */
function decodeOfRead({ decode, read }: Profile): number {
  return rate(decode.bytes, decode.ms) / read.bytesPerSecond;
}

export function profileJson(profile: Profile, info: ModelInfo): Record<string, unknown> {
  const { name, runtime, build, kernels, kv, head, threads } = info;
  return {
    ...{ model: name, runtime, build, kernels, kv, head, threads },
    prefill: phaseJson(profile.prefill),
    decode: phaseJson(profile.decode),
    read: profile.read,
    decodeOfRead: decodeOfRead(profile),
  };
}

function phaseJson(phase: Phase): Record<string, unknown> {
  const { tokens, ms, bytes } = phase;
  const roles = phase.roles.map(({ role, calls, ...sum }) => ({
    ...{ role, calls, ms: sum.ms, waitMs: sum.waitMs, share: sum.ms / ms },
    ...{ bytes: sum.bytes, bytesPerSecond: rate(sum.bytes, sum.ms) },
  }));
  const host = { ms: hostMs(phase), share: hostMs(phase) / ms };
  return { tokens, ms, tokensPerSecond: (1000 * tokens) / ms, bytes, bytesPerSecond: rate(bytes, ms), roles, host };
}

export function profileReport(profile: Profile, info: ModelInfo): string {
  const { prefill, decode, read } = profile;
  const threads = info.threads === 1 ? '1 thread' : `${info.threads} threads`;
  const memory = `${bytes(read.regionBytes)} from end to end at ${rateText(read.bytesPerSecond)}`;
  const step = `${bytes(Math.round(decode.bytes / decode.tokens))} at ${rateText(rate(decode.bytes, decode.ms))}`;
  return [
    `${info.name}; ${info.runtime}, ${info.build}, ${threads}; `,
    `kernels ${info.kernels.decode} (decode), ${info.kernels.prefill} (prefill); kv ${info.kv}, head ${info.head}\n\n`,
    `prefill, ${prefill.tokens} tokens at ${speed(prefill)}; of the whole prompt:\n`,
    phaseTable(prefill, 1, info.threads),
    `\ndecode, ${decode.tokens} tokens at ${speed(decode)}; of one token:\n`,
    phaseTable(decode, decode.tokens, info.threads),
    `\n${threads} read${info.threads === 1 ? 's' : ''} ${memory} here; `,
    `a decode step reads ${step}, ${(100 * decodeOfRead(profile)).toFixed(0)} % of that\n`,
  ].join('');
}

/** A row for each role; what stands in it is a sum divided by `parts`. */
function phaseTable(phase: Phase, parts: number, threads: number): string {
  const row = (name: string, { calls, ms, waitMs, bytes: size }: Omit<RoleTime, 'role'>) => [
    ...[name, calls > 0 ? String(Number((calls / parts).toFixed(1))) : '', decimal(ms / parts)],
    ...(threads > 1 ? [calls > 0 ? decimal(waitMs / parts) : ''] : []),
    ((100 * ms) / phase.ms).toFixed(1),
    ...(size > 0 ? [bytes(Math.round(size / parts)), decimal(rate(size, ms) / 1e9)] : ['', '']),
  ];
  const sum = (of: (role: RoleTime) => number) => phase.roles.reduce((n, role) => n + of(role), 0);
  const total = { calls: sum((r) => r.calls), ms: phase.ms, waitMs: sum((r) => r.waitMs), bytes: phase.bytes };
  const header = ['', 'calls', 'ms', ...(threads > 1 ? ['wait ms'] : []), 'share %', 'bytes', 'GB/s'];
  return table(
    [
      header,
      ...phase.roles.map((role) => row(role.role, role)),
      row('host', { calls: 0, ms: hostMs(phase), waitMs: 0, bytes: 0 }),
      row('total', total),
    ],
    header.map((_, i) => i).slice(1),
  );
}

/** Three digits, but not of what is next to nothing. */
function decimal(value: number): string {
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3);
}

/** What is between the stages: JavaScript that hands over ids and copies logits, and whoever else had the thread. */
function hostMs({ ms, roles }: Phase): number {
  return roles.reduce((n, role) => n - role.ms, ms);
}

function speed({ tokens, ms }: Phase): string {
  return `${figure((1000 * tokens) / ms)} tok/s`;
}

function rateText(bytesPerSecond: number): string {
  return `${figure(bytesPerSecond / 1e9)} GB/s`;
}

/** Bytes a second; 0 for what is too short for the clock. */
function rate(bytes: number, ms: number): number {
  return ms > 0 ? (1000 * bytes) / ms : 0;
}
