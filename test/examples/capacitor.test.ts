// The Capacitor example's web part: built, and in a webview with a scheme of its own, without isolation.
import { execFile } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inWebview, missingWebview } from '../browsers/webview.ts';
import { checkVisit, visit } from './story.ts';
import { copyExample, temporaryFolder } from './user.ts';

const OPENING = 'A small dog saw';
const user = temporaryFolder();
const absent = await missingWebview();
if (absent) console.log(`skipped: the Capacitor example in a webview (${absent})`);

beforeAll(async () => {
  await copyExample('capacitor', user.path);
  const { scripts } = JSON.parse(readFileSync(join(user.path, 'package.json'), 'utf8'));
  expect(scripts.build).toBe('node build.mjs');
  await promisify(execFile)(process.execPath, ['build.mjs'], { cwd: user.path });
});
afterAll(() => user.remove());

it('its build makes webDir', () => {
  const { webDir } = JSON.parse(readFileSync(join(user.path, 'capacitor.config.json'), 'utf8'));
  for (const file of ['index.html', 'main.js', 'ternlight/dist/ternlight.js', 'ternlight/dist/ternlight-extras.js'])
    expect(existsSync(join(user.path, webDir, file)), file).toBe(true);
});

it.skipIf(absent)('its page writes a story in a webview', async () => {
  const page = join(user.path, 'www/index.html');
  appendFileSync(page, '<script>globalThis.ready = true;</script>\n'); // what inWebview waits for
  const script = `const seen = await (${visit})(${JSON.stringify(OPENING)});
    return JSON.stringify({ ...seen, isolated: crossOriginIsolated });`;
  const seen = JSON.parse(await inWebview(join(user.path, 'www'), 'index.html', script));
  expect(seen.isolated).toBe(false);
  checkVisit(seen, OPENING, false);
});
