// Before the suites: the API server's programs, built when this machine has none of this release, and a folder for what
// each suite leaves for the one at the end.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { systemProcesses } from '../../base/processes.ts'
import { kubePrograms, type Programs } from '../../hack/kube/build.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    kubePrograms: Programs
    /** Folder of what authorities did, one file a cluster (audit.ts). */
    kubeUses: string
  }
}

/** vitest's globalSetup. */
export default async function buildPrograms(project: TestProject): Promise<() => Promise<void>> {
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  project.provide('kubePrograms', await kubePrograms({ processes: systemProcesses(), say }))
  const uses = await mkdtemp(join(tmpdir(), 'ppn-kube-uses-'))
  project.provide('kubeUses', uses)
  return () => rm(uses, { recursive: true, force: true })
}
