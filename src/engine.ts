// Everything behind the public API. The build makes it one function that refers to nothing outside itself: the module calls
// it, and its text is the program of a page's worker. So the library stands in the package once.
export { examine } from './environment.ts';
export { TernlightError } from './errors.ts';
export { syntheticNames } from './formats/synthetic-names.ts';
export { chatFormNames } from './generate/chat-forms.ts';
export { inspectModel, loadTokenizerOf } from './inspect.ts';
export { loadModel } from './load.ts';
export { currentPlatform } from './platform/current.ts';
export { loadRemote } from './remote/client.ts';
export { serve } from './remote/server.ts';
export { serveRole } from './serve-role.ts';
export { openStore } from './store.ts';
