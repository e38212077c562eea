// Small Go programs of ours, each a module of one file in a folder here: JSON lines in, one verdict an object out.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Processes, runOk } from '../../base/processes.ts'

const WITHIN_MS = 60_000

/** Names everything that the build of the module in `folder` depends on, but the Go release. */
export function moduleId(folder: string): string {
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum', 'main.go']) hash.update(readFileSync(join(folder, file)))
  return hash.update(`${process.platform}-${process.arch}`).digest('hex').slice(0, 16)
}

/** What the program answers, line by line. Rejects when it fails. */
export async function verdicts<Verdict>(
  processes: Processes,
  program: string,
  values: readonly unknown[],
): Promise<Verdict[]> {
  const input = values.map((value) => `${JSON.stringify(value)}\n`).join('')
  const out = await runOk(processes, program, [], { input, timeoutMs: WITHIN_MS })
  const lines = out.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as Verdict)
}
