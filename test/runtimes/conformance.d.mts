import type * as ternlight from '../../src/index.ts';

export interface Report {
  runtime: string;
  build: string;
  kernel: string;
  threads: number;
  threadsNote?: string;
  ids: number[];
  digest: string;
  sampled: string;
  streamed: boolean;
  stop: string;
  twoModels: boolean;
  progress: boolean;
  late: string;
}

export declare function logitDigest(model: ternlight.Model, count?: number): Promise<string>;
export declare function conform(
  api: Pick<typeof ternlight, 'load'>,
  what: { threads: number; address: string; options?: ternlight.LoadOptions; small?: boolean },
): Promise<Report>;
