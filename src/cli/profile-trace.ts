// A profile as trace events, which ui.perfetto.dev and chrome://tracing show: a track for each phase, on it the walks, and
// within a walk its stages. https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
import type { ModelInfo } from '../index.ts';
import type { Profile, WalkTime } from '../runtime/profile.ts';

/** `ts` and `dur` are microseconds. */
export interface TraceEvent {
  name: string;
  cat?: string;
  /** X: complete, with a beginning and a length; M: names a process or a track. */
  ph: 'X' | 'M';
  ts?: number;
  dur?: number;
  pid: number;
  tid?: number;
  args: Record<string, unknown>;
}

const PROCESS = 1;
const PHASES = ['prefill', 'decode'] as const;

/** JSON in pieces: a trace of many tokens is long. */
export function* traceText(profile: Profile, info: ModelInfo): Generator<string> {
  const { name, runtime, build, kernels, threads } = info;
  const about = { model: name, runtime, build, kernels: kernels.decode, threads };
  yield `{"displayTimeUnit":"ms","otherData":${JSON.stringify(about)},"traceEvents":[\n`;
  const named = [metadata('process_name', undefined, `ternlight: ${name}`)];
  PHASES.forEach((phase, i) => {
    named.push(metadata('thread_name', i + 1, phase));
  });
  yield named.map((event) => JSON.stringify(event)).join(',\n');
  let offsetMs = 0;
  for (const [i, phase] of PHASES.entries()) {
    for (const walk of profile[phase].walks)
      yield walkEvents(walk, phase, i + 1, offsetMs)
        .map((event) => `,\n${JSON.stringify(event)}`)
        .join('');
    offsetMs += profile[phase].ms;
  }
  yield '\n]}\n';
}

function metadata(name: string, tid: number | undefined, value: string): TraceEvent {
  return { name, ph: 'M', pid: PROCESS, tid, args: { name: value } };
}

/** The walk and its stages, each within what surrounds it. */
function walkEvents(
  { name, position, tokens, stages }: WalkTime,
  cat: string,
  tid: number,
  offsetMs: number,
): TraceEvent[] {
  const on = { cat, ph: 'X' as const, pid: PROCESS, tid };
  const first = stages[0]!;
  const last = stages[stages.length - 1]!;
  const whole = span(offsetMs + first.startMs, offsetMs + last.startMs + last.ms);
  const children = stages.map(({ label, role, layer, startMs, ms, waitMs, bytes }) => ({
    name: role === 'other' ? label : role,
    ...on,
    ...span(offsetMs + startMs, offsetMs + startMs + ms),
    args: {
      label,
      layer,
      bytes,
      'GB/s': bytes > 0 ? rounded(bytes / (1e6 * ms)) : undefined,
      'wait us': rounded(1000 * waitMs),
    },
  }));
  return [{ name, ...on, ...whole, args: { position, tokens } }, ...children];
}

/** Both ends are rounded, not the length: a stage never ends after its walk. */
function span(startMs: number, endMs: number): { ts: number; dur: number } {
  const start = Math.round(1e6 * startMs);
  return { ts: start / 1000, dur: (Math.round(1e6 * endMs) - start) / 1000 };
}

/** JSON has no infinity, which a stage too short for the clock would have. */
function rounded(value: number): number | undefined {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : undefined;
}
