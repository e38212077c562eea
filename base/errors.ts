// Every error ppn raises for a person, in one table. A code is stable: scripts match it. The text says what
// was wrong, and `hint` what to do; `at` says where.

export interface ErrorSpec {
  /** `{name}` is replaced from the details. */
  message: string
  hint: string
}

/** Add rows here, grouped by room; never change the meaning of a code. */
export const ERRORS = {
  // base
  FileLocked: {
    message: '{path} is held by another process',
    hint: 'stop the other process, or choose another folder',
  },
  FrameTooLong: {
    message: 'a frame of {length} bytes is over the limit of {limit}',
    hint: 'the sender is not a ppn peer, or of a newer version',
  },
  // protocol
  BadLength: { message: '{what} has {length} bytes, not {expected}', hint: 'discarded' },
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof ERRORS

/** Where in a file a fault is: 1-based line and column. */
export interface SourceLocation {
  file: string
  line: number
  column: number
}

export class PpnError extends Error {
  override readonly name = 'PpnError'
  readonly code: ErrorCode
  readonly hint: string
  readonly details: Readonly<Record<string, unknown>>
  readonly at: SourceLocation | undefined

  constructor(
    code: ErrorCode,
    details: Record<string, unknown> = {},
    options: { at?: SourceLocation; cause?: unknown } = {},
  ) {
    const spec: ErrorSpec = ERRORS[code]
    super(
      spec.message.replace(/\{(\w+)\}/g, (_, key: string) => String(details[key] ?? '?')),
      { cause: options.cause },
    )
    this.code = code
    this.hint = spec.hint
    this.details = details
    this.at = options.at
  }
}
