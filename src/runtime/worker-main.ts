// The program of a pool's thread where it is started from text: a classic script.
import { servePool } from './worker.ts';

servePool();
