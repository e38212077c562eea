import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { memoryFiles } from '../../../testing/memory-files.ts'
import { virtualClock } from '../../../testing/virtual-clock.ts'
import { imageConformance } from '../conformance/image.ts'
import { IMAGE_COPY_MS } from '../figures.ts'
import { simulatedImageDriver } from './simulated.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const URL = 'https://images.example/totebox-1.qcow2'
const good = { source: URL, sha256: sha256(URL), format: 'qcow2' as const }

imageConformance('simulated', async () => {
  const clock = virtualClock()
  const driver = simulatedImageDriver({ files: memoryFiles(), clock, readImage: async () => undefined })
  return {
    driver,
    good,
    wrongDigest: { ...good, sha256: sha256('something else') },
    absent: { ...good, source: 'images/gone.raw' },
    notAllowed: { ...good, source: 'http://images.example/totebox-1.qcow2' },
    fill: async () => driver.setCapacity(1),
    pass: (ms) => clock.advance(ms),
    withinMs: IMAGE_COPY_MS,
    close: async () => {},
  }
})

test('an image given as a file is checked by its whole content and kept by its head', async () => {
  const clock = virtualClock()
  const readImage = async (source: string) =>
    source === 'images/a.raw' ? { sha256: sha256('content'), head: Buffer.from('cont') } : undefined
  const driver = simulatedImageDriver({ files: memoryFiles(), clock, readImage })
  const image = { source: 'images/a.raw', sha256: sha256('content'), format: 'raw' as const }
  const made = driver.create('a'.repeat(32), image, new AbortController().signal)
  await clock.advance(IMAGE_COPY_MS)
  await made
  expect(Buffer.from(await driver.readChunk('a'.repeat(32), 0)).toString()).toBe('cont')
})

test('where no files may be read, a file is no allowed source', async () => {
  const driver = simulatedImageDriver({ files: memoryFiles(), clock: virtualClock() })
  const made = driver.create('a'.repeat(32), { ...good, source: 'images/a.raw' }, new AbortController().signal)
  await expect(made).rejects.toMatchObject({ code: 'SourceNotAllowed' })
})

test('a half-made disk is none', async () => {
  const files = memoryFiles()
  await files.write(`${'a'.repeat(32)}.disk`, new Uint8Array(8))
  const driver = simulatedImageDriver({ files, clock: virtualClock() })
  expect(await driver.disk('a'.repeat(32))).toBeUndefined()
  expect(await driver.list()).toEqual([])
})
