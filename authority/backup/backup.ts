// `ppn backup` and `ppn restore` on a disk.
import { type FileHandle, mkdir, open, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { type Clock, systemClock } from '../../base/clock.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { PpnError } from '../../base/errors.ts'
import { type RandomBytes, systemRandom } from '../../base/random.ts'
import { copyDatabase } from './database.ts'
import type { ScryptCost } from './seal.ts'
import { createBackup, DATABASE_FILE, type RestoredMark, restoreBackup } from './snapshot.ts'

export interface DiskBackupOptions {
  clock?: Clock
  random?: RandomBytes
  cost?: ScryptCost
}

/**
 * Writes the state folder `state` to a new file, mode 0600, durable when it resolves; also beside a working
 * authority. Throws AlreadyExists, KeysMissing, RestoreIncomplete.
 */
export async function backupState(
  state: string,
  file: string,
  passphrase: string,
  { clock = systemClock(), random = systemRandom, cost }: DiskBackupOptions = {},
): Promise<{ path: string; bytes: number }> {
  const target = path.resolve(file)
  const handle = await createNew(target)
  try {
    const database = () => copyDatabase(path.join(state, DATABASE_FILE), state)
    const backup = await createBackup({ files: diskFiles(state), database, passphrase, clock, random, cost })
    await handle.writeFile(backup)
    await handle.sync()
    return { path: target, bytes: backup.length }
  } catch (error) {
    await rm(target, { force: true })
    throw error
  } finally {
    await handle.close()
  }
}

/** Fills the empty folder `state` (made when there is none) from a backup. Throws what `restoreBackup` throws. */
export async function restoreState(
  state: string,
  file: string,
  passphrase: string,
  { clock = systemClock() }: DiskBackupOptions = {},
): Promise<RestoredMark> {
  const backup = new Uint8Array(await readFile(file))
  await mkdir(state, { recursive: true, mode: 0o700 })
  return restoreBackup({ files: diskFiles(state), backup, passphrase, clock })
}

async function createNew(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new PpnError('AlreadyExists', { key: file })
    throw error
  }
}
