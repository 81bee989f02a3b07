// The library in a worker of the page's own, or in a service worker, which has no import(): so the extras are imported here.
// Answers each message on its port.
import '../../dist/ternlight-extras.js';
import * as ternlight from '../../dist/ternlight.js';
import { greedy } from './greedy.mjs';

/** For drivers that call functions in here. */
globalThis.run = (options) => greedy(ternlight, options);

addEventListener('message', (event) => {
  const answer = run(event.data).then((told) => event.ports[0].postMessage(told));
  event.waitUntil?.(answer);
});
