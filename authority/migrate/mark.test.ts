import { expect, test } from 'vitest'
import { systemRandom } from '../../base/random.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { createBackup } from '../backup/snapshot.ts'
import { MARK_FILE, markFolder, markInFolder, markInRecords, type PlaceMark, refuseMoved } from './mark.ts'

const mark: PlaceMark = { id: 'a'.repeat(32), meshId: 'b'.repeat(32), phase: 'gone', peer: 'https://x', atMs: 1 }

test('only where no mark is, or one that says here, may an authority reign', () => {
  refuseMoved(undefined)
  refuseMoved({ ...mark, phase: 'here' })
  for (const phase of ['leaving', 'arriving'] as const)
    expect(() => refuseMoved({ ...mark, phase })).toThrow('not finished')
  expect(() => refuseMoved(mark)).toThrow('has moved to https://x')
})

test('a mark that cannot be read lets nobody reign', async () => {
  const files = memoryFiles()
  await markFolder(files, mark)
  expect(await markInFolder(files)).toEqual(mark)
  await files.write(MARK_FILE, Buffer.from('{"phase":"here"}'))
  await expect(markInFolder(files)).rejects.toMatchObject({ code: 'MarkUnreadable' })
  const get = () => ({ key: 'migration', value: 'here', version: 1 })
  expect(() => markInRecords({ get })).toThrow('cannot be read')
})

test('of an authority that has moved away no backup is made: a restore would bring a second one into being', async () => {
  const files = memoryFiles()
  await markFolder(files, mark)
  const database = async () => undefined
  const options = { files, database, passphrase: 'x', clock: virtualClock(), random: systemRandom }
  await expect(createBackup(options)).rejects.toMatchObject({ code: 'AuthorityMoved' })
})
