import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import { node } from '../../test/conformance/store/documents.ts'
import { type FolderFixture, folderFixture } from '../../test/conformance/store/folder.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { eventLog } from './event-log.ts'
import { reconcileHistory } from './history.ts'
import { MIGRATIONS } from './migrations.ts'
import { DATABASE_FILE, openDatabase } from './open.ts'
import { readState } from './read-state.ts'
import { checkStateFolder } from './state-folder.ts'

let dir: string
beforeEach(() => {
  dir = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'ppn-state-')))
})
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }))

const log = silentLogger()
const object = (name: string, generation = 1) => ({ kind: 'Node', name, uid: `uid-${name}`, generation })
const fixture = async (use: (f: FolderFixture) => Promise<void>) => {
  const f = folderFixture()
  try {
    await use(f)
  } finally {
    await f.end()
  }
}

test('an older database is brought up to date, with what is in it', () => {
  const file = path.join(dir, DATABASE_FILE)
  const old = new DatabaseSync(file)
  old.exec(`${MIGRATIONS[0]}; pragma user_version = 1; insert into record values ('term', '7', 3)`)
  old.close()
  const database = openDatabase(dir)
  expect(database.sql.prepare('pragma user_version').get()).toEqual({ user_version: MIGRATIONS.length })
  expect(database.sql.prepare('select value from record').get()).toEqual({ value: '7' })
  database.close()
})

test('a database of a newer ppn is refused and left as it is', () => {
  const file = path.join(dir, DATABASE_FILE)
  const newer = new DatabaseSync(file)
  newer.exec('pragma user_version = 99')
  newer.close()
  expect(() => openDatabase(dir)).toThrow(expect.objectContaining({ code: 'StateTooNew' }))
  expect(() => readState(dir)).toThrow(expect.objectContaining({ code: 'StateTooNew' }))
  const again = new DatabaseSync(file)
  expect(again.prepare('pragma user_version').get()).toEqual({ user_version: 99 })
  again.close()
})

test('nobody else may read the database', () => {
  openDatabase(dir).close()
  expect(fs.statSync(path.join(dir, DATABASE_FILE)).mode & 0o777).toBe(0o600)
})

test('a transaction that fails leaves nothing behind', () => {
  const database = openDatabase(dir)
  const attempt = () =>
    database.transaction(true, () => {
      database.sql.exec(`insert into record values ('a', '1', 1)`)
      throw new Error('half way')
    })
  expect(attempt).toThrow('half way')
  expect(database.transaction(true, () => database.sql.prepare('select * from record').all())).toEqual([])
  database.close()
})

test('a state folder inside a git work tree is refused, also one that is not there yet', () => {
  fs.mkdirSync(path.join(dir, 'work/.git'), { recursive: true })
  const refusal = expect.objectContaining({ code: 'StateInGit' })
  expect(() => checkStateFolder(path.join(dir, 'work/deep/state'))).toThrow(refusal)
  fs.symlinkSync('work', path.join(dir, 'link'))
  expect(() => checkStateFolder(path.join(dir, 'link/state'))).toThrow(refusal)
  expect(checkStateFolder(path.join(dir, 'beside/state'))).toBe(path.join(dir, 'beside/state'))
})

test('a state folder on a network file system is refused', () => {
  const probe = (type: number) => ({ fileSystemType: () => type })
  // CIFS as a 32-bit kernel gives it: signed.
  expect(() => checkStateFolder(dir, probe(0xff534d42 | 0))).toThrow(
    expect.objectContaining({ code: 'StateOnNetwork' }),
  )
  expect(checkStateFolder(dir, probe(0xef53))).toBe(dir)
})

test('repeats of an event raise its count; a new reason or generation is a new event', () => {
  const database = openDatabase(dir)
  const clock = virtualClock(1_000)
  const events = eventLog(database, clock, log)
  events.record(object('a'), 'Warning', 'AddressTaken', 'by b')
  clock.jump(500)
  events.record(object('a'), 'Warning', 'AddressTaken', 'by c')
  events.record(object('a', 2), 'Normal', 'Accepted', 'welcome')
  expect(events.list()).toMatchObject([
    { reason: 'AddressTaken', generation: 1, count: 2, message: 'by c', firstMs: 1_000, lastMs: 1_500 },
    { reason: 'Accepted', generation: 2, count: 1, firstMs: 1_500 },
  ])
  events.record({ ...object('z'), kind: 'Archive', namespace: 'office' }, 'Normal', 'Placed', '')
  expect(events.list({ kind: 'Archive', namespace: 'office' })).toMatchObject([{ name: 'z', namespace: 'office' }])
  expect(events.list({ type: 'Warning', name: 'a' })).toHaveLength(1)
  database.close()
})

test('events are bounded: the longest unrepeated go first', async () => {
  const database = openDatabase(dir)
  const clock = virtualClock(0)
  const events = eventLog(database, clock, log, 3)
  for (const name of ['a', 'b', 'c', 'a', 'd']) {
    events.record(object(name), 'Normal', 'R', '')
    await clock.settle()
    clock.jump(1)
  }
  expect(events.list().map(({ name }) => name)).toEqual(['c', 'a', 'd'])
  database.close()
})

test('events and history outlive the process', () => {
  const clock = virtualClock(1_000)
  const first = openDatabase(dir)
  const events = eventLog(first, clock, log)
  const history = reconcileHistory(first, clock, log)
  events.record(object('a'), 'Normal', 'R', 'm')
  history.append('Node/a', { did: [] })
  events.flush()
  history.flush()
  first.close()
  const second = openDatabase(dir)
  expect(eventLog(second, clock, log).list()).toHaveLength(1)
  expect(reconcileHistory(second, clock, log).list('Node/a')).toEqual([{ atMs: 1_000, entry: { did: [] } }])
  second.close()
})

test('of each key the last reconciles are kept', () => {
  const database = openDatabase(dir)
  const history = reconcileHistory(database, virtualClock(), log, 3)
  for (let i = 0; i < 10; i++) history.append('Node/a', i)
  history.append('Node/b', 'one')
  expect(history.list('Node/a').map(({ entry }) => entry)).toEqual([7, 8, 9])
  history.append('Node/a', 10)
  expect(history.list('Node/a').map(({ entry }) => entry)).toEqual([8, 9, 10])
  expect(history.list('Node/b')).toHaveLength(1)
  database.close()
})

test('what a stopped authority knew can be read without it', () =>
  fixture(async (f) => {
    expect(readState(f.state)).toBeUndefined()
    f.write('a.yaml', [node('edge-1')])
    const store = await f.open()
    await f.start(store)
    await store.updateStatus(store.get('Node', 'edge-1')!, { observedGeneration: 1, conditions: [] })
    await store.records.put('term', 3, 0)
    const known = store.list('Node')
    await f.stop(store)
    const state = readState(f.state)
    expect(state?.objects).toEqual(known)
    expect(state?.records).toMatchObject([{ key: 'term', value: 3 }])
    expect(state?.writtenMs).toBeGreaterThan(0)
  }))

test('it can be read beside a running one, too', () =>
  fixture(async (f) => {
    f.write('a.yaml', [node('edge-1')])
    const store = await f.open()
    await f.start(store)
    expect(readState(f.state)?.objects).toEqual(store.list('Node'))
  }))
