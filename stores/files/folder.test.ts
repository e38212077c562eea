// The folder as people, git and Kubernetes leave it. What holds for every store is in test/conformance/store.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { node } from '../../test/conformance/store/documents.ts'
import { type FolderFixture, folderFixture } from '../../test/conformance/store/folder.ts'
import { type FolderFs, localFs } from './fs.ts'
import { POLL_MS, RESCAN_MS } from './source.ts'
import type { FilesStore } from './store.ts'

let f: FolderFixture
beforeEach(() => {
  f = folderFixture()
})
afterEach(() => f.end())

const names = (store: FilesStore) => store.list('Node').map(({ metadata }) => metadata.name)
const at = (...parts: string[]) => path.join(f.root, ...parts)
const open = async (options: Parameters<FolderFixture['open']>[0] = {}) => {
  const store = await f.open(options)
  await f.start(store)
  return store
}
/** The real file system with some answers replaced. */
const fsWith = (replaced: (real: FolderFs) => Partial<FolderFs>): FolderFs => {
  const real = localFs()
  return { ...real, ...replaced(real) }
}
const failure = (code: string, where: string) => Object.assign(new Error(`${code}: ${where}`), { code })

test('objects come from nested folders, from several documents of a file, from .yaml, .yml and .json', async () => {
  f.write('a.yaml', [node('edge-1'), node('edge-2')])
  f.write('deep/er/b.yml', [node('edge-3')])
  f.write('c.json', JSON.stringify(node('edge-4'), undefined, '\t'))
  f.write('README.md', 'kind: Node')
  f.write('d.yaml.bak', [node('edge-9')])
  expect(names(await open())).toEqual(['edge-1', 'edge-2', 'edge-3', 'edge-4'])
})

test('names beginning with a dot are ignored, files and folders alike', async () => {
  f.write('.hidden.yaml', [node('edge-1')])
  f.write('.folder/a.yaml', [node('edge-2')])
  f.write('a.yaml', [node('edge-3')])
  expect(names(await open())).toEqual(['edge-3'])
})

test('paths with one real file are one: links, hard links, linked folders, folders that contain themselves', async () => {
  f.write('z/a.yaml', [node('edge-1')])
  fs.symlinkSync('z/a.yaml', at('a-link.yaml'))
  fs.linkSync(at('z/a.yaml'), at('hard.yaml'))
  fs.symlinkSync('z', at('folder-link'))
  fs.symlinkSync('..', at('z/loop'))
  const store = await open()
  expect(names(store)).toEqual(['edge-1'])
  expect(store.health().problems).toEqual([])
})

test('a link may lead to a file outside the folder', async () => {
  f.write(path.join(f.dir, 'outside/a.yaml'), [node('edge-1')])
  f.write(path.join(f.dir, 'outside/b.yaml'), [node('edge-2')])
  fs.symlinkSync('../outside/a.yaml', at('a.yaml'))
  fs.symlinkSync('../outside', at('all'))
  expect(names(await open())).toEqual(['edge-1', 'edge-2'])
})

test('a pipe named like a file is not waited for', async () => {
  f.write('a.yaml', [node('edge-1')])
  execFileSync('mkfifo', [at('pipe.yaml')])
  const store = await open()
  expect(names(store)).toEqual(['edge-1'])
  expect(store.health().problems).toMatchObject([{ code: 'NotAFile', file: 'pipe.yaml', severity: 'warning' }])
})

test('a link to nowhere holds everything if objects could be behind it', async () => {
  f.write('a.yaml', [node('edge-1')])
  fs.symlinkSync('nowhere', at('README.md'))
  const store = await open()
  expect(store.health().unreadable).toBeUndefined()
  fs.symlinkSync('nowhere', at('b.yaml'))
  fs.rmSync(at('a.yaml'))
  await f.seen()
  await f.clock.advance(RESCAN_MS)
  expect(names(store)).toEqual(['edge-1'])
  expect(store.health().unreadable).toContain('b.yaml')
})

test('only changed files are read again', async () => {
  for (let i = 0; i < 50; i++) f.write(`${i}.yaml`, [node(`edge-${i}`)])
  const read: string[] = []
  const counting = fsWith((real) => ({
    read(file, limit) {
      read.push(path.basename(file))
      return real.read(file, limit)
    },
  }))
  const store = await open({ fs: counting })
  expect(read).toHaveLength(50)
  read.length = 0
  f.write('7.yaml', [node('edge-7', { isolated: true })])
  await f.seen()
  expect(read).toEqual(['7.yaml'])
  expect(store.get('Node', 'edge-7')?.spec.isolated).toBe(true)
})

test('a root that is a link is followed when it is switched to another folder', async () => {
  f.write(path.join(f.dir, 'v1/a.yaml'), [node('edge-1'), node('edge-2')])
  f.write(path.join(f.dir, 'v2/a.yaml'), [node('edge-1', { isolated: true })])
  const root = path.join(f.dir, 'current')
  fs.symlinkSync('v1', root)
  const store = await open({ root })
  expect(names(store)).toEqual(['edge-1', 'edge-2'])
  fs.symlinkSync('v2', `${root}.new`)
  fs.renameSync(`${root}.new`, root)
  // No watcher below v1 sees this: the rescan does.
  await f.clock.advance(RESCAN_MS)
  expect(names(store)).toEqual(['edge-1'])
  expect(store.get('Node', 'edge-1')?.spec.isolated).toBe(true)
  expect(f.watch.watched).toEqual([path.join(fs.realpathSync(f.dir), 'v2')])
})

test('a mounted ConfigMap is read through its links, and switches as one', async () => {
  const version = (name: string, isolated: boolean) => {
    f.write(`..${name}/a.yaml`, [node('edge-1', { isolated })])
    f.write(`..${name}/b.yaml`, [node('edge-2', { isolated })])
  }
  version('2026_1', false)
  fs.symlinkSync('..2026_1', at('..data'))
  for (const file of ['a.yaml', 'b.yaml']) fs.symlinkSync(`..data/${file}`, at(file))
  const store = await open()
  const seen: boolean[][] = []
  store.subscribe(() => seen.push(store.list('Node').map(({ spec }) => spec.isolated)))
  version('2026_2', true)
  fs.symlinkSync('..2026_2', at('..data_tmp'))
  fs.renameSync(at('..data_tmp'), at('..data'))
  fs.rmSync(at('..2026_1'), { recursive: true })
  await f.seen()
  expect(seen).toEqual([
    [true, true],
    [true, true],
  ])
})

test('a checkout of 1,000 files paused midway changes nothing until git is done', async () => {
  for (let i = 0; i < 1000; i++) f.write(`nodes/${i}.yaml`, [node(`edge-${i}`)])
  fs.mkdirSync(at('.git'))
  f.write('.git/HEAD', 'ref: refs/heads/main')
  const store = await open()
  expect(names(store)).toHaveLength(1000)
  const said: string[] = []
  store.subscribe(({ type }) => said.push(type))

  f.write('.git/index.lock', '')
  for (let i = 0; i < 500; i++) fs.rmSync(at(`nodes/${i}.yaml`))
  for (let i = 500; i < 600; i++) f.write(`nodes/${i}.yaml`, [node(`edge-${i}`, { isolated: true })])
  await f.seen()
  await f.clock.advance(3 * RESCAN_MS)
  expect(said).toEqual(['health'])
  expect(store.health().unreadable).toContain('index.lock')
  expect(names(store)).toHaveLength(1000)

  for (let i = 0; i < 500; i++) f.write(`nodes/${i}.yaml`, [node(`edge-${i}`)])
  fs.rmSync(at('.git/index.lock'))
  await f.seen()
  expect(said.filter((type) => type === 'upsert')).toHaveLength(100)
  expect(said).not.toContain('removed')
  expect(store.health().unreadable).toBeUndefined()
})

test('a git command that is over soon is not worth a word', async () => {
  f.write('a.yaml', [node('edge-1')])
  f.write('.git/HEAD', '')
  const store = await open()
  const said: string[] = []
  store.subscribe(({ type }) => said.push(type))
  f.write('.git/index.lock', '')
  f.watch.hint()
  await f.clock.advance(1_000)
  fs.rmSync(at('.git/index.lock'))
  await f.clock.advance(RESCAN_MS)
  expect(said).toEqual([])
})

test('git is found above the folder too, and behind the pointer file of a worktree', async () => {
  const repository = path.join(f.dir, 'repository')
  const root = path.join(repository, 'fleet')
  f.write(path.join(root, 'a.yaml'), [node('edge-1')])
  f.write(path.join(f.dir, 'main/.git/worktrees/w/index.lock'), '')
  f.write(path.join(repository, '.git'), 'gitdir: ../main/.git/worktrees/w\n')
  const store = await open({ root })
  expect(store.health().synced).toBe(false)
  fs.rmSync(path.join(f.dir, 'main/.git/worktrees/w/index.lock'))
  await f.clock.advance(RESCAN_MS)
  expect(names(store)).toEqual(['edge-1'])
})

test('a folder removed and cloned again is held throughout, and nothing was ever deleted', async () => {
  for (let i = 0; i < 20; i++) f.write(`${i}.yaml`, [node(`edge-${i}`)])
  const store = await open()
  const said: string[] = []
  store.subscribe(({ type }) => said.push(type))
  const held = async (word: string) => {
    await f.seen()
    expect(names(store)).toHaveLength(20)
    expect(store.health().unreadable).toContain(word)
  }
  fs.rmSync(f.root, { recursive: true })
  await held('ENOENT')
  f.write('.git/HEAD', 'ref: refs/heads/main')
  await held('nothing checked out')
  f.write('.git/index.lock', '')
  for (let i = 0; i < 10; i++) f.write(`${i}.yaml`, [node(`edge-${i}`)])
  await held('index.lock')
  for (let i = 10; i < 20; i++) f.write(`${i}.yaml`, [node(`edge-${i}`)])
  fs.rmSync(at('.git/index.lock'))
  await f.seen()
  await f.clock.advance(RESCAN_MS)
  expect(store.health().unreadable).toBeUndefined()
  expect(said.filter((type) => type !== 'health')).toEqual([])
  // The watcher looks at the new folder, not at the one that is gone.
  fs.rmSync(at('3.yaml'))
  await f.seen()
  expect(names(store)).toHaveLength(19)
})

test('events that never come cost 10 s, not the change', async () => {
  f.write('a.yaml', [node('edge-1')])
  const store = await open()
  f.write('a.yaml', [node('edge-1', { isolated: true })])
  await f.clock.advance(10_000)
  expect(store.get('Node', 'edge-1')?.spec.isolated).toBe(true)
})

test.each(['ENOSPC', 'EMFILE'])('polling takes over on %s and says so', async (code) => {
  f.write('a.yaml', [node('edge-1')])
  const store = await open()
  expect(store.health()).toMatchObject({ watching: 'events' })
  f.watch.fail(failure(code, 'inotify'))
  expect(store.health()).toMatchObject({ watching: 'polling', watchingReason: expect.stringContaining(code) })
  await f.clock.advance(RESCAN_MS)
  expect(f.watch.watched).toEqual([])
  f.write('a.yaml', [node('edge-1', { isolated: true })])
  await f.clock.advance(POLL_MS)
  expect(store.get('Node', 'edge-1')?.spec.isolated).toBe(true)
})

test('on a network file system nobody waits for events', async () => {
  f.write('a.yaml', [node('edge-1')])
  const store = await open({ fs: fsWith(() => ({ fileSystemType: () => 0x6969 })) })
  expect(store.health()).toMatchObject({ watching: 'polling', watchingReason: expect.stringContaining('NFS') })
  expect(f.watch.watched).toEqual([])
  f.write('a.yaml', [node('edge-1', { isolated: true })])
  await f.clock.advance(POLL_MS)
  expect(store.get('Node', 'edge-1')?.spec.isolated).toBe(true)
})

test.each(['file', 'folder'])('one unreadable %s holds everything: the source was not read in full', async (what) => {
  f.write('a.yaml', [node('edge-1')])
  f.write('sub/b.yaml', [node('edge-2')])
  let broken = false
  const refuse = (where: string) => {
    if (broken) throw failure('EACCES', where)
  }
  const guarded = fsWith((real) => ({
    read(file, limit) {
      if (what === 'file' && file.endsWith('b.yaml')) refuse(file)
      return real.read(file, limit)
    },
    entries(folder) {
      if (what === 'folder' && folder.endsWith('sub')) refuse(folder)
      return real.entries(folder)
    },
  }))
  const store = await open({ fs: guarded })
  broken = true
  fs.rmSync(at('a.yaml'))
  f.write('sub/b.yaml', [node('edge-2', { isolated: true })])
  await f.seen()
  expect(names(store)).toEqual(['edge-1', 'edge-2'])
  expect(store.health()).toMatchObject({
    unreadable: expect.stringContaining('EACCES'),
    problems: [{ code: 'FolderUnreadable' }],
  })
  broken = false
  await f.seen()
  expect(names(store)).toEqual(['edge-2'])
  expect(store.health().unreadable).toBeUndefined()
})

test('a folder that changes while it is read is read again, never by halves', async () => {
  f.write('a.yaml', [node('edge-1')])
  f.write('b.yaml', [node('edge-2')])
  let moves = 0
  // A mover at work: edge-1 is on its way from a to b whenever somebody reads.
  const busy = fsWith((real) => ({
    read(file, limit) {
      if (moves-- > 0) {
        f.write('a.yaml', [])
        f.write('b.yaml', [node('edge-2'), node('edge-1')])
      }
      return real.read(file, limit)
    },
  }))
  const store = await open({ fs: busy })
  const said: string[] = []
  store.subscribe(({ type }) => said.push(type))
  moves = 1
  f.write('a.yaml', [node('edge-1', { site: 'cloud' })])
  await f.seen()
  await f.clock.advance(RESCAN_MS)
  expect(names(store)).toEqual(['edge-1', 'edge-2'])
  expect(said).not.toContain('removed')
})

test('a state that cannot be written lets nothing in; the source is taken in when it can be', async () => {
  f.write('a.yaml', [node('edge-1')])
  const store = await open()
  const said: string[] = []
  store.subscribe(({ type }) => said.push(type))
  const { DatabaseSync } = await import('node:sqlite')
  const other = new DatabaseSync(path.join(f.state, 'ppn.db'))
  other.exec('begin exclusive')
  f.write('a.yaml', [node('edge-1', { isolated: true })])
  await f.seen()
  expect(store.get('Node', 'edge-1')?.spec.isolated).toBe(false)
  expect(store.health().unreadable).toMatch(/locked/)
  other.exec('rollback')
  other.close()
  await f.seen()
  expect(store.get('Node', 'edge-1')?.spec.isolated).toBe(true)
  expect(store.health().unreadable).toBeUndefined()
  expect(said.filter((type) => type === 'upsert')).toHaveLength(1)
})

test('a store that is stopped leaves no timer and no watcher behind', async () => {
  f.write('a.yaml', [node('edge-1')])
  const store = await open()
  await f.stop(store)
  expect(f.clock.pending()).toBe(0)
  expect(f.watch.watched).toEqual([])
})
