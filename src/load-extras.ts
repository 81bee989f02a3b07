// Loads what few pages need (extras.ts) when it is first needed.
import { importExtras } from '#extras';
import { TernlightError } from './errors.ts';
import type * as parts from './extras.ts';
import { measureRead } from './runtime/profile-read.ts';

let loaded: Promise<typeof parts> | undefined;

/** Throws 'io' where the file cannot be fetched; asks again the next time. */
export function extras(): Promise<typeof parts> {
  loaded ??= importExtras({ TernlightError, measureRead }).catch((cause) => {
    loaded = undefined;
    throw new TernlightError(
      'io',
      `extras: ternlight-extras.js could not be loaded (${cause.message}), expected it beside ternlight.js; safetensors, BitMamba files, tokenizer files, synthetic models and profiles need it; a service worker has to import "ternlight/extras" itself`,
      { cause },
    );
  });
  return loaded;
}
