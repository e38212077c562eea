// What the exit codes mean; docs/cli.md has the same table.
export const EXIT = {
  ok: 0,
  /** The answer is no: differences, invalid files, nothing found, not Ready in time. */
  no: 1,
  /** It was tried and failed; the message says why. */
  failed: 2,
  /** The command line is wrong (EX_USAGE of sysexits(3)). */
  usage: 64,
  /** Needs something that is not there: a running authority, Node 24, Linux (EX_UNAVAILABLE). */
  unavailable: 69,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A message for the person and the code to end with. */
export class CliError extends Error {
  readonly exit: ExitCode
  readonly hint: string | undefined
  constructor(exit: ExitCode, message: string, hint?: string) {
    super(message)
    this.exit = exit
    this.hint = hint
  }
}
