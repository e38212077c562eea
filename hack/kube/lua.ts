// What Argo CD makes of objects by a health script.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Processes, runOk } from '../../base/processes.ts'

/** Folder of its go.mod. */
export const LUA = join(import.meta.dirname, 'lua')

const WITHIN_MS = 60_000

/** Names everything that its build depends on, but the Go release. */
export function luaId(): string {
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum', 'main.go']) hash.update(readFileSync(join(LUA, file)))
  return hash.update(`${process.platform}-${process.arch}`).digest('hex').slice(0, 16)
}

export interface ArgoHealth {
  status: 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended'
  message: string
}

/** One verdict an object, in their order. Rejects on a script that fails, also on one of them. */
export async function argoHealth(
  processes: Processes,
  program: string,
  script: string,
  objects: readonly object[],
): Promise<ArgoHealth[]> {
  const input = [script, ...objects].map((value) => `${JSON.stringify(value)}\n`).join('')
  const out = await runOk(processes, program, [], { input, timeoutMs: WITHIN_MS })
  const lines = out.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as ArgoHealth)
}
