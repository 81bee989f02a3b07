// The package as its users get it: what is in it, and that the README's example runs by the package's own name.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { install, root, temporaryFolder } from './examples/user.ts';

function run(
  file: string,
  args: string[],
  input = '',
  cwd = root,
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(file, args, { cwd, input, encoding: 'utf8', maxBuffer: 2 ** 26 });
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
    const known = /^(dist\/[\w-]+\.js|dist\/types\/.+\.d\.ts|model\/.+|LICENSE|README\.md|package\.json)$/;
    expect(paths.filter((path) => !known.test(path))).toEqual([]);
    expect(pack!.size).toBeLessThan(4e6);
  });

  it('is small in a page: at most 120 KB gzipped, WebAssembly included', () => {
    const bytes = gzipSync(readFileSync(`${root}dist/ternlight.js`), { level: 9 }).length;
    console.log(`dist/ternlight.js: ${bytes} bytes gzipped`);
    expect(bytes).toBeLessThanOrEqual(120_000);
  });

  it('has the declarations that the public ones lead to, and no others', () => {
    const { exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
      exports: Record<string, string | { types: string }>;
    };
    const entries = Object.values(exports).flatMap((entry) => (typeof entry === 'string' ? [] : [entry.types]));
    const reached = new Set(entries.map((path) => path.replace('./dist/types/', '')));
    for (const file of reached) {
      const text = readFileSync(`${root}dist/types/${file}`, 'utf8');
      for (const [, path] of text.matchAll(/\b(?:from |import\()['"](\.[^'"]+)['"]/g)) {
        expect(path, `in ${file}`).toMatch(/\.js$/);
        reached.add(join(dirname(file), path!.replace(/\.js$/, '.d.ts')));
      }
    }
    expect(reached.size).toBeGreaterThan(10);
    const there = readdirSync(`${root}dist/types`, { recursive: true, encoding: 'utf8' });
    expect(there.filter((file) => file.endsWith('.d.ts')).sort()).toEqual([...reached].sort());
  });
});

const USE = `import { examine, load, type LoadOptions, type Model, store, TernlightError } from 'ternlight';

export async function story(options: LoadOptions): Promise<string> {
  const model: Model = await load(undefined, { ...options, threads: 1, kv: 'i8' });
  let story = '';
  for await (const { text } of model.generate('Once', { temperature: 0, maxTokens: 10 })) story += text;
  await model.dispose();
  return story;
}
export const kept = async (): Promise<string[]> => (await (await store()).list()).map(({ url }) => url);
export const findings = async (): Promise<boolean[]> => (await examine()).findings.map(({ ok }) => ok);
export const codeOf = (error: unknown) => (error instanceof TernlightError ? error.code : undefined);
// @ts-expect-error: no such option
export const wrong = () => load(undefined, { nothing: 1 });
`;

describe('installed', () => {
  const user = temporaryFolder();
  beforeAll(async () => {
    await install(user.path);
    writeFileSync(join(user.path, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(user.path, 'use.ts'), USE);
  });
  afterAll(() => user.remove());

  it('runs by its name, and as a command', () => {
    const code = "import { load } from 'ternlight'; console.log((await load()).info.name);";
    const told = run(process.execPath, ['--input-type=module', '-'], code, user.path);
    expect(told).toMatchObject({ status: 0, stdout: 'tinystories-bitnet-11m\n', stderr: '' });
    const cli = join(user.path, 'node_modules/ternlight/dist/cli.js');
    const { status, stdout } = run(process.execPath, [cli, 'run', 'Once', '-n', '4', '--temp', '0'], '', user.path);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Once \w+/);
  });

  for (const [module, resolution] of [
    ['esnext', 'bundler'],
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
  ] as const)
    it(`type-checks with moduleResolution ${resolution}`, () => {
      const options = `--noEmit --strict --target es2022 --lib es2022,dom --types`.split(' ');
      const args = [...options, '', '--module', module, '--moduleResolution', resolution, 'use.ts'];
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      const { status, stdout } = run(process.execPath, [tsc, '--ignoreConfig', ...args], '', user.path);
      expect(stdout).toBe('');
      expect(status).toBe(0);
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
