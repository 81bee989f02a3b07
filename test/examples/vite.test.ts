// The Vite example as a user has it: installed from the registry, built, and the built page in Chromium; and its server.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { present } from '../browsers/browser.ts';
import { type ChromiumBrowser, chromium } from '../browsers/chromium.ts';
import { serve } from '../runtimes/server.ts';
import { check, severalCores } from './story.ts';
import { copyExample, pack, temporaryFolder } from './user.ts';

const [kind] = present([chromium]);
const asked = spawnSync('npm', ['view', 'vite@8', 'version', '--fetch-retries=0', '--fetch-timeout=20000']);
const reachable = asked.status === 0;
if (!reachable) console.log('skipped: the Vite example (npm reaches no registry, from which it would be installed)');

describe.runIf(kind && reachable)('vite', () => {
  const user = temporaryFolder();
  let browser: ChromiumBrowser;
  const vite = () => join(user.path, 'node_modules/vite/bin/vite.js');

  beforeAll(async () => {
    await copyExample('vite', user.path);
    const manifest = join(user.path, 'package.json');
    const packed = `file:${await pack(user.path)}`;
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('file:../..', packed));
    // For what the example itself does not do.
    appendFileSync(join(user.path, 'main.js'), 'globalThis.load = load;\n');
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
    await promisify(execFile)('npm', ['install', ...options], { cwd: user.path });
    browser = await chromium.launch();
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    user.remove();
  });

  it('is built, and finds the model and the extras', async () => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [vite(), 'build'], { cwd: user.path });
    expect(stdout).toContain('built in');
    expect(stderr).toBe('');
    const assets = readdirSync(join(user.path, 'dist/assets'));
    expect(assets.filter((name) => name.endsWith('.gguf'))).toHaveLength(1);

    const server = await serve(join(user.path, 'dist'));
    try {
      for (const set of ['coi', 'plain']) {
        const page = await browser.open(`${server.origin}/${set}/index.html`, { ready: false });
        await check(page, set === 'coi' && severalCores);
        // Made up by the extras, which the worker imports by the address that the bundler gave them.
        const name = await page.call(async () => {
          const { load } = globalThis as unknown as { load: typeof import('../../src/index.ts').load };
          const model = await load('synthetic:tiny');
          await model.dispose();
          return model.info.name;
        });
        expect(name).toBe('synthetic tiny');
        await page.close();
      }
    } finally {
      await server.close();
    }
  });

  it('is served while it is developed', async () => {
    const server = spawn(process.execPath, [vite(), '--host', '127.0.0.1', '--port', '0'], {
      cwd: user.path,
      env: { ...process.env, NO_COLOR: '1' },
    });
    try {
      const page = await browser.open(await addressOf(server), { ready: false });
      await check(page, severalCores);
      await page.close();
    } finally {
      server.kill();
    }
  });
});

/** What the server says where it is. */
function addressOf(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    for (const stream of [server.stdout!, server.stderr!])
      stream.on('data', (data) => {
        said += data;
        const [address] = /http:\/\/127\.0\.0\.1:\d+\//.exec(said) ?? [];
        if (address) resolve(address);
      });
    server.on('close', (code) => reject(new Error(`vite ended with ${code}: ${said}`)));
  });
}
