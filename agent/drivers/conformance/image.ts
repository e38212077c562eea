// What every image driver does.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CHUNK_BYTES } from '../figures.ts'
import type { ImageDriver, ImageError, ImageSpec } from '../image/port.ts'
import type { Pass } from './harness.ts'

export interface ImageHarness {
  driver: ImageDriver
  good: ImageSpec
  /** There, but not what its digest says. */
  wrongDigest: ImageSpec
  absent: ImageSpec
  notAllowed: ImageSpec
  /** From now on there is no room for one more disk. */
  fill(): Promise<void>
  pass: Pass
  /** Longest time a disk takes to make. */
  withinMs: number
  close(): Promise<void>
}

const ID = 'a'.repeat(32)
const OTHER = 'b'.repeat(32)

export function imageConformance(name: string, make: () => Promise<ImageHarness>): void {
  describe(`${name} image driver`, () => {
    let h: ImageHarness
    beforeEach(async () => {
      h = await make()
    })
    afterEach(() => h.close())

    const never = () => new AbortController().signal
    /** Lets time pass while a disk is made. */
    const create = async (id: string, image: ImageSpec, signal = never()) => {
      const made = h.driver.create(id, image, signal)
      made.catch(() => {})
      await h.pass(h.withinMs)
      return made
    }
    /** Compared as buffers: a matcher walks a megabyte byte by byte. */
    const holds = async (id: string, index: number, bytes: Uint8Array) =>
      Buffer.from(await h.driver.readChunk(id, index)).equals(bytes)
    const refused = async (image: ImageSpec, code: ImageError) => {
      await expect(create(ID, image)).rejects.toMatchObject({ code })
      expect(await h.driver.list()).toEqual([])
    }

    test('no disk is there before one is made', async () => {
      expect(await h.driver.disk(ID)).toBeUndefined()
      expect(await h.driver.list()).toEqual([])
    })

    test('a disk remembers the image it was made from and is listed', async () => {
      const disk = await create(ID, h.good)
      expect(disk).toMatchObject({ id: ID, imageSha256: h.good.sha256 })
      expect(disk.sizeMiB).toBeGreaterThan(0)
      expect(await h.driver.disk(ID)).toEqual(disk)
      expect(await h.driver.list()).toEqual([disk])
    })

    test('a disk is made once: another image never attaches to it, and what was written stays', async () => {
      const disk = await create(ID, h.good)
      const written = new Uint8Array(CHUNK_BYTES).fill(7)
      await h.driver.writeChunk(ID, 0, written)
      await create(ID, h.wrongDigest)
      expect(await h.driver.disk(ID)).toMatchObject({ imageSha256: disk.imageSha256 })
      expect(await holds(ID, 0, written)).toBe(true)
    })

    test('who asks for a disk that is being made gets that one, and never overwrites it later', async () => {
      const first = h.driver.create(ID, h.good, never())
      await h.pass(h.withinMs / 2)
      const second = h.driver.create(ID, h.good, never())
      await h.pass(h.withinMs / 2)
      await first
      const written = new Uint8Array(CHUNK_BYTES).fill(7)
      await h.driver.writeChunk(ID, 0, written)
      await h.pass(h.withinMs)
      expect(await second).toEqual(await first)
      expect(await holds(ID, 0, written)).toBe(true)
    })

    test('an image that is not what its digest says makes no disk', () => refused(h.wrongDigest, 'ImageDigestMismatch'))
    test('an image that is not there is named so', () => refused(h.absent, 'ImageNotFound'))
    test('a source that is not allowed is not even looked at', () => refused(h.notAllowed, 'SourceNotAllowed'))

    test('a full disk refuses a new one and keeps the old ones', async () => {
      const disk = await create(OTHER, h.good)
      await h.fill()
      await expect(create(ID, h.good)).rejects.toMatchObject({ code: 'DiskFull' })
      expect(await h.driver.list()).toEqual([disk])
    })

    test('making a disk ends when it is called off, and nothing is left', async () => {
      const stop = new AbortController()
      const made = h.driver.create(ID, h.good, stop.signal)
      made.catch(() => {})
      stop.abort(new Error('called off'))
      await expect(made).rejects.toThrow('called off')
      await h.pass(h.withinMs)
      expect(await h.driver.list()).toEqual([])
    })

    test('a destroyed disk is gone, and destroying it again is no error', async () => {
      await create(ID, h.good)
      await h.driver.destroy(ID)
      await h.driver.destroy(ID)
      expect(await h.driver.disk(ID)).toBeUndefined()
      await expect(h.driver.readChunk(ID, 0)).rejects.toThrow()
    })

    test('a disk written in chunks reads back the same in chunks', async () => {
      const chunks = [new Uint8Array(CHUNK_BYTES).fill(1), new Uint8Array(CHUNK_BYTES).fill(2)]
      for (const [index, chunk] of chunks.entries()) await h.driver.writeChunk(ID, index, chunk)
      for (const [index, chunk] of chunks.entries()) expect(await holds(ID, index, chunk)).toBe(true)
      expect(await h.driver.disk(ID)).toMatchObject({ sizeMiB: 2 })
    })
  })
}
