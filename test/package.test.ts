// The package as its users get it: what is in it, and that the README's example runs by the package's own name.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

function run(file: string, args: string[], input = ''): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(file, args, { cwd: root, input, encoding: 'utf8', maxBuffer: 2 ** 26 });
}

describe('the package', () => {
  it('holds dist, the model, and nothing of the workshop', () => {
    const { stdout } = run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']);
    const [pack] = JSON.parse(stdout.slice(stdout.indexOf('['))) as { files: { path: string }[]; size: number }[];
    const paths = pack!.files.map(({ path }) => path);
    for (const needed of [
      'dist/ternlight.js',
      'dist/cli.js',
      'dist/node-files.js',
      'dist/ternlight-extras.js',
      'dist/ternlight-worker.js',
      'dist/types/src/index.d.ts',
      'LICENSE',
      'README.md',
      'model/README.md',
    ])
      expect(paths).toContain(needed);
    expect(paths).toContain('model/tinystories-bitnet-11m.gguf');
    expect(paths.filter((path) => !/^(dist|model)\/|^(LICENSE|README\.md|package\.json)$/.test(path))).toEqual([]);
    expect(pack!.size).toBeLessThan(4e6);
  });

  it('names only declarations that are there', () => {
    const index = readFileSync(`${root}dist/types/src/index.d.ts`, 'utf8');
    const imported = [...index.matchAll(/from '(\.[^']+)'/g)].map(([, path]) => path!);
    expect(imported.length).toBeGreaterThan(5);
    for (const path of imported) {
      expect(path).toMatch(/\.js$/);
      readFileSync(`${root}dist/types/src/${path.replace(/\.js$/, '.d.ts')}`);
    }
  });
});

describe("the README's", () => {
  const readme = readFileSync(`${root}README.md`, 'utf8');

  it('first example writes a story', () => {
    const [, code] = /```js\n([\s\S]*?)```/.exec(readme)!;
    const { status, stdout, stderr } = run(process.execPath, ['--input-type=module', '-'], code);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout.length).toBeGreaterThan(50);
  });

  it('commands exist, with the options it names', () => {
    const lines = [...readme.matchAll(/^(?:npm start -- |ternlight )(\w+)(.*?)(?: +#.*)?$/gm)];
    expect(lines.length).toBeGreaterThanOrEqual(5);
    for (const [, command, rest] of lines) {
      const { status, stdout } = run(process.execPath, ['dist/cli.js', command!, '--help']);
      expect(status).toBe(0);
      for (const [, option] of rest!.matchAll(/(?:^| )(--?[a-z]+)/g)) expect(stdout).toContain(option);
    }
  });
});
