import fc from 'fast-check'
import { expect, test } from 'vitest'
import { frameReader, lengthFrame } from './length-frames.ts'

test('frames come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      (frames, sizes) => {
        const stream = Buffer.concat(frames.map(lengthFrame))
        const seen: Uint8Array[] = []
        const reader = frameReader(40, (frame) => seen.push(frame))
        for (let at = 0; at < stream.length; ) {
          const size = sizes.next().value as number
          reader.push(stream.subarray(at, at + size))
          at += size
        }
        expect(seen).toEqual(frames)
      },
    ),
  )
})

test('a length over the limit is refused before a byte of the frame has come, and nothing is read afterwards', () => {
  const seen: Uint8Array[] = []
  const reader = frameReader(4, (frame) => seen.push(frame))
  const tooLong = expect.objectContaining({ code: 'FrameTooLong' })
  expect(() => reader.push(Uint8Array.of(0, 0, 0, 5))).toThrow(tooLong)
  expect(() => reader.push(lengthFrame(Uint8Array.of(1)))).toThrow(tooLong)
  expect(seen).toEqual([])
})

test('a frame of exactly the limit is taken', () => {
  const seen: Uint8Array[] = []
  frameReader(4, (frame) => seen.push(frame)).push(lengthFrame(Uint8Array.of(1, 2, 3, 4)))
  expect(seen).toEqual([Uint8Array.of(1, 2, 3, 4)])
})

test('frames before one that is too long are handed over', () => {
  const seen: Uint8Array[] = []
  const reader = frameReader(1, (frame) => seen.push(frame))
  const stream = Buffer.concat([lengthFrame(Uint8Array.of(7)), lengthFrame(Uint8Array.of(1, 2))])
  expect(() => reader.push(stream)).toThrow()
  expect(seen).toEqual([Uint8Array.of(7)])
})

test('a frame is a copy: later use of the chunk does not change it', () => {
  const seen: Uint8Array[] = []
  const chunk = lengthFrame(Uint8Array.of(7))
  frameReader(4, (frame) => seen.push(frame)).push(chunk)
  chunk.fill(0)
  expect(seen).toEqual([Uint8Array.of(7)])
})

test('a frame that its user chokes on does not come again', () => {
  const seen: number[] = []
  const reader = frameReader(4, (frame) => {
    seen.push(frame[0] as number)
    if (frame[0] === 1) throw new Error('no')
  })
  expect(() => reader.push(lengthFrame(Uint8Array.of(1)))).toThrow('no')
  reader.push(lengthFrame(Uint8Array.of(2)))
  expect(seen).toEqual([1, 2])
})
