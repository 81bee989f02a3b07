// The playground's screens in Chromium, with the headers of isolation.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { packagedModel } from '../../src/index.ts';
import { present, until } from '../browsers/browser.ts';
import { type ChromiumBrowser, chromium } from '../browsers/chromium.ts';
import { type FileServer, fileServer } from '../store/server.ts';
import { drop, type Site, STORY, site, Visit } from './site.ts';

describe.runIf(present([chromium]).length > 0)('the playground in Chromium', () => {
  let place: Site;
  let browser: ChromiumBrowser;
  let files: FileServer;
  let visit: Visit;

  beforeAll(async () => {
    place = await site();
    files = await fileServer(readFileSync(fileURLToPath(packagedModel)));
    browser = await chromium.launch();
    await browser.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  });
  afterAll(async () => {
    await browser?.close();
    await files?.close();
    await place?.close();
  });
  beforeEach(async () => {
    files.behaviour.slowMs = 0;
    visit = await Visit.open(browser, place.address);
  });
  afterEach(async () => {
    const log = await visit.page.log();
    await visit.page.call(() => localStorage.clear());
    await visit.page.close();
    expect(log.filter((line) => /Content Security|^error/i.test(line) && !/404|net::ERR/.test(line))).toEqual([]);
  });

  it('writes a story with the packaged model, with threads, and tells how fast', async () => {
    expect(await visit.story()).toBe(STORY);
    expect(await visit.text('#status-model')).toBe('tinystories-bitnet-11m');
    expect(await visit.text('#status-threads')).toMatch(/^\d+ threads?$/);
    expect(await visit.text('#status-memory')).toMatch(/^memory \d+(\.\d)? MB$/);
    await visit.sees('#status-rates', /^prompt [\d,.]+ tok\/s · answer [\d,.]+ tok\/s$/);
    expect(await visit.text('#announcement')).toContain('there was a little girl');
    await visit.click('#undo');
    expect(await visit.text('#text')).toBe('Once upon a time');
  });

  it('stops by the button and by Escape, and keeps what was written', async () => {
    await visit.go('settings');
    // So that the end of a story hardly ever comes.
    for (const [name, value] of Object.entries({ temperature: '5', topK: '0', topP: '1' }))
      await visit.fill(`#set-${name}`, value);
    await visit.go('complete');
    for (const way of ['button', 'Escape']) {
      await visit.fill('#text', 'Once upon a time');
      // In the page: from here a small model could be done sooner than the stop arrives.
      await visit.page.call(async (way) => {
        const text = document.querySelector<HTMLTextAreaElement>('#text')!;
        document.querySelector<HTMLElement>('#continue')!.click();
        while (text.value === 'Once upon a time') await new Promise(requestAnimationFrame);
        if (way === 'button') document.querySelector<HTMLElement>('#complete-stop')!.click();
        else text.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
      }, way);
      await until(() => visit.visible('#continue'));
      expect(await visit.text('#announcement')).toMatch(/^The text was stopped/);
      expect(await visit.text('#text')).toMatch(/^Once upon a time./s);
      expect(await visit.visible('#alert')).toBe(false);
      await visit.page.call(() => document.querySelector('#announcement')!.replaceChildren());
    }
  });

  it('chats in a form that is chosen, and says why it does not by itself', async () => {
    await visit.go('chat');
    expect(await visit.text('#no-chat')).toMatch(/tinystories-bitnet-11m has no chat form/);
    expect(await visit.page.call(() => document.querySelector<HTMLButtonElement>('#send')!.disabled)).toBe(true);
    await visit.go('settings');
    await visit.fill('#set-chatForm', 'question');
    await visit.fill('#set-maxTokens', '8');
    await visit.go('chat');
    expect(await visit.visible('#no-chat')).toBe(false);
    const asked = '<img src=x onerror="globalThis.broken = 1">';
    await visit.fill('#message', asked);
    await visit.click('#send');
    await visit.sees('.assistant .figures', /^\d+ tokens?/);
    // Text stays text.
    expect(await visit.text('.user .said')).toBe(asked);
    expect(await visit.page.call(() => document.querySelectorAll('#messages img').length)).toBe(0);
    await visit.click('#new-chat');
    expect(await visit.text('#messages')).toBe('');
  });

  it('loads a file that is dropped or chosen, and tells what is wrong with one that is none', async () => {
    await drop(visit, { 'mine.gguf': 'model' });
    await visit.sees('#notice', /tinystories-bitnet-11m is loaded\./);
    await visit.go('models');
    expect(await visit.text('#facts')).toContain('mine.gguf');
    await drop(visit, { 'letter.txt': 'Dear model, you are no model. '.repeat(40) });
    await visit.sees('#alert', /letter\.txt/);
    expect(await visit.text('#alert')).toMatch(/GGUF/);
    await browser.context.pages().at(-1)!.setInputFiles('#files', fileURLToPath(packagedModel));
    await visit.sees('#facts', /tinystories-bitnet-11m\.gguf/);
    await drop(visit, { 'letter.txt': 'Dear model, you are no model. '.repeat(40) });
    await visit.sees('#alert', /letter\.txt/);
    // The one before is still there.
    expect(await visit.story()).toBe(STORY);
    expect(await visit.visible('#alert')).toBe(false);
  });

  it('keeps a file that is dropped, if it is told to', async () => {
    await visit.go('models');
    await visit.click('#keep-files');
    await drop(visit, { 'letter.txt': 'Dear model, you are no model. '.repeat(40) });
    await visit.sees('#alert', /letter\.txt/);
    await drop(visit, { 'mine.gguf': 'model' });
    await visit.sees('#facts', /mine\.gguf/);
    await visit.sees('#kept-total', /^1 model, 3\.76 MB in OPFS/);
    await visit.click('#keep-files');
    await visit.click('#packaged');
    await visit.sees('#facts', /the packaged model/);
    await visit.click('#kept button');
    await visit.sees('#facts', /local:mine\.gguf/);
    await visit.page.call(() => {
      globalThis.confirm = () => true;
    });
    await visit.click('#kept button:last-of-type');
    await visit.sees('#kept-total', /^0 models/);
  });

  it('downloads by address, keeps, uses without a request, deletes', async () => {
    const address = `${files.origin}/kept.gguf`;
    await visit.go('models');
    await visit.sees('#kept-total', /^0 models, 0 B in OPFS; [\d.]+ [MG]B free\.$/);
    await visit.fill('#address', address);
    await visit.click('#address-form button');
    await visit.sees('#notice', /is loaded/);
    await visit.sees('#kept-total', /^1 model, 3\.76 MB in OPFS/);
    expect(await visit.text('#kept')).toContain('kept.gguf');
    files.requests.length = 0;
    await visit.click('#notice button:last-child');
    await visit.click('#kept button');
    await visit.sees('#notice', /is loaded/);
    expect(await visit.text('#facts')).toContain('kept.gguf');
    expect(files.requests).toEqual([]);
    await visit.page.call(() => {
      globalThis.confirm = () => true;
    });
    await visit.click('#kept button:last-of-type');
    await visit.sees('#kept-total', /^0 models/);
    await visit.click('#persist');
    await visit.sees('#persist-result', /promise/);
  });

  it('cancels a download, lists what is there of it, and goes on with it', async () => {
    // Three pieces of the store; what follows the tensors is of no account.
    const large = new Uint8Array(20e6);
    large.set(files.behaviour.body);
    const { body } = files.behaviour;
    Object.assign(files.behaviour, { body: large, slowMs: 10 });
    await visit.go('models');
    await visit.fill('#address', `${files.origin}/slow.gguf`);
    await visit.click('#address-form button');
    await visit.sees('#loading-text', /^Downloading .*slow\.gguf: 1[3-9](\.\d+)? MB of 20 MB, [\d.]+ .?B\/s$/);
    await visit.click('#loading-cancel');
    await until(async () => !(await visit.visible('#loading')));
    expect(await visit.visible('#alert')).toBe(false);
    expect(await visit.text('#status-model')).toBe('tinystories-bitnet-11m');
    await visit.sees('#kept', /slow\.gguf[1-9][\d.]* MB of 20 MB, broken off/);
    files.behaviour.slowMs = 0;
    await visit.click('#kept button[aria-label^=Resume][aria-label$="slow.gguf"]');
    await visit.sees('#notice', /is loaded/);
    await visit.sees('#kept', /slow\.gguf20 MB/);
    files.behaviour.body = body;
  });

  it('says what is wrong with an address, a status, and a network that is not there', async () => {
    await visit.go('models');
    for (const [address, told] of [
      ['something', /expected https:/],
      ['prism-ml/Some-Bonsai-gguf', /hf:prism-ml\/Some-Bonsai-gguf names a repository of GGUF files/],
      [`${place.address}none.gguf`, /status 404 .*check the address/],
      ['http://127.0.0.1:9/model.gguf', /could not be had: .*check address and network/],
    ] as const) {
      await visit.fill('#address', address);
      await visit.click('#address-form button');
      await visit.sees('#alert', told);
    }
  });

  it('says so where nothing can be kept, or not enough', async () => {
    const page = browser.context.pages().at(-1)!;
    const session = await browser.context.newCDPSession(page);
    const quota = (quotaSize?: number) =>
      session.send('Storage.overrideQuotaForOrigin', { origin: place.origin, quotaSize });
    await quota(1e6);
    await visit.go('models');
    await visit.fill('#address', `${files.origin}/large.gguf`);
    await visit.click('#address-form button');
    await visit.sees('#notice', /is loaded/);
    await visit.sees('#notes', /not kept: .*space/);
    await quota();
    await visit.page.call(() => {
      const denied = () => Promise.reject(new DOMException('denied', 'SecurityError'));
      Object.assign(Object.getPrototypeOf(navigator.storage), { getDirectory: denied });
      Object.assign(Object.getPrototypeOf(caches), { open: denied });
    });
    await visit.go('chat');
    await visit.go('models');
    await visit.sees('#kept-total', /^Nothing can be kept here: .*a private window/);
  });

  it('lists published models', async () => {
    await visit.go('models');
    await visit.sees('#published-count', /^\d\d of \d\d;/);
    await visit.fill('#filter', 'bonsai 1.7');
    await visit.sees('#published-count', /^2 of/);
    expect(await visit.text('#published')).toMatch(/Bonsai 1\.7B.*248 MB to download.*chats/);
  });

  it('measures with all threads and with one, and copies text and JSON', async () => {
    await visit.go('settings');
    await visit.fill('#set-threads', '2');
    await visit.click('#reload-model');
    await visit.sees('#settings-state', /loaded again/);
    await visit.go('benchmark');
    await visit.click('#measure');
    await visit.sees('#result-text', /2 threads: prompt [\d,.]+ tok\/s, answer [\d,.]+ tok\/s\n1 thread: prompt/);
    const copied = async (button: string, name: string) => {
      await browser.context.pages().at(-1)!.click(button);
      await visit.sees('#copied', new RegExp(`^${name} copied`));
      return visit.page.call(() => navigator.clipboard.readText());
    };
    expect(await copied('#copy-text', 'Text')).toMatch(/^ternlight benchmark, 2.*\ntinystories-bitnet-11m, 10\.9 M/);
    const result = JSON.parse(await copied('#copy-json', 'JSON'));
    expect(result.speeds.map(({ threads }: { threads: number }) => threads)).toEqual([2, 1]);
    expect(result.environment.findings.length).toBeGreaterThan(4);
    // As it was.
    expect(await visit.text('#status-threads')).toBe('2 threads');
  });

  it('keeps settings, refuses what they cannot be, and loads the model again with them', async () => {
    await visit.go('settings');
    await visit.fill('#set-temperature', 'warm');
    expect(await visit.text('#hint-temperature')).toMatch(/^expected a number from 0 to 5/);
    await visit.fill('#set-temperature', '0.25');
    await visit.fill('#set-threads', '1');
    await visit.fill('#set-kv', 'i8');
    await visit.click('#reload-model');
    await visit.sees('#settings-state', /loaded again/);
    expect(await visit.text('#status-threads')).toBe('1 thread');
    await visit.go('models');
    expect(await visit.text('#facts')).toContain('cache i8');
    await visit.page.reload();
    await visit.ready();
    expect(await visit.text('#set-temperature')).toBe('0.25');
    expect(await visit.text('#status-threads')).toBe('1 thread');
    await visit.go('settings');
    await visit.click('#reset');
    expect(await visit.text('#set-temperature')).toBe('');
  });
});
