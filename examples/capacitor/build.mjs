// Makes www, which Capacitor puts into the app: the page, and the library and its model beside it.
import { cpSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const ternlight = (path) => fileURLToPath(new URL(path, import.meta.resolve('ternlight/package.json')));

rmSync(at('www'), { recursive: true, force: true });
cpSync(at('web'), at('www'), { recursive: true });
const filter = (path) => !/(\btypes|cli\.js|node-files\.js)$/.test(path); // not for pages
for (const folder of ['dist', 'model'])
  cpSync(ternlight(folder), at(`www/ternlight/${folder}`), { recursive: true, dereference: true, filter });
