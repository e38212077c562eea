import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/kube/**/*.test.ts'],
    globalSetup: ['test/kube/programs.ts'],
    // Each file has an API server of its own: one at a time on a shared machine.
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
})
