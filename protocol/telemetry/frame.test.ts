import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withoutUndefined } from '../../base/canonical-json.ts'
import { arbitraryReport } from '../../test/protocol/arbitrary-report.ts'
import { NEWER } from '../../test/protocol/version-two.ts'
import { FRAME_LIMIT, type FrameCodec, openFrame, readFrameHead, sealFrame, type TelemetryFrame } from './frame.ts'

const KEY = new Uint8Array(32).fill(1)
const header = { bootId: 'ab'.repeat(16), sequence: 7, uptimeMs: 12_345 }
const delta: TelemetryFrame = { term: 9, header, type: 'delta', part: 1, parts: 1, body: { isolated: true } }

test('a frame is opened as it was sealed, by the key it was sealed with', () => {
  fc.assert(
    fc.property(arbitraryReport(3), fc.nat(0xffff_ffff), (body, term) => {
      const frame: TelemetryFrame = { term, header, type: 'full', part: 1, parts: 1, body }
      expect(withoutUndefined(openFrame(sealFrame(frame, KEY), KEY))).toEqual(withoutUndefined({ ok: true, frame }))
    }),
  )
})

test('version and term are readable without the key', () => {
  expect(readFrameHead(sealFrame(delta, KEY))).toEqual({ version: 1, term: 9 })
  expect(readFrameHead(new Uint8Array(10))).toBeUndefined()
  expect(readFrameHead(new Uint8Array(FRAME_LIMIT + 1))).toBeUndefined()
})

test('another key, or any changed byte, is refused', () => {
  const bytes = sealFrame(delta, KEY)
  expect(openFrame(bytes, new Uint8Array(32))).toEqual({ ok: false, reason: 'FrameTag' })
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
      const changed = new Uint8Array(bytes)
      changed[at] = (changed[at] as number) ^ difference
      expect(openFrame(changed, KEY).ok).toBe(false)
    }),
  )
})

test('arbitrary bytes are refused, never an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(openFrame(bytes, KEY).ok).toBe(false)
    }),
  )
})

test('a version nobody knows is refused as such', () => {
  const bytes = sealFrame(delta, KEY)
  bytes[0] = 2
  expect(openFrame(bytes, KEY)).toEqual({ ok: false, reason: 'FrameVersion' })
})

test('a frame that no receiver would take is not sealed', () => {
  const invalid = expect.objectContaining({ code: 'FrameInvalid' })
  const unknown = { ...delta, body: { isolated: true, colour: 'red' } } as TelemetryFrame
  expect(() => sealFrame(unknown, KEY)).toThrow(invalid)
  expect(() => sealFrame({ ...delta, part: 2, parts: 2 }, KEY)).toThrow(invalid)
  expect(() => sealFrame({ ...delta, type: 'full', part: 2 }, KEY)).toThrow(invalid)
  expect(() => sealFrame({ ...delta, type: 'full', body: { removed: {} } }, KEY)).toThrow(invalid)
  const disks = Array.from({ length: 1024 }, () => ({
    id: 'a'.repeat(32),
    namespace: 'n'.repeat(63),
    name: 'n'.repeat(63),
    sizeMiB: 1,
  }))
  expect(() => sealFrame({ ...delta, body: { retainedDisks: disks } }, KEY)).toThrow(
    expect.objectContaining({ code: 'FrameTooLong' }),
  )
})

test('a newer receiver reads the older version; an older one refuses the newer', () => {
  const both = NEWER.telemetry
  const old = sealFrame(delta, KEY)
  const recent = sealFrame(delta, KEY, { version: 2, versions: both })
  expect(openFrame(old, KEY, both)).toEqual({ ok: true, frame: delta })
  expect(openFrame(recent, KEY, both)).toEqual({ ok: true, frame: delta })
  expect(openFrame(recent, KEY)).toEqual({ ok: false, reason: 'FrameVersion' })
})

test('a field of a newer version under the older number is refused', () => {
  const lax: FrameCodec = { write: (frame) => ({ ...frame, extra: 1 }), read: () => delta }
  const bytes = sealFrame(delta, KEY, { version: 1, versions: new Map([[1, lax]]) })
  expect(openFrame(bytes, KEY)).toEqual({ ok: false, reason: 'FrameMalformed' })
})
