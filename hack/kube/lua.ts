// What Argo CD makes of objects by a health script.
import { join } from 'node:path'
import type { Processes } from '../../base/processes.ts'
import { verdicts } from './small.ts'

/** Folder of its go.mod. */
export const LUA = join(import.meta.dirname, 'lua')

export interface ArgoHealth {
  status: 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended'
  message: string
}

/** One verdict an object, in their order. Rejects on a script that fails, also on one of them. */
export const argoHealth = (
  processes: Processes,
  program: string,
  script: string,
  objects: readonly object[],
): Promise<ArgoHealth[]> => verdicts(processes, program, [script, ...objects])
