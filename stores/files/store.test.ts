import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import { node } from '../../test/conformance/store/documents.ts'
import { type FolderFixture, folderFixture } from '../../test/conformance/store/folder.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { openFilesStore } from './store.ts'
import { validateFolder } from './validate.ts'

let f: FolderFixture
beforeEach(() => {
  f = folderFixture()
})
afterEach(() => f.end())

/** Locks as a machine has them, with their names. */
function locks() {
  const held = new Set<string>()
  const lock = async (name: string) => {
    if (held.has(name)) throw new PpnError('FileLocked', { path: name })
    held.add(name)
    return { release: async () => void held.delete(name) }
  }
  return { held, lock }
}
const options = (more: object) => ({ root: f.root, state: f.state, clock: f.clock, watch: f.watch.watch, ...more })

test('one authority holds the state and one the folder, by whatever name it is called', async () => {
  const { held, lock } = locks()
  const first = await openFilesStore(options({ lock }))
  expect(held.size).toBe(2)
  await expect(openFilesStore(options({ lock }))).rejects.toMatchObject({
    code: 'FileLocked',
    message: `${f.state} is held by another process`,
  })
  fs.symlinkSync('fleet', path.join(f.dir, 'alias'))
  const other = options({ lock, root: path.join(f.dir, 'alias'), state: path.join(f.dir, 'state-2') })
  await expect(openFilesStore(other)).rejects.toMatchObject({
    code: 'FileLocked',
    message: `${f.root} is held by another process`,
  })
  expect(held.size).toBe(2)
  // Another mesh may be declared in the same folder.
  await (await openFilesStore({ ...other, mesh: 'second' })).close()
  await first.close()
  expect(held.size).toBe(0)
})

test('a database that cannot be opened keeps no lock', async () => {
  const { held, lock } = locks()
  fs.mkdirSync(path.join(f.state, 'ppn.db'), { recursive: true })
  await expect(openFilesStore(options({ lock }))).rejects.toThrow()
  expect(held.size).toBe(0)
})

test('the state folder is refused inside a git work tree', async () => {
  fs.mkdirSync(path.join(f.dir, '.git'))
  await expect(openFilesStore(options({}))).rejects.toMatchObject({ code: 'StateInGit' })
})

test('a start that is called off says so', async () => {
  fs.rmSync(f.root, { recursive: true })
  const store = await f.open()
  const stop = new AbortController()
  const started = store.start(stop.signal)
  stop.abort(new Error('enough'))
  await expect(started).rejects.toThrow('enough')
})

test('a real watcher tells of a changed file', async () => {
  f.write('nodes/a.yaml', [node('edge-1')])
  const store = await openFilesStore({ root: f.root, state: f.state, clock: systemClock() })
  const stop = new AbortController()
  await store.start(stop.signal)
  expect(store.health().watching).toBe('events')
  const changed = new Promise<void>((resolve) => store.subscribe(({ type }) => type === 'upsert' && resolve()))
  f.write('nodes/a.yaml', [node('edge-1', { isolated: true })])
  await changed
  expect(store.get('Node', 'edge-1')?.spec.isolated).toBe(true)
  stop.abort()
  await store.close()
})

test('a folder is validated without any state, and nothing is written', async () => {
  f.write('a.yaml', [node('edge-1'), node('edge-2', { isolatd: true })])
  f.write('b.yaml', [node('edge-3')])
  f.write('c.yaml', [node('edge-3')])
  const { objects, problems } = await validateFolder(f.root, f.clock)
  expect(objects.map(({ metadata }) => metadata.name)).toEqual(['edge-1'])
  expect(problems.map(({ code, file, line }) => [code, file, line])).toEqual([
    ['UnknownField', 'a.yaml', 16],
    ['DuplicateObject', 'b.yaml', 4],
    ['DuplicateObject', 'c.yaml', 4],
  ])
  expect(fs.existsSync(f.state)).toBe(false)
})

test('validating a folder that is not there is one problem', async () => {
  const { objects, problems } = await validateFolder(path.join(f.dir, 'nowhere'), virtualClock())
  expect(objects).toEqual([])
  expect(problems).toMatchObject([{ code: 'FolderUnreadable', severity: 'error' }])
})
