import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { systemRandom } from '../../base/random.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { loadOrCreateKeys } from '../keys/keys.ts'
import { copyDatabase } from './database.ts'
import { packEntries } from './entries.ts'
import { sealBackup } from './seal.ts'
import { clearRestoredMark, createBackup, restoreBackup, restoredMark } from './snapshot.ts'

const clock = virtualClock()
/** Enough to be scrypt, little enough for a test. */
const cost = { n: 2 ** 4, r: 8, p: 1 }
const passphrase = 'correct horse'

async function state() {
  const files = memoryFiles()
  await loadOrCreateKeys({ files: files.sub('keys'), random: systemRandom, clock, mayCreate: true })
  await files.write('nodes.jsonl', Buffer.from('{"a":1}\n{"b":2}\n'))
  await files.write('audit.jsonl', Buffer.from('{"c":3}\n'))
  await files.write('audit-000002.jsonl', Buffer.from('{"d":4}\n'))
  await files.write('brake', Buffer.from('hands off'))
  return files
}

const back = (files: Awaited<ReturnType<typeof state>>, database = async () => new Uint8Array([1, 2, 3])) =>
  createBackup({ files, database, passphrase, clock, random: systemRandom, cost })
const restore = (backup: Uint8Array, files = memoryFiles(), word = passphrase) =>
  restoreBackup({ files, backup, passphrase: word, clock })

test('what is backed up comes back byte for byte, and is marked as restored', async () => {
  const files = await state()
  const target = memoryFiles()
  await restore(await back(files), target)
  const { restored: _, ...found } = Object.fromEntries(target.dump())
  expect(found).toEqual({ ...Object.fromEntries(files.dump()), 'ppn.db': new Uint8Array([1, 2, 3]) })
  expect(await restoredMark(target)).toMatchObject({ complete: true, createdMs: clock.now() })
  await clearRestoredMark(target)
  expect(await restoredMark(target)).toBeUndefined()
})

test('an authority that has no database yet is backed up without one', async () => {
  const target = memoryFiles()
  await restore(await back(await state(), async () => undefined as never), target)
  expect(await target.list()).not.toContain('ppn.db')
})

test('a backup shows nothing of the keys (law 10)', async () => {
  const files = await state()
  const text = Buffer.from(await back(files)).toString('latin1')
  const keys = JSON.parse(Buffer.from((await files.sub('keys').read('authority')) ?? []).toString())
  expect(text).not.toContain(keys.signingSecretKey)
  expect(text).not.toContain('nodes.jsonl')
})

test('a wrong passphrase and any changed byte are refused before anything is written', async () => {
  const backup = await back(await state())
  const target = memoryFiles()
  await expect(restore(backup, target, 'wrong horse')).rejects.toMatchObject({ code: 'BackupUnreadable' })
  for (let at = 0; at < backup.length; at += 41) {
    const bad = new Uint8Array(backup)
    bad[at] = (bad[at] as number) ^ 1
    await expect(restore(bad, target)).rejects.toMatchObject({ code: 'BackupUnreadable' })
  }
  for (const length of [0, 10, backup.length - 1])
    await expect(restore(backup.subarray(0, length), target)).rejects.toMatchObject({ code: 'BackupUnreadable' })
  expect(target.dump().size).toBe(0)
})

test('a header cannot ask for more memory than a backup needs', async () => {
  const backup = Buffer.from(await back(await state())).toString('latin1')
  const greedy = Buffer.from(backup.replace('"n":16', '"n":1073741824'), 'latin1')
  await expect(restore(greedy)).rejects.toMatchObject({ code: 'BackupUnreadable' })
})

test.each(['../outside', '/etc/passwd', 'keys/../../x', '.hidden', 'a/b/c', ''])(
  'a file named "%s" never leaves the archive',
  async (name) => {
    const plain = await packEntries([{ name, bytes: new Uint8Array([1]) }], 0)
    const target = memoryFiles()
    await expect(restore(await sealBackup(plain, passphrase, systemRandom, cost), target)).rejects.toMatchObject({
      code: 'BackupUnreadable',
    })
    expect(target.dump().size).toBe(0)
  },
)

test('a folder that holds anything is not restored into', async () => {
  const backup = await back(await state())
  for (const name of ['ppn.db', 'other']) {
    const target = memoryFiles()
    await target.write(name, Buffer.from('x'))
    await expect(restore(backup, target)).rejects.toMatchObject({ code: 'StateNotEmpty' })
  }
  const target = memoryFiles()
  await target.sub('keys').write('authority', Buffer.from('x'))
  await expect(restore(backup, target)).rejects.toMatchObject({ code: 'StateNotEmpty' })
})

test('a restore cut short at any write is seen by the next start', async () => {
  const backup = await back(await state())
  const whole = memoryFiles()
  await restore(backup, whole)
  for (let writes = 1; writes < whole.dump().size + 1; writes++) {
    let left = writes
    const target = memoryFiles()
    const failing = (files: typeof target): typeof target => ({
      ...files,
      write: async (name, bytes) => {
        if (left-- <= 0) throw new Error('power cut')
        await files.write(name, bytes)
      },
      sub: (name) => failing(files.sub(name) as typeof target),
    })
    await expect(restore(backup, failing(target))).rejects.toThrow('power cut')
    await expect(restoredMark(target)).rejects.toMatchObject({ code: 'RestoreIncomplete' })
    await expect(restore(backup, target)).rejects.toMatchObject({ code: 'StateNotEmpty' })
  }
})

test('a state without keys is no state to back up', async () => {
  await expect(back(memoryFiles())).rejects.toMatchObject({ code: 'KeysMissing' })
})

test('the database is copied whole while another connection writes to it', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'ppn-test-'))
  try {
    const file = path.join(folder, 'ppn.db')
    expect(await copyDatabase(file, folder)).toBeUndefined()
    const live = new DatabaseSync(file)
    live.exec('PRAGMA journal_mode=WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)')
    live.exec('BEGIN; INSERT INTO t VALUES (2)')
    const bytes = await copyDatabase(file, folder)
    live.exec('COMMIT')
    live.close()
    await writeFile(path.join(folder, 'copy.db'), bytes as Uint8Array)
    const copy = new DatabaseSync(path.join(folder, 'copy.db'))
    expect(copy.prepare('SELECT x FROM t').all()).toEqual([{ x: 1 }])
    copy.close()
    expect((await readdir(folder)).filter((name) => name.startsWith('ppn-backup-'))).toEqual([])
  } finally {
    await rm(folder, { recursive: true })
  }
})
