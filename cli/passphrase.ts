import { createInterface } from 'node:readline/promises'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'

/** From --passphrase-file, $PPN_PASSPHRASE, or asked for without showing it; never an argument (law 10). */
export async function readPassphrase(io: Io, file: string | undefined, prompt: string): Promise<string> {
  const given = file === undefined ? io.env.PPN_PASSPHRASE : (await io.read(file)).trim()
  if (given) return given
  if (file !== undefined) throw new CliError(EXIT.failed, `${file} holds no passphrase`)
  if (!process.stdin.isTTY)
    throw new CliError(EXIT.usage, 'no passphrase', 'give one with --passphrase-file or in PPN_PASSPHRASE')
  const silent = new (await import('node:stream')).Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true })
  try {
    io.err(prompt)
    const answer = await terminal.question('', { signal: io.signal })
    io.err('\n')
    if (answer === '') throw new CliError(EXIT.usage, 'an empty passphrase protects nothing')
    return answer
  } finally {
    terminal.close()
  }
}
