import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** rbac.test.ts judges what all the others did. */
class JudgeLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const judge = (file: TestSpecification) => file.moduleId.endsWith('/rbac.test.ts')
    const sorted = await super.sort(files)
    return [...sorted.filter((file) => !judge(file)), ...sorted.filter(judge)]
  }
}

export default defineConfig({
  test: {
    include: ['test/kube/**/*.test.ts'],
    globalSetup: ['test/kube/programs.ts'],
    // Each file has an API server of its own: one at a time on a shared machine.
    fileParallelism: false,
    sequence: { sequencer: JudgeLast },
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
})
