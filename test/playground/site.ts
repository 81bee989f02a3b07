// The playground as its users get it: built into a folder of its own, served, and driven by what is on the page.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPlayground } from '../../scripts/playground.mjs';
import { type FolderServer, serveFolder } from '../../scripts/serve-folder.mjs';
import { type Browser, type Page, until } from '../browsers/browser.ts';

export interface Site extends FolderServer {
  /** Address of the page. */
  readonly address: string;
}

export async function site(options: { isolated?: boolean; base?: string } = {}): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'ternlight-playground-'));
  await buildPlayground(folder);
  const server = await serveFolder(folder, options);
  return {
    ...server,
    address: `${server.origin}${options.base ?? '/'}`,
    async close() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Bytes of bodies that were sent since the last call. */
export function bytesSent(site: Site): number {
  return site.sent.splice(0).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** What a user does and sees. */
export class Visit {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Opens the page and waits until model and service worker are there. */
  static async open(browser: Browser, address: string): Promise<Visit> {
    const visit = new Visit(await browser.open(address, { ready: false }));
    await visit.ready();
    return visit;
  }

  async ready(): Promise<void> {
    await until(() => this.page.call(() => 'ready' in globalThis && navigator.serviceWorker?.controller !== null));
  }

  click(selector: string): Promise<void> {
    return this.page.call((selector) => {
      const found = document.querySelector<HTMLElement>(selector);
      if (!found || found.matches(':disabled') || !found.checkVisibility())
        throw new Error(`${selector} cannot be clicked`);
      found.click();
    }, selector);
  }

  /** Text of an element, value of a field. */
  text(selector: string): Promise<string> {
    return this.page.call((selector) => {
      const found = document.querySelector<HTMLElement>(selector);
      return (found && 'value' in found ? String(found.value) : found?.textContent) ?? '';
    }, selector);
  }

  visible(selector: string): Promise<boolean> {
    return this.page.call((selector) => document.querySelector(selector)?.checkVisibility() ?? false, selector);
  }

  /** Writes into a field as a user does who leaves it then. */
  fill(selector: string, text: string): Promise<void> {
    return this.page.call(
      ([selector, text]) => {
        const field = document.querySelector<HTMLInputElement>(selector)!;
        field.value = text;
        for (const type of ['input', 'change']) field.dispatchEvent(new Event(type, { bubbles: true }));
      },
      [selector, text] as const,
    );
  }

  /** Waits for a text; gives it. */
  async sees(selector: string, pattern: RegExp): Promise<string> {
    let seen = '';
    const isThere = async () => {
      seen = await this.text(selector);
      return pattern.test(seen) && (await this.visible(selector));
    };
    await until(isThere, `${selector} was not ${pattern}`).catch((error) => {
      throw new Error(`${error.message}, but "${seen}"`);
    });
    return seen;
  }

  /** Goes to a screen as the navigation does. */
  async go(screen: string): Promise<void> {
    await this.click(`nav a[href="#${screen}"]`);
    await until(() => this.visible(`#${screen}`));
  }

  /** A greedy continuation of 12 tokens. */
  async story(): Promise<string> {
    await this.go('settings');
    await this.fill('#set-temperature', '0');
    await this.fill('#set-maxTokens', '12');
    await this.go('complete');
    await this.fill('#text', 'Once upon a time');
    await this.click('#continue');
    await this.sees('#complete-figures', /^12 tokens/);
    return this.text('#text');
  }
}

/** What `story` writes: the model's greedy continuation, as the command line gives it too. */
export const STORY = 'Once upon a time, there was a little girl named Lily. She loved to';

/** Drops files with these contents anywhere on the page; "model" is the packaged one. */
export function drop(visit: Visit, files: Record<string, string>): Promise<void> {
  return visit.page.call(async (files) => {
    const transfer = new DataTransfer();
    for (const [name, content] of Object.entries(files)) {
      const address = 'ternlight/model/tinystories-bitnet-11m.gguf';
      transfer.items.add(new File([content === 'model' ? await (await fetch(address)).blob() : content], name));
    }
    for (const type of ['dragover', 'drop'])
      document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, files);
}
