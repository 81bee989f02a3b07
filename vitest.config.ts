import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests block on Atomics.wait and hold large WASM memories: a process each, two at a time.
    pool: 'forks',
    maxWorkers: 2,
    // Tests keep downloads only where they say so.
    env: { TERNLIGHT_CACHE: 'off' },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
