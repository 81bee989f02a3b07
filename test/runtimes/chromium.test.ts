// The built module in real Chromium: same ids and bits as here, with and without isolation headers.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { load, type ModelInfo } from '../../src/index.ts';
import { logitDigest } from './conformance.mjs';
import { serve, type TestServer } from './server.ts';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const present = existsSync(executablePath);
if (!present) console.log(`skipped: Chromium (no ${executablePath}; install it or set CHROMIUM)`);

const ARGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';
const PROMPT = 'Once upon a time';

describe.runIf(present)('Chromium', () => {
  let server: TestServer;
  let context: BrowserContext;
  let profile: string;
  let expected: { ids: number[]; text: string; sampled: string; digest: string };

  beforeAll(async () => {
    server = await serve();
    profile = mkdtempSync(join(tmpdir(), 'ternlight-'));
    context = await chromium.launchPersistentContext(profile, {
      executablePath,
      headless: true,
      args: ARGS.split(' '),
    });
    const model = await load(undefined, { threads: 1 });
    const greedy = await model.generate(PROMPT, { temperature: 0, maxTokens: 60 }).summary();
    const sampled = await model.generate(PROMPT, { temperature: 0.9, topK: 40, seed: 7, maxTokens: 40 }).summary();
    expected = { ids: greedy.ids, text: greedy.text, sampled: sampled.text, digest: await logitDigest(model) };
    await model.dispose();
  });

  afterAll(async () => {
    await context?.close();
    await server?.close();
    if (profile) rmSync(profile, { recursive: true, force: true });
  });

  async function open(set: string): Promise<{ page: Page; log: string[] }> {
    const page = await context.newPage();
    const log: string[] = [];
    page.on('console', (message) => log.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => log.push(error.message));
    await page.goto(`${server.origin}/${set}/test/runtimes/page.html`);
    await page.waitForFunction('globalThis.ready', null, { timeout: 20_000 });
    return { page, log };
  }

  for (const [set, threads] of [
    ['coi', 2],
    ['plain', 1],
  ] as const) {
    it(`${set}: the ids, text and bits of Node, ${threads} thread(s)`, async () => {
      const { page, log } = await open(set);
      const result = await page.evaluate(
        async ({ prompt, digestText }) => {
          const { load } = globalThis as unknown as { load: typeof import('../../src/index.ts').load };
          const progress: number[] = [];
          const model = await load(undefined, { threads: 2, onProgress: (p) => progress.push(p.loadedBytes) });
          const pieces: string[] = [];
          const generation = model.generate(prompt, { temperature: 0, maxTokens: 60 });
          for await (const { text } of generation) pieces.push(text);
          const { ids, text } = await generation.summary();
          const sampled = await model
            .generate(prompt, { temperature: 0.9, topK: 40, seed: 7, maxTokens: 40 })
            .summary();
          const digest: string = await new Function('model', `return (${digestText})(model)`)(model);
          const { info } = model;
          await model.dispose();
          return { ids, text, pieces, sampled: sampled.text, digest, info, progress };
        },
        { prompt: PROMPT, digestText: logitDigest.toString() },
      );
      expect(log).toEqual([]);
      expect(result.ids).toEqual(expected.ids);
      expect(result.text).toBe(expected.text);
      expect(result.pieces.join('')).toBe(expected.text);
      expect(result.sampled).toBe(expected.sampled);
      expect(result.digest).toBe(expected.digest);
      const info: ModelInfo = result.info;
      expect(info.threads).toBe(threads);
      expect(info.build).toBe(threads > 1 ? 'relaxed-threads' : 'relaxed');
      if (threads === 1) expect(info.threadsNote).toContain('not cross-origin isolated');
      expect(result.progress.at(-1)).toBeGreaterThan(3e6);
      await page.close();
    });
  }

  it('aborts, leaves loops, runs sessions side by side, and tells errors', async () => {
    const { page, log } = await open('coi');
    const result = await page.evaluate(async () => {
      const { load } = globalThis as unknown as { load: typeof import('../../src/index.ts').load };
      const missing = await load('/coi/nothing.gguf').catch((e: Error) => `${e.name}: ${e.message}`);
      const wrong = await load(new Uint8Array(64)).catch((e: Error) => `${e.name}: ${e.message}`);
      const response = await fetch('/coi/model/tinystories-bitnet-11m.gguf');
      const model = await load(response.body as ReadableStream<Uint8Array>);
      const controller = new AbortController();
      const generation = model.generate('Once', { temperature: 0, signal: controller.signal });
      let n = 0;
      for await (const _ of generation) if (++n === 5) controller.abort();
      const { stop } = await generation.summary();
      const session = await model.session();
      for await (const _ of session.generate('Lily', { temperature: 0 })) break;
      const again = await session.generate('Lily', { temperature: 0, maxTokens: 8 }).summary();
      const pair = await Promise.all(
        ['A dog', 'A cat'].map((p) => model.generate(p, { temperature: 0, maxTokens: 12 }).summary()),
      );
      const alone = await model.generate('A cat', { temperature: 0, maxTokens: 12 }).summary();
      await session.dispose();
      await model.dispose();
      const late = await model.tokenize('x').catch((e: { code: string }) => e.code);
      return { missing, wrong, stop, again: again.ids.length, same: pair[1]!.text === alone.text, late };
    });
    expect(result.missing).toContain('TernlightError');
    expect(result.missing).toContain('404');
    expect(result.wrong).toContain('TernlightError');
    expect(result).toMatchObject({ stop: 'aborted', again: 8, same: true, late: 'disposed' });
    expect(log.filter((line) => !line.includes('404'))).toEqual([]);
    await page.close();
  });
});
