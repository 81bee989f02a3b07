import * as ternlight from '../../dist/ternlight.js';
import { conform } from './conformance.mjs';
import { greedy } from './greedy.mjs';

Object.assign(globalThis, ternlight, { ternlight, conform, greedy, ready: true });
