// What kstatus, the library by which Flux and others judge whether an object is done, makes of objects.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Processes, runOk } from '../../base/processes.ts'

/** Folder of its go.mod. */
export const KSTATUS = join(import.meta.dirname, 'kstatus')

const WITHIN_MS = 60_000

/** Names everything that its build depends on, but the Go release. */
export function kstatusId(): string {
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum', 'main.go']) hash.update(readFileSync(join(KSTATUS, file)))
  return hash.update(`${process.platform}-${process.arch}`).digest('hex').slice(0, 16)
}

export interface KstatusVerdict {
  status: 'InProgress' | 'Failed' | 'Current' | 'Terminating' | 'NotFound' | 'Unknown'
  message: string
}

/** One verdict an object, in their order. Rejects on what is no object. */
export async function kstatus(
  processes: Processes,
  program: string,
  objects: readonly object[],
): Promise<KstatusVerdict[]> {
  const input = objects.map((object) => `${JSON.stringify(object)}\n`).join('')
  const out = await runOk(processes, program, [], { input, timeoutMs: WITHIN_MS })
  const lines = out.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as KstatusVerdict)
}
