import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: [
      '{api,base,protocol,controllers,stores,authority,agent,cli,testing,hack}/**/*.test.ts',
      'test/{bench,break-in,conformance,objects,fleet,lab}/**/*.test.ts',
    ],
    // The machine is shared: a slow moment is no failure. No test waits for a clock.
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
})
