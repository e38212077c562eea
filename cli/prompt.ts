// Questions to a person, on standard error, so that standard output stays what it is. Answers come line by line, also
// from a pipe: none is lost between two questions.
import { createInterface } from 'node:readline'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'

export interface Prompt {
  /** The next line, trimmed. Throws when the input has ended; rejects with the signal's reason. */
  ask(question: string, signal?: AbortSignal): Promise<string>
  close(): void
}

export function openPrompt(io: Io, input: NodeJS.ReadableStream = process.stdin): Prompt {
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
    async ask(question, signal = io.signal) {
      const both = signal === io.signal ? signal : AbortSignal.any([signal, io.signal])
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
