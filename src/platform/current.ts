// Which surroundings these are.
import { isNodeLike, nodePlatform } from './node.ts';
import type { Platform } from './platform.ts';
import { webPlatform } from './web.ts';

/** @param workerAddress of ternlight-worker.js, for pages that forbid workers from text */
export function currentPlatform(workerAddress?: string): Platform {
  return isNodeLike() ? nodePlatform() : webPlatform(workerAddress);
}
