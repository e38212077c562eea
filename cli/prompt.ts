// Questions to a person, on standard error, so that standard output stays what it is. Answers come line by line, also
// from a pipe: none is lost between two questions.
import { createInterface } from 'node:readline'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'

/** Where answers come from; `isTTY`: a person at a terminal. */
export type Answers = NodeJS.ReadableStream & { isTTY?: boolean }

export interface AskOptions {
  /** Besides the person's own wish to stop: the question is out of date. */
  signal?: AbortSignal
  /**
   * Only what is typed after the question counts at a terminal: an answer to something that was shown before must not
   * pass for an answer to this. A pipe answers in its own order, whenever it is asked.
   */
  fresh?: boolean
}

export interface Prompt {
  /** The next line, trimmed. Throws when the input has ended; rejects with the signal's reason. */
  ask(question: string, options?: AskOptions): Promise<string>
  close(): void
}

export function openPrompt(io: Io, input: Answers = process.stdin): Prompt {
  const lines: string[] = []
  let ended = false
  let wake = () => {}
  const reader = createInterface({ input })
  reader.on('line', (line) => {
    lines.push(line.trim())
    wake()
  })
  reader.on('close', () => {
    ended = true
    wake()
  })
  return {
    async ask(question, { signal = io.signal, fresh = false } = {}) {
      const both = signal === io.signal ? signal : AbortSignal.any([signal, io.signal])
      if (fresh && input.isTTY) lines.length = 0
      io.err(question)
      while (lines.length === 0 && !ended) {
        both.throwIfAborted()
        await new Promise<void>((resolve) => {
          const done = () => {
            both.removeEventListener('abort', done)
            resolve()
          }
          wake = done
          both.addEventListener('abort', done, { once: true })
        })
      }
      both.throwIfAborted()
      const line = lines.shift()
      if (line === undefined) throw new CliError(EXIT.usage, 'nobody answers', 'run it in a terminal')
      return line
    },
    close: () => reader.close(),
  }
}
