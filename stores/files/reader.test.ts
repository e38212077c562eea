import fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { node } from '../../test/conformance/store/documents.ts'
import { type FolderFixture, folderFixture } from '../../test/conformance/store/folder.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { type FolderFs, localFs } from './fs.ts'
import { folderReader } from './reader.ts'

let f: FolderFixture
beforeEach(() => {
  f = folderFixture()
})
afterEach(() => f.end())

/** The real file system; `onRead` happens before each file is read. */
function watchedFs(onRead: (file: string) => void, more: Partial<FolderFs> = {}): FolderFs {
  const real = localFs()
  return {
    ...real,
    read(file, limit) {
      onRead(file)
      return real.read(file, limit)
    },
    ...more,
  }
}

test('a lock of git that was there before the reading spoils it, though it is gone afterwards', async () => {
  f.write('a.yaml', [node('edge-1')])
  f.write('.git/index.lock', '')
  let listed = 0
  const real = localFs()
  // Git lets go as soon as the work tree is looked at.
  const entries: FolderFs['entries'] = (folder) => {
    if (folder === fs.realpathSync(f.root) && listed++ === 0) fs.rmSync(`${f.root}/.git/index.lock`)
    return real.entries(folder)
  }
  const reader = folderReader(
    f.root,
    watchedFs(() => {}, { entries }),
    f.clock,
  )
  expect(await reader.read()).toMatchObject({ type: 'unsettled', why: expect.stringContaining('index.lock') })
  expect(listed).toBe(0)
})

test('a lock of git that comes during the reading spoils it', async () => {
  f.write('a.yaml', [node('edge-1')])
  f.write('.git/HEAD', '')
  const reader = folderReader(
    f.root,
    watchedFs(() => f.write('.git/index.lock', '')),
    f.clock,
  )
  expect(await reader.read()).toMatchObject({ type: 'unsettled', why: expect.stringContaining('index.lock') })
  fs.rmSync(`${f.root}/.git/index.lock`)
  expect(await reader.read()).toMatchObject({ type: 'complete', parsed: 1 })
})

test('a root switched during the reading spoils it', async () => {
  f.write(`${f.dir}/v1/a.yaml`, [node('edge-1')])
  f.write(`${f.dir}/v2/a.yaml`, [node('edge-1')])
  const root = `${f.dir}/current`
  const point = (to: string) => {
    fs.rmSync(root, { force: true })
    fs.symlinkSync(to, root)
  }
  point('v1')
  const reader = folderReader(
    root,
    watchedFs(() => point('v2')),
    f.clock,
  )
  expect(await reader.read()).toMatchObject({ type: 'unsettled', why: expect.stringContaining('switched') })
  expect(await reader.read()).toMatchObject({ type: 'complete', root: { real: fs.realpathSync(`${f.dir}/v2`) } })
})

test('where nothing moved nothing is read, and the snapshot is the very one of before', async () => {
  f.write('a.yaml', [node('edge-1')])
  const read: string[] = []
  const reader = folderReader(
    f.root,
    watchedFs((file) => read.push(file)),
    f.clock,
  )
  const first = await reader.read()
  const second = await reader.read()
  expect(read).toHaveLength(1)
  expect(first.type).toBe('complete')
  expect(second.type).toBe('same')
  if (first.type === 'complete' && second.type === 'same') expect(second.snapshot).toBe(first.snapshot)
})

test('a file touched without a change is read, but says the same', async () => {
  f.write('a.yaml', [node('edge-1')])
  const reader = folderReader(f.root, localFs(), f.clock)
  await reader.read()
  f.write('a.yaml', [node('edge-1')])
  expect((await reader.read()).type).toBe('same')
})

test('what was prepared is not read again, unless it moved since', async () => {
  f.write('a.yaml', [node('edge-1')])
  const read: string[] = []
  const reader = folderReader(
    f.root,
    watchedFs((file) => read.push(file)),
    f.clock,
  )
  await reader.prepare()
  expect(await reader.read()).toMatchObject({ type: 'complete', parsed: 1 })
  expect(read).toHaveLength(1)
  f.write('a.yaml', [node('edge-2')])
  await reader.prepare()
  f.write('a.yaml', [node('edge-3')])
  const outcome = await reader.read()
  expect(outcome).toMatchObject({ type: 'complete', snapshot: { definitions: [{ draft: { name: 'edge-3' } }] } })
  expect(read).toHaveLength(3)
})

test('a file read in the very tick it was written is looked at again, whatever its time stamp says', async () => {
  f.write('a.yaml', [node('edge-1')])
  const real = localFs()
  const frozen = await real.stat(`${f.root}/a.yaml`)
  const stat: FolderFs['stat'] = async (path) => (path.endsWith('a.yaml') ? frozen : real.stat(path))
  const clock = virtualClock(Number(frozen.ctimeNs / 1_000_000n) + 5)
  const reader = folderReader(
    f.root,
    watchedFs(() => {}, { stat }),
    clock,
  )
  await reader.read()
  f.write('a.yaml', [node('edge-2')])
  clock.jump(1_000)
  expect(await reader.read()).toMatchObject({ snapshot: { definitions: [{ draft: { name: 'edge-2' } }] } })
})
