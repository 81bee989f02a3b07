import type { LoadOptions, load, ModelSource } from '../../src/index.ts';

export interface Greedy {
  ids?: number[];
  threads?: number;
  notes?: string[];
  threadsNote?: string;
  /** "code: message" */
  error?: string;
}

export function greedy(
  ternlight: { load: typeof load },
  options?: LoadOptions & { source?: ModelSource },
): Promise<Greedy>;
