import { expect, test } from 'vitest'
import { anArchive } from '../../testing/bundle-fixtures.ts'
import { crashFiles } from '../../testing/crash-files.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { initFence, openFence } from './fence.ts'
import { type FenceQuestion, fenceFault } from './may-start.ts'
import { sidecarsIn } from './sidecar.ts'

const definition = anArchive({ slot: 1, fencingEpoch: 3 })
const sidecar = {
  id: definition.id,
  name: definition.name,
  namespace: definition.namespace,
  fencingEpoch: 3,
  imageSha256: definition.image.sha256,
  format: 'raw' as const,
  state: 'ready' as const,
}
const question = (given: Partial<FenceQuestion>): FenceQuestion => ({
  definition,
  sidecar,
  released: undefined,
  fenceLost: false,
  ...given,
})

test.each<[string, Partial<FenceQuestion>, string | undefined]>([
  ['its own disk of the epoch the bundle says', {}, undefined],
  ['a disk that came back with a higher epoch', { released: 2 }, undefined],
  ['a disk of an older epoch', { sidecar: { ...sidecar, fencingEpoch: 2 } }, 'FenceRefused'],
  ['a disk of a newer epoch', { sidecar: { ...sidecar, fencingEpoch: 4 } }, 'FenceRefused'],
  ['an epoch this node gave up', { released: 3 }, 'FenceRefused'],
  ['an epoch below one this node gave up', { released: 4 }, 'FenceRefused'],
  [
    'another epoch, but the operator key says this one',
    { sidecar: { ...sidecar, fencingEpoch: 2 }, overridden: 3 },
    undefined,
  ],
  ['an epoch given up, but the operator key says this one', { released: 9, overridden: 3 }, undefined],
  ['an override of another epoch', { released: 3, overridden: 2 }, 'FenceRefused'],
  [
    'an override for a disk of another image',
    { overridden: 3, sidecar: { ...sidecar, imageSha256: 'f'.repeat(64) } },
    'ImageChanged',
  ],
  ['an override while the fence is lost', { overridden: 3, fenceLost: true }, 'FenceUnreadable'],
  ['a fence that is lost', { fenceLost: true }, 'FenceUnreadable'],
  ['a sidecar that cannot be read', { sidecar: 'unreadable' }, 'SidecarUnreadable'],
  ['a disk without a sidecar', { sidecar: undefined }, 'SidecarMissing'],
  ['a disk of another image', { sidecar: { ...sidecar, imageSha256: 'f'.repeat(64) } }, 'ImageChanged'],
  ['a disk of another namespace', { sidecar: { ...sidecar, namespace: 'other' } }, 'WrongNamespace'],
])('law 7: %s', (_, given, code) => {
  expect(fenceFault(question(given))?.code).toBe(code)
})

test('what was given up stays given up, over restarts, and is never lowered', async () => {
  const files = memoryFiles()
  await initFence(files)
  const fence = await openFence(files)
  await fence.release('a'.repeat(32), 3)
  await fence.release('a'.repeat(32), 2)
  const again = await openFence(files)
  expect(again.released('a'.repeat(32))).toBe(3)
  expect(again.releases()).toEqual([{ archive: 'a'.repeat(32), fencingEpoch: 3 }])
})

test('a release is shown only when it is durable', async () => {
  const files = memoryFiles()
  await initFence(files)
  const fence = await openFence(crashFiles(files, 0))
  await expect(fence.release('a'.repeat(32), 3)).rejects.toThrow()
  expect(fence.releases()).toEqual([])
})

test.each([
  ['gone', undefined],
  ['damaged', Buffer.from('?')],
])('a fence that is %s is lost and gives nothing up', async (_, bytes) => {
  const files = memoryFiles()
  if (bytes) await files.write('fence', bytes)
  const fence = await openFence(files)
  expect(fence.lost).toBe(true)
  await expect(fence.release('a'.repeat(32), 1)).rejects.toThrow('lost')
})

test('a sidecar that names another archive is not believed', async () => {
  const files = memoryFiles()
  const sidecars = sidecarsIn(files)
  await sidecars.write(sidecar)
  const bytes = await files.sub('archives').sub(definition.id).read('sidecar')
  await files.sub('archives').sub('b'.repeat(32)).write('sidecar', bytes!)
  expect(await sidecars.read(definition.id)).toEqual(sidecar)
  expect(await sidecars.read('b'.repeat(32))).toBe('unreadable')
})
