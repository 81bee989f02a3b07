// Who may import whom (docs/TOUR.md), and what may be in which folder.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

function filesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** Imported files and packages of a file, types included. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [
    ...text.matchAll(/^(?:import|export)\b[^;]*?from '([^']+)'/gm),
    ...text.matchAll(/\bimport\('([^']+)'\)/g),
  ].map(([, path]) => (path!.startsWith('.') ? relative(root, join(root, dirname(file), path!)) : path!));
}

/** What a folder may import besides itself. */
const ALLOWED: Record<string, readonly string[]> = {
  'src/formats': ['src/errors.ts', 'src/load-extras.ts'],
  'src/tokenizer': ['src/errors.ts', 'src/formats/types.ts'],
  'src/arch': ['src/errors.ts', 'src/plan/builder.ts', 'src/plan/rope.ts'],
  'src/plan': ['src/errors.ts', 'src/math.ts', 'src/kernels.d.ts', 'src/arch/architecture.ts', 'assembly/layout.ts'],
  'src/runtime': [
    ...['src/errors.ts', 'src/kernels.d.ts', 'src/plan/', 'src/arch/architecture.ts', 'src/formats/types.ts'],
    ...[
      'src/formats/f16.ts',
      'src/platform/platform.ts',
      'src/platform/no-worker.ts',
      'assembly/layout.ts',
      '#wasm',
      '#workers',
    ],
  ],
  'src/generate': [
    ...['src/errors.ts', 'src/math.ts', 'src/runtime/', 'src/plan/types.ts', 'src/tokenizer/types.ts'],
    ...['src/formats/types.ts', 'src/load-extras.ts', 'assembly/layout.ts', '@huggingface/jinja'],
  ],
  'src/store': ['src/errors.ts', 'src/formats/', 'src/hub/open-hub.ts'],
  'src/hub': ['src/errors.ts', 'src/formats/'],
  'src/convert': ['src/errors.ts', 'src/formats/', 'src/arch/', 'src/hub/'],
  'src/verify': [
    ...['src/errors.ts', 'src/formats/', 'src/hub/', 'src/convert/', 'src/tokenizer/', 'src/generate/'],
    'src/understand.ts',
  ],
  // node:* as types only: the modules come from process.getBuiltinModule, so that no bundler sees them.
  'src/platform': ['src/errors.ts', 'src/formats/', 'src/store/', '#node-files', 'node:fs/promises'],
  'src/remote': [
    ...[
      'src/errors.ts',
      'src/formats/',
      'src/generate/',
      'src/load.ts',
      'src/open.ts',
      'src/understand.ts',
      'src/platform/',
      'src/tokenizer/types.ts',
    ],
    ...['#wasm', '#workers'],
  ],
};

describe('imports', () => {
  for (const [folder, allowed] of Object.entries(ALLOWED)) {
    it(`of ${folder}`, () => {
      const files = filesOf(folder);
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) {
        for (const path of importsOf(file)) {
          const fine =
            path.startsWith(`${folder}/`) || allowed.some((a) => (a.endsWith('/') ? path.startsWith(a) : path === a));
          expect(fine, `${file} imports ${path}`).toBe(true);
        }
      }
    });
  }

  it('of test/ref are nothing of ours', () => {
    for (const file of filesOf('test/ref'))
      for (const path of importsOf(file)) expect(path.startsWith('test/ref/'), `${file} imports ${path}`).toBe(true);
  });

  it('of assembly stay in assembly', () => {
    for (const file of filesOf('assembly'))
      for (const path of importsOf(file)) expect(path.startsWith('assembly/'), `${file} imports ${path}`).toBe(true);
  });

  it('see node:* and browser globals only in src/platform and src/cli', () => {
    for (const file of filesOf('src')) {
      if (file.startsWith('src/cli/') || file.startsWith('src/platform/')) continue;
      const text = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      // The pool's program runs by itself, without a platform.
      if (file !== 'src/runtime/worker.ts') expect(/['"]node:/.test(text), `${file} names a node: module`).toBe(false);
      expect(/\b(document|localStorage|navigator)\./.test(text), `${file} uses a page's globals`).toBe(false);
    }
  });

  it('leave src/kernels.d.ts as the build makes it', () => {
    const declared = [...readFileSync(join(root, 'src/kernels.d.ts'), 'utf8').matchAll(/^ {2}(\w+)\(/gm)].map(
      ([, name]) => name,
    );
    const module = new WebAssembly.Module(readFileSync(join(root, 'build/simd.wasm')));
    const exported = WebAssembly.Module.exports(module)
      .filter(({ kind }) => kind === 'function')
      .map(({ name }) => name);
    expect(declared).toEqual(exported);
  });
});
