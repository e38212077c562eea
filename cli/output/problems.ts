import { relative } from 'node:path'
import type { SourceProblem } from '../../controllers/ports/store.ts'
import type { Io } from '../io.ts'

/** `nodes.yaml:7:3: error: unknown field "rolle" [UnknownField]` and, on the next line, what to do. */
export function problemText(io: Pick<Io, 'cwd'>, problem: SourceProblem): string {
  const file = problem.file === undefined ? undefined : relative(io.cwd, problem.file)
  const place = [file === undefined || file.startsWith('..') ? problem.file : file, problem.line, problem.column]
    .filter((part) => part !== undefined)
    .join(':')
  const head = `${place === '' ? '' : `${place}: `}${problem.severity}: ${problem.message} [${problem.code}]\n`
  return problem.hint ? `${head}  hint: ${problem.hint}\n` : head
}
