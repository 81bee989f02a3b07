// What Node, Deno and Bun do with the disk: a file of its own in the package (dist/node-files.js), which pages need not
// load.
export { openFileStore } from './file-store.ts';
export { openPath } from './folder.ts';
