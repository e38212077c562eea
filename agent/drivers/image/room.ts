import { statfs } from 'node:fs/promises'
import { ImageFailure } from './port.ts'

/** Of the host's file system: the agent's own files and the disks that are there must be able to go on. */
const KEEP_FREE_BYTES = 64 * 1_048_576
const MIB = 1_048_576

/** Bytes that may still be written below `folder`. */
export async function roomIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return Math.max(0, bavail * bsize - KEEP_FREE_BYTES)
}

/** Throws DiskFull before anything is written: filling the host to the brim would stop the archives that run. */
export function demandRoom(room: number, wanted = 1): void {
  if (wanted <= room) return
  throw new ImageFailure('DiskFull', `${Math.ceil(wanted / MIB)} MiB wanted, ${Math.floor(room / MIB)} MiB left`)
}

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** What the system says when there is no room after all; anything else as it is. */
export function asDiskFull(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  return code !== undefined && NO_ROOM.has(code) ? new ImageFailure('DiskFull', message) : error
}
