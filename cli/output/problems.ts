import { relative, resolve } from 'node:path'
import type { SourceProblem } from '../../controllers/ports/store.ts'
import type { Io } from '../io.ts'

/**
 * `fleet/nodes.yaml:7:3: error: unknown field "rolle" [UnknownField]` and, on the next line, what to do. `root`: the
 * folder that the problem's file is named from; shown is the way from where the person stands.
 */
export function problemText(io: Pick<Io, 'cwd'>, problem: SourceProblem, root: string): string {
  const path = problem.file === undefined ? undefined : resolve(io.cwd, root, problem.file)
  const file = path === undefined ? undefined : relative(io.cwd, path)
  const place = [file?.startsWith('..') ? path : file, problem.line, problem.column]
    .filter((part) => part !== undefined)
    .join(':')
  const head = `${place === '' ? '' : `${place}: `}${problem.severity}: ${problem.message} [${problem.code}]\n`
  return problem.hint ? `${head}  hint: ${problem.hint}\n` : head
}
