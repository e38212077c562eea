// What kstatus, the library by which Flux and others judge whether an object is done, makes of objects.
import { join } from 'node:path'
import type { Processes } from '../../base/processes.ts'
import { verdicts } from './small.ts'

/** Folder of its go.mod. */
export const KSTATUS = join(import.meta.dirname, 'kstatus')

export interface KstatusVerdict {
  status: 'InProgress' | 'Failed' | 'Current' | 'Terminating' | 'NotFound' | 'Unknown'
  message: string
}

/** One verdict an object, in their order. Rejects on what is no object. */
export const kstatus = (processes: Processes, program: string, objects: readonly object[]): Promise<KstatusVerdict[]> =>
  verdicts(processes, program, objects)
