// A lock between processes: a file that only one can create. Who dies leaves it behind, so it tells whose it is, and
// its date is renewed while the owner lives.

type Fs = typeof import('node:fs/promises');

const renewMs = 10_000;
const staleMs = 60_000;

/** The function that lets go, which may be called again; undefined while somebody else has it. */
export async function fileLock(fs: Fs, path: string): Promise<(() => Promise<void>) | undefined> {
  const os = process.getBuiltinModule('node:os');
  const host = os.hostname();
  const mine = JSON.stringify({ pid: process.pid, host, at: `${Date.now()}-${Math.random()}` });
  try {
    await fs.writeFile(path, mine, { flag: 'wx' });
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error;
    if (!(await isStale(fs, path, host))) return undefined;
    await fs.rm(path, { force: true });
    return undefined; // whoever comes next may have it: no turn for the one who cleared it
  }
  const timer = setInterval(() => {
    const now = new Date();
    fs.utimes(path, now, now).catch(() => {});
  }, renewMs);
  timer.unref?.();
  let held = true;
  return async () => {
    if (!held) return;
    held = false;
    clearInterval(timer);
    const text = await fs.readFile(path, 'utf8').catch(() => '');
    if (text === mine) await fs.rm(path, { force: true });
  };
}

async function isStale(fs: Fs, path: string, host: string): Promise<boolean> {
  try {
    const [text, { mtimeMs }] = await Promise.all([fs.readFile(path, 'utf8'), fs.stat(path)]);
    if (Date.now() - mtimeMs > staleMs) return true;
    if (text === '') return false; // created a moment ago
    const owner = JSON.parse(text) as { pid: number; host: string };
    return owner.host === host && !isAlive(owner.pid);
  } catch {
    return false; // gone already, or not ours to judge
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Only "no such process" is an answer: another's process may not be asked.
    return (error as { code?: string }).code !== 'ESRCH';
  }
}
