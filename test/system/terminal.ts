// A command on a real pseudo-terminal, by script(1) of util-linux.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Running, type RunOptions, start } from './processes.ts'

const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`

export interface Size {
  rows: number
  columns: number
}

/** Starts it on a terminal of the given size. Throws when the machine has no script(1). */
export function startOnTerminal(
  file: string,
  args: readonly string[],
  options: RunOptions,
  { rows, columns }: Size = { rows: 40, columns: 100 },
): Running {
  const folders = (options.env.PATH ?? '').split(delimiter)
  if (!folders.some((folder) => existsSync(join(folder, 'script'))))
    throw new Error('this test needs script(1) for a terminal: install util-linux (Debian: bsdutils)')
  const command = `stty rows ${rows} columns ${columns}; exec ${[file, ...args].map(quote).join(' ')}`
  return start('script', ['-qefc', command, '/dev/null'], {
    ...options,
    env: { ...options.env, TERM: 'xterm-256color' },
  })
}
