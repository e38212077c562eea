// The guest's console log and QEMU's own words. Law 8: neither leaves the node.

import { copyFile, open, stat, truncate } from 'node:fs/promises'
import path from 'node:path'
import type { ArchiveId } from '../../../../protocol/ids.ts'

/** One log and the one before it: at most twice this an archive while an agent runs. */
export const LOG_LIMIT_BYTES = 1024 * 1024
const LAST_WORDS_BYTES = 512

/** What the guest wrote to its serial port; the older part beside it in `.1`. */
export function consoleLogIn(stateFolder: string, id: ArchiveId): string {
  return path.join(stateFolder, 'consoles', `${id}.log`)
}

/** What QEMU itself had to say. */
export function wordsIn(stateFolder: string, id: ArchiveId): string {
  return path.join(stateFolder, 'consoles', `${id}.qemu`)
}

/**
 * Moves a log that is too long to `.1` and begins it anew. By copying: QEMU holds the file open, in append mode, so
 * that truncating it is safe; what the guest writes between the two is lost.
 */
export async function trimLog(file: string): Promise<void> {
  const size = await stat(file).then(({ size }) => size, absentIsEmpty)
  if (size <= LOG_LIMIT_BYTES) return
  await copyFile(file, `${file}.1`)
  await truncate(file)
}

/** The end of the file, whole lines; nothing when there is no file. */
export async function lastWordsOf(file: string): Promise<string> {
  const size = await stat(file).then(({ size }) => size, absentIsEmpty)
  if (size === 0) return ''
  const handle = await open(file, 'r')
  try {
    const at = Math.max(0, size - LAST_WORDS_BYTES)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LAST_WORDS_BYTES), 0, LAST_WORDS_BYTES, at)
    const text = buffer.toString('utf8', 0, bytesRead)
    return at > 0 ? text.slice(text.indexOf('\n') + 1) : text
  } finally {
    await handle.close()
  }
}

function absentIsEmpty(error: NodeJS.ErrnoException): 0 {
  if (error.code === 'ENOENT') return 0
  throw error
}
