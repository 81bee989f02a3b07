// Which surroundings these are.
import { isNodeLike, nodePlatform } from './node.ts';
import type { Platform } from './platform.ts';
import { webPlatform } from './web.ts';

let platform: Platform | undefined;

export function currentPlatform(): Platform {
  platform ??= isNodeLike() ? nodePlatform() : webPlatform();
  return platform;
}
