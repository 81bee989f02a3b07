// What ternlight-worker.js does: what this worker was started for.
import { greet, HELLO, roleHere } from './platform/web-worker.ts';
import { serve } from './remote/server.ts';
import { servePool } from './runtime/worker.ts';

export function serveRole(): void {
  if (roleHere() === 'pool') servePool();
  else serve(globalThis as unknown as Parameters<typeof serve>[0]);
  greet(HELLO);
}
