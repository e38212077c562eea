import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { problemText } from '../output/problems.ts'

export interface ValidateOptions {
  output?: string
  strict?: boolean
}

/** `ppn validate DIR`: everything that is wrong with a folder, without an authority and without any state. */
export async function validate(io: Io, dir: string, options: ValidateOptions): Promise<ExitCode> {
  const root = resolve(io.cwd, dir)
  const there = await stat(root).catch(() => undefined)
  if (!there) throw new CliError(EXIT.failed, `there is no ${dir}`)
  const { validateFolder } = await import('../../stores/files/validate.ts')
  const { objects, problems } = await validateFolder(root, io.clock)
  const errors = problems.filter((p) => p.severity === 'error').length
  const warnings = problems.length - errors
  if (options.output === 'json') io.out(`${JSON.stringify({ objects: objects.length, problems }, null, 2)}\n`)
  else {
    for (const problem of problems) io.out(problemText(io, problem, root))
    const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`
    io.out(`${count(objects.length, 'object')}, ${count(errors, 'error')}, ${count(warnings, 'warning')}\n`)
  }
  return errors > 0 || (options.strict === true && warnings > 0) ? EXIT.no : EXIT.ok
}
