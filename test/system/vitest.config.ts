import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // The simulated drivers pass their suites beside the real ones, so that one run shows both columns.
    include: ['test/system/**/*.test.ts', 'agent/drivers/*/simulated.test.ts', 'agent/drivers/image/files.test.ts'],
    reporters: ['default', './test/system/columns.ts'],
    globalSetup: ['test/system/packages.ts'],
    // Real processes on a shared machine: one fleet at a time, and a slow moment is no failure.
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
})
