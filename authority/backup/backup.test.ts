import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { diskFiles } from '../../base/disk-files.ts'
import { systemRandom } from '../../base/random.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { loadOrCreateKeys } from '../keys/keys.ts'
import { backupState, restoreState } from './backup.ts'

const cost = { n: 2 ** 4, r: 8, p: 1 }
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'ppn-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function state(): Promise<string> {
  const at = path.join(folder, 'state')
  const files = diskFiles(at)
  await loadOrCreateKeys({ files: files.sub('keys'), random: systemRandom, clock: virtualClock(), mayCreate: true })
  await files.write('nodes.jsonl', Buffer.from('{}\n'))
  return at
}

test('a state folder goes through one file, private to its owner, and comes back', async () => {
  const from = await state()
  const live = new DatabaseSync(path.join(from, 'ppn.db'))
  live.exec('PRAGMA journal_mode=WAL; CREATE TABLE t (x); INSERT INTO t VALUES (7)')
  const file = path.join(folder, 'out.ppn')
  const made = await backupState(from, file, 'word', { cost })
  live.close()
  expect(made).toEqual({ path: file, bytes: (await stat(file)).size })
  expect((await stat(file)).mode & 0o777).toBe(0o600)

  const to = path.join(folder, 'deep', 'restored')
  expect(await restoreState(to, file, 'word')).toMatchObject({ complete: true })
  for (const name of ['nodes.jsonl', 'keys/authority', 'keys/operator.secret']) {
    expect(await readFile(path.join(to, name))).toEqual(await readFile(path.join(from, name)))
    expect((await stat(path.join(to, name))).mode & 0o077).toBe(0)
  }
  const copy = new DatabaseSync(path.join(to, 'ppn.db'))
  expect(copy.prepare('SELECT x FROM t').all()).toEqual([{ x: 7 }])
  copy.close()
})

test('a file that is there is not written over', async () => {
  const file = path.join(folder, 'out.ppn')
  await writeFile(file, 'mine')
  await expect(backupState(await state(), file, 'word', { cost })).rejects.toMatchObject({ code: 'AlreadyExists' })
  expect(await readFile(file, 'utf8')).toBe('mine')
})

test('a backup that fails leaves no file behind', async () => {
  const file = path.join(folder, 'out.ppn')
  await expect(backupState(folder, file, 'word', { cost })).rejects.toMatchObject({ code: 'KeysMissing' })
  expect(await readdir(folder)).toEqual([])
})
