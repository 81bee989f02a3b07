// A webview with a scheme of its own (webview.py), for one script.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { display, stop, webkit } from './webkit.ts';

const python = '/usr/bin/python3';
const program = fileURLToPath(new URL('webview.py', import.meta.url));

/** Why there is none here. */
export async function missingWebview(): Promise<string | undefined> {
  if (!existsSync(webkit.path)) return `no ${webkit.path}`;
  const probe = 'import gi; gi.require_version("WebKit2", "4.1"); gi.require_version("Soup", "3.0")';
  return promisify(execFile)(python, ['-c', probe]).then(
    () => undefined,
    () => `${python} has no gi with WebKit2 4.1`,
  );
}

/** Opens app://localhost/PATH of the folder; what the body of an async function returns there, as text. */
export async function inWebview(folder: string, path: string, script: string): Promise<string> {
  const screen = await display();
  try {
    const env = { ...process.env, DISPLAY: screen.name, LIBGL_ALWAYS_SOFTWARE: '1' };
    const args = [program, folder, `app://localhost/${path}`, script];
    const { stdout } = await promisify(execFile)(python, args, { env, timeout: 110_000 });
    return stdout.trim();
  } finally {
    stop(screen.process);
  }
}
