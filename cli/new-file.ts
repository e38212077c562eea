import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'

/** Mode 0600, never over a file that is there. Returns its path. */
export async function writeNew(io: Io, file: string, bytes: Uint8Array | string): Promise<string> {
  const path = resolve(io.cwd, file)
  try {
    await writeFile(path, bytes, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new CliError(EXIT.failed, `${path} is there already`, 'name another file')
  }
  return path
}
