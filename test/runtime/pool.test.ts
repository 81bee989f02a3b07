// Threads that die: an error, not a hang, and the same for every later call.
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { Model } from '../../src/generate/model.ts';
import { loadModel } from '../../src/load.ts';
import { NoWorkerError } from '../../src/platform/no-worker.ts';
import { nodePlatform } from '../../src/platform/node.ts';
import type { Platform } from '../../src/platform/platform.ts';

const model = fileURLToPath(new URL('../../model/tinystories-bitnet-11m.gguf', import.meta.url));
const platform = nodePlatform();
const opened: Model[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.dispose();
});

async function open(how: Partial<Platform>, threads = 3): Promise<Model> {
  const loaded = await loadModel(model, { threads }, { ...platform, ...how });
  opened.push(loaded);
  return loaded;
}

const answer = (of: Model) => of.generate('Once', { temperature: 0, maxTokens: 20 }).summary();

describe('a thread', () => {
  it('that throws in the middle of a plan releases the others', async () => {
    // The walker takes its chunks by Atomics.add.
    const spoiled = `const add = Atomics.add; let n = 0;
      Atomics.add = (...args) => { if (++n === 300) throw new Error('no luck'); return add(...args); };`;
    const running = await open({ spawn: (role, text) => platform.spawn(role, spoiled + text) });
    const first = await answer(running).catch((error) => error);
    expect(first.code).toBe('environment');
    expect(first.message).toMatch(
      /^threads: thread [12] died in the middle of a computation \(.*\); load the model again, with threads: 1 if/,
    );
    await expect(answer(running)).rejects.toThrow(first.message);
    expect((await running.tokenize('x')).length).toBeGreaterThan(0);
  });

  it('that ends without an error is noticed', async () => {
    const exits = `const { parentPort } = require('node:worker_threads');
      parentPort.on('message', ({ kind }) => { if (kind === 'plans') process.exit(3); });`;
    await expect(open({ spawn: (role, text) => platform.spawn(role, exits + text) })).rejects.toThrow(
      /^threads: a worker died \(it ended with code 3\); load the model again, with threads: 1 if it happens again$/,
    );
  });

  it('is done without where no worker can be started', async () => {
    const spawn = async () => {
      throw new NoWorkerError('none here');
    };
    const [alone, other] = [await open({ spawn }), await open({}, 1)];
    expect(alone.info).toMatchObject({ threads: 1, threadsNote: 'one thread: worker: none here' });
    expect(alone.info.build).toBe(other.info.build);
    expect((await answer(alone)).ids).toEqual((await answer(other)).ids);
  });
});
