// The conformance program from a command line: RUNTIME run.mjs '{"threads":2,"address":"http://..."}' -> a line of JSON.
import * as ternlight from '../../dist/ternlight.js';
import { conform } from './conformance.mjs';

const argument = (globalThis.Deno?.args ?? process.argv.slice(2)).at(-1);
console.log(JSON.stringify(await conform(ternlight, JSON.parse(argument))));
