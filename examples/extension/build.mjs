// Makes build, the folder that Chrome loads: the extension, and the library and its model beside it.
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const ternlight = (path) => fileURLToPath(new URL(path, import.meta.resolve('ternlight/package.json')));

rmSync(at('build'), { recursive: true, force: true });
mkdirSync(at('build'));
for (const file of ['manifest.json', 'background.js', 'panel.html', 'panel.js']) cpSync(at(file), at(`build/${file}`));
const filter = (path) => !/(\btypes|cli\.js|node-files\.js)$/.test(path); // not for pages
for (const folder of ['dist', 'model'])
  cpSync(ternlight(folder), at(`build/ternlight/${folder}`), { recursive: true, dereference: true, filter });
