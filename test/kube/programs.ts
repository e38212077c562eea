// Before the suites: the API server's programs, built when this machine has none of this release.
import type { TestProject } from 'vitest/node'
import { systemProcesses } from '../../base/processes.ts'
import { kubePrograms, type Programs } from '../../hack/kube/build.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    kubePrograms: Programs
  }
}

/** vitest's globalSetup. */
export default async function buildPrograms(project: TestProject): Promise<void> {
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  project.provide('kubePrograms', await kubePrograms({ processes: systemProcesses(), say }))
}
