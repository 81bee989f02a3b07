// Where the time of a prompt and of single tokens goes: each stage's time beside what it has to read (docs/PROFILE.md).
import { TernlightError } from '../errors.ts';
import { PLAN_HEAD } from '../plan/plan.ts';
import type { Engine, TimedWalk } from './engine.ts';
import { type StageBytes, stageBytes, weightsByAddress } from './profile-bytes.ts';
import { measureRead, type ReadRate } from './profile-read.ts';
import { layersOf, ROLES, type Role, roleOf } from './profile-roles.ts';

export interface ProfileOptions {
  /** Tokens of the prompt, and single tokens after it. */
  promptTokens: number;
  tokens: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** A stage of one walk. Times are those of thread 0, in milliseconds. */
export interface StageTime {
  readonly label: string;
  readonly role: Role;
  readonly layer: number | undefined;
  /** Since the phase began. */
  readonly startMs: number;
  /** Until all threads were done, and how much of it thread 0 waited for the others. */
  readonly ms: number;
  readonly waitMs: number;
  /** What it must read at least. */
  readonly bytes: number;
}

/** One way through a plan. */
export interface WalkTime {
  readonly name: string;
  /** Of the first token. */
  readonly position: number;
  readonly tokens: number;
  readonly stages: readonly StageTime[];
}

/** Sums of a phase. */
export interface RoleTime {
  readonly role: Role;
  /** Stages. */
  readonly calls: number;
  readonly ms: number;
  readonly waitMs: number;
  readonly bytes: number;
}

export interface Phase {
  readonly tokens: number;
  /** All of it, with what JavaScript does between the stages. */
  readonly ms: number;
  /** Sum over the stages. */
  readonly bytes: number;
  readonly roles: readonly RoleTime[];
  readonly walks: readonly WalkTime[];
}

export interface Profile {
  readonly prefill: Phase;
  readonly decode: Phase;
  /** How fast as many threads read memory here. */
  readonly read: ReadRate;
}

/** The session that is fed: generation knows how prompts are cut into chunks. */
export interface Fed {
  feed(ids: readonly number[], signal?: AbortSignal): Promise<Float32Array>;
  truncate(lengthTokens: number): unknown;
}

/** Single tokens that are computed but not counted. */
const WARM_TOKENS = 8;

/** `session` belongs to `engine`; nothing else may use the engine meanwhile. */
export async function profileEngine(engine: Engine, session: Fed, options: ProfileOptions): Promise<Profile> {
  const { promptTokens, tokens, signal, onProgress } = options;
  check('promptTokens', promptTokens, engine);
  check('tokens', tokens, engine);
  // Which tokens they are does not matter, except that they should not all share a row of the embedding.
  const ids = Array.from({ length: promptTokens + tokens }, (_, i) => (i * 7919 + 13) % engine.config.vocabSize);
  const prompt = ids.slice(0, promptTokens);
  const singles = ids.slice(promptTokens);
  const warm = Math.min(WARM_TOKENS, tokens);
  const total = 2 + warm + tokens;
  let done = 0;
  const feed = async (some: readonly number[]) => {
    await session.feed(some, signal);
    onProgress?.(++done, total);
  };
  const decode = async (some: readonly number[]) => {
    for (const id of some) await feed([id]);
  };
  // The engine compiles the kernels while they run for the first time.
  await feed(prompt);
  await decode(singles.slice(0, warm));
  session.truncate(0);
  const phases = {
    prefill: await timed(engine, promptTokens, () => feed(prompt)),
    decode: await timed(engine, tokens, () => decode(singles)),
  };
  return { ...phases, read: await measureRead(engine.platform, engine.threads) };
}

function check(name: string, value: number, { capacity }: Engine): void {
  if (!Number.isInteger(value) || value < 1 || value > capacity)
    throw new TernlightError(
      'invalid-option',
      `profile: ${name} is ${value}, expected an integer from 1 to ${capacity}`,
    );
}

async function timed(engine: Engine, tokens: number, run: () => Promise<void>): Promise<Phase> {
  const walks: TimedWalk[] = [];
  engine.observe((walk) => walks.push(walk));
  const started = performance.now();
  try {
    await run();
  } finally {
    engine.observe(undefined);
  }
  const ms = performance.now() - started;
  const described = new Map(walks.map(({ plan }) => [plan, describe(engine, plan)]));
  const times = walks.map((walk) => walkTime(walk, described.get(walk.plan)!, started));
  const roles = sums(times);
  return { tokens, ms, bytes: roles.reduce((n, role) => n + role.bytes, 0), roles, walks: times };
}

interface Described {
  readonly label: string;
  readonly role: Role;
  readonly layer: number | undefined;
  readonly bytes: StageBytes;
}

function describe(engine: Engine, index: number): Described[] {
  const plan = engine.plans[index]!;
  const weights = weightsByAddress(engine.weights);
  const layers = layersOf(plan);
  return plan.map((stage, i) => ({
    label: stage.label,
    role: roleOf(stage.label),
    layer: layers[i],
    bytes: stageBytes(stage, engine.config, weights),
  }));
}

function walkTime(walk: TimedWalk, stages: readonly Described[], startedMs: number): WalkTime {
  const { plan, position, tokens, times } = walk;
  const last = position + tokens - 1;
  const name = plan === PLAN_HEAD ? 'head' : tokens === 1 ? `token ${position}` : `tokens ${position} to ${last}`;
  return {
    name,
    position,
    tokens,
    stages: stages.map(({ bytes, ...stage }, i) => {
      const [start, worked, ended] = [times[2 * i]!, times[2 * i + 1]!, times[2 * i + 2]!];
      return {
        ...stage,
        startMs: start - startedMs,
        ms: ended - start,
        waitMs: ended - worked,
        bytes: bytes.fixed + bytes.perToken * tokens + bytes.perPosition * (position + tokens),
      };
    }),
  };
}

function sums(walks: readonly WalkTime[]): RoleTime[] {
  const stages = walks.flatMap((walk) => walk.stages);
  return ROLES.map((role) => {
    const own = stages.filter((stage) => stage.role === role);
    const sum = (of: (stage: StageTime) => number) => own.reduce((n, stage) => n + of(stage), 0);
    return { role, calls: own.length, ms: sum((s) => s.ms), waitMs: sum((s) => s.waitMs), bytes: sum((s) => s.bytes) };
  }).filter(({ calls }) => calls > 0);
}
