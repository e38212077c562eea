import { CommanderError } from 'commander'
import { PpnError } from '../base/errors.ts'
import { CliError, EXIT, type ExitCode } from './exit.ts'
import { type Io, processIo } from './io.ts'
import { createProgram } from './program.ts'

/** What went wrong, for a person: message, place and hint; a stack only for a fault of ours. */
function report(io: Io, error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  const e = error as Partial<CliError & PpnError> & Error
  const place = e.at ? `${e.at.file}:${e.at.line}:${e.at.column}: ` : ''
  io.err(`ppn: ${place}${e.message}${error instanceof PpnError ? ` [${error.code}]` : ''}\n`)
  if (e.hint) io.err(`hint: ${e.hint}\n`)
  if (!(error instanceof CliError) && e.hint === undefined) io.err(`${e.stack}\n`)
  return error instanceof CliError ? error.exit : EXIT.failed
}

/** Runs one command line; the exit code is what docs/cli.md says. */
export async function main(io: Io, args: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok
  try {
    await createProgram(io, (ended) => {
      code = ended
    }).parseAsync([...args], { from: 'user' })
    return code
  } catch (error) {
    return report(io, error)
  }
}

if (import.meta.main) {
  const stop = new AbortController()
  let hangup: (() => void) | undefined
  // The first signal asks to stop; a second one is for a person who will not wait.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (signal === 'SIGHUP' && hangup) return hangup()
      if (stop.signal.aborted) process.exit(130)
      stop.abort(new Error(`stopped by ${signal}`))
    })
  }
  // The launcher (bin/ppn.mjs) was killed: what it cannot forward any more is to be stopped.
  process.on('disconnect', () => stop.abort(new Error('the launcher has ended')))
  // A listener keeps the channel referenced, and that would keep a verb that is done from ending.
  process.channel?.unref()
  // `ppn get ... | head` ends without a fuss.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 2))
  const io = processIo(stop.signal, (listener) => {
    hangup = listener
  })
  process.exitCode = await main(io, process.argv.slice(2))
}
