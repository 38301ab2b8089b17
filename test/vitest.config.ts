import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: '.',
    include: ['test/**/*.test.ts'],
    // Far beyond what any test takes: a busy machine is no failure.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    // For two cores: end-to-end tests wait more than they work, and a third worker fills the time.
    maxWorkers: 3,
    pool: 'forks',
    // A test that is skipped or focused by mistake fails the run.
    allowOnly: false,
    passWithNoTests: false,
  },
});
