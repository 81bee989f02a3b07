// WebKitGTK's MiniBrowser by plain WebDriver, on a display of its own. Sessions keep nothing.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { type Browser, type BrowserKind, CALL_MS, type Page, READY_MS } from './browser.ts';

const path = process.env.WEBKIT ?? '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser';
const ASK_MS = 40_000;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts the X server on a free display, whose number it writes. */
export async function display(): Promise<{ process: ChildProcess; name: string }> {
  const args = ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'];
  const child = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const number = await new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`Xvfb ended with ${code}`)));
    child.stdio[3]!.on('data', (data) => resolve(String(data).trim()));
  });
  return { process: child, name: `:${number}` };
}

/** Ends with its children: the driver starts browsers that outlive it. */
export function stop(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null) return;
  try {
    process.kill(child.spawnargs[0] === 'Xvfb' ? child.pid : -child.pid, 'SIGKILL');
  } catch {
    // it had ended
  }
}

class WebDriver {
  #root: string;

  constructor(port: number) {
    this.#root = `http://127.0.0.1:${port}`;
  }

  async ask<T>(method: string, at: string, body?: object, limitMs = ASK_MS): Promise<T> {
    const response = await fetch(this.#root + at, {
      method,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(limitMs),
    });
    const { value } = (await response.json()) as { value: T & { error?: string; message?: string } };
    if (value?.error) throw new Error(`${at}: ${value.message}`);
    return value;
  }

  async answers(): Promise<void> {
    for (const end = Date.now() + ASK_MS; ; ) {
      try {
        return await this.ask('GET', '/status');
      } catch (error) {
        if (Date.now() > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}

/** What the page's script calls when it has the outcome, and how the outcome is told. */
const CALLER = `const done = arguments[arguments.length - 1];
(async () => JSON.stringify((await (RUN)(ARGUMENT)) ?? null))().then(
  (value) => done({ value }), (error) => done({ error: String((error && error.message) || error) }));`;

class WebKitPage implements Page {
  readonly #driver: WebDriver;
  readonly #session: string;

  constructor(driver: WebDriver, session: string) {
    this.#driver = driver;
    this.#session = `/session/${session}`;
  }

  async go(url: string, ready: boolean): Promise<void> {
    await this.#driver.ask('POST', `${this.#session}/timeouts`, { script: CALL_MS });
    await this.#driver.ask('POST', `${this.#session}/url`, { url });
    if (ready) await this.#settled();
  }

  async #settled(): Promise<void> {
    const script = 'return !!globalThis.ready';
    for (const end = Date.now() + READY_MS; ; ) {
      if (await this.#driver.ask('POST', `${this.#session}/execute/sync`, { script, args: [] })) return;
      if (Date.now() > end) throw new Error(`WebKit: the page was not ready, its log: ${await this.log()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async call<A, R>(run: (argument: A) => R | Promise<R>, argument?: A): Promise<Awaited<R>> {
    const script = CALLER.replace('RUN', () => String(run)).replace(
      'ARGUMENT',
      () => JSON.stringify(argument) ?? 'undefined',
    );
    const request = { script, args: [] };
    const { value, error } = await this.#driver.ask<{ value: string; error?: string }>(
      'POST',
      `${this.#session}/execute/async`,
      request,
      CALL_MS + ASK_MS,
    );
    if (error !== undefined) throw new Error(error);
    return JSON.parse(value);
  }

  /** The protocol has no console: pages collect theirs in `pageLog`. */
  log(): Promise<string[]> {
    return this.#driver.ask('POST', `${this.#session}/execute/sync`, {
      script: 'return globalThis.pageLog ?? []',
      args: [],
    });
  }

  async reload(): Promise<void> {
    await this.#driver.ask('POST', `${this.#session}/refresh`, {});
    await this.#settled();
  }

  async screenshot(): Promise<Uint8Array> {
    return Buffer.from(await this.#driver.ask<string>('GET', `${this.#session}/screenshot`), 'base64');
  }

  async close(): Promise<void> {
    await this.#driver.ask('DELETE', this.#session);
  }
}

export const webkit: BrowserKind = {
  name: 'WebKit',
  path,
  async launch(): Promise<Browser> {
    const screen = await display();
    const port = await freePort();
    const child = spawn('WebKitWebDriver', ['--host=127.0.0.1', `--port=${port}`], {
      stdio: 'ignore',
      detached: true,
      env: { ...process.env, DISPLAY: screen.name, LIBGL_ALWAYS_SOFTWARE: '1' },
    });
    const driver = new WebDriver(port);
    const close = async () => {
      stop(child);
      stop(screen.process);
    };
    // A session has one window: each page is a session, one at a time.
    let session: WebKitPage | undefined;
    const capabilities = {
      alwaysMatch: { 'webkitgtk:browserOptions': { binary: path, args: ['--automation'] } },
    };
    const open = async (url: string, ready: boolean) => {
      await session?.close().catch(() => {});
      const { sessionId, capabilities: found } = await driver.ask<{
        sessionId: string;
        capabilities: { browserVersion: string };
      }>('POST', '/session', { capabilities });
      session = new WebKitPage(driver, sessionId);
      version = found.browserVersion;
      await session.go(url, ready);
      return session;
    };
    let version = '';
    try {
      await driver.answers();
      await (await open('about:blank', false)).close();
    } catch (error) {
      await close();
      throw error;
    }
    session = undefined;
    return { name: `WebKitGTK ${version}`, open: (url, { ready = true } = {}) => open(url, ready), close };
  },
};
