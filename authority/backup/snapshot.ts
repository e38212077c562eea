// The state folder as one encrypted file, and back into an empty folder.
//
// A restore marks the folder first and last: `restored` says "incomplete" until every file is there. The next start
// sees the mark, begins the restore of section 7.6 (authority/term/restore.ts) and only then takes it away.
import { z } from 'zod'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import type { RandomBytes } from '../../base/random.ts'
import { segmentsAmong } from '../../base/segmented-log.ts'
import { canonicalBytes, parseCanonical } from '../../protocol/canonical.ts'
import { AUDIT_FILE } from '../audit.ts'
import { markInFolder, refuseMoved } from '../migrate/mark.ts'
import { type BackupEntry, packEntries, unpackEntries } from './entries.ts'
import { openBackup, type ScryptCost, sealBackup } from './seal.ts'

export const DATABASE_FILE = 'ppn.db'
export const RESTORED_FILE = 'restored'
const KEYS_FOLDER = 'keys'
/** What makes up an authority (section 9); whatever else lies in the folder is not ours. */
const PLAIN_FILES = ['nodes.jsonl', 'brake'] as const

export interface BackupOptions {
  /** The state folder. */
  files: Files
  /** A consistent copy of the database, e.g. `copyDatabase`; undefined: there is none yet. */
  database(): Promise<Uint8Array | undefined>
  passphrase: string
  clock: Pick<Clock, 'now'>
  random: RandomBytes
  cost?: ScryptCost
}

/**
 * The whole state, sealed. May run beside a working authority: the database is read first, so that no fact in it is
 * newer than the lines of the registry it goes with.
 */
export async function createBackup(options: BackupOptions): Promise<Uint8Array> {
  const { files, passphrase, clock, random, cost } = options
  // A folder half restored is no state. One that is still to be taken over is: its restored copy is marked anew.
  await restoredMark(files)
  // Of one that has moved away a backup would bring a second authority into being.
  refuseMoved(await markInFolder(files))
  const entries: BackupEntry[] = []
  const add = (name: string, bytes: Uint8Array | undefined) => {
    if (bytes) entries.push({ name, bytes })
  }
  add(DATABASE_FILE, await options.database())
  const segments = segmentsAmong(await files.list(), AUDIT_FILE)
  for (const name of [...PLAIN_FILES, ...segments]) add(name, await files.read(name))
  const keys = files.sub(KEYS_FOLDER)
  const names = await keys.list()
  if (!names.includes('authority')) throw new PpnError('KeysMissing')
  for (const name of names) add(`${KEYS_FOLDER}/${name}`, await keys.read(name))
  return sealBackup(await packEntries(entries, clock.now()), passphrase, random, cost)
}

const restored = z.strictObject({
  complete: z.boolean(),
  /** Clock.now() of the restore and of the backup. */
  restoredMs: z.int(),
  createdMs: z.int(),
})
export type RestoredMark = z.output<typeof restored>

/** Fills an empty state folder. Throws BackupUnreadable before anything is written, and StateNotEmpty. */
export async function restoreBackup(options: {
  files: Files
  backup: Uint8Array
  passphrase: string
  clock: Pick<Clock, 'now'>
}): Promise<RestoredMark> {
  const { files, backup, passphrase, clock } = options
  const { createdMs, entries } = await unpackEntries(await openBackup(backup, passphrase))
  const found = [...(await files.list()), ...(await files.sub(KEYS_FOLDER).list()).map((n) => `${KEYS_FOLDER}/${n}`)]
  if (found[0] !== undefined) throw new PpnError('StateNotEmpty', { name: found[0] })

  const mark: RestoredMark = { complete: true, restoredMs: clock.now(), createdMs }
  const writeMark = (complete: boolean) => files.write(RESTORED_FILE, canonicalBytes({ ...mark, complete }))
  await writeMark(false)
  for (const { name, bytes } of entries) {
    const [folder, file] = name.split('/')
    await (file === undefined ? files.write(name, bytes) : files.sub(folder as string).write(file, bytes))
  }
  await writeMark(true)
  return mark
}

/**
 * At every start, before anything else is read: undefined, or what was restored. Throws RestoreIncomplete after a
 * restore that was cut short, and for a mark that cannot be read.
 */
export async function restoredMark(files: Files): Promise<RestoredMark | undefined> {
  const bytes = await files.read(RESTORED_FILE)
  if (!bytes) return undefined
  let mark: RestoredMark
  try {
    mark = restored.parse(parseCanonical(bytes))
  } catch (cause) {
    throw new PpnError('RestoreIncomplete', {}, { cause })
  }
  if (!mark.complete) throw new PpnError('RestoreIncomplete')
  return mark
}

/** Bytes of the mark of a restore that is complete: of a state that was put back by other means than `restoreBackup`. */
export const restoredNow = (clock: Pick<Clock, 'now'>): Uint8Array =>
  canonicalBytes({ complete: true, restoredMs: clock.now(), createdMs: clock.now() } satisfies RestoredMark)

/** The restore is a durable record now (authority/term/restore.ts, `beginRestore`): the mark has done its work. */
export async function clearRestoredMark(files: Files): Promise<void> {
  await files.remove(RESTORED_FILE)
}
