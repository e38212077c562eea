import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BEACON_BYTES, encodeBeacon, readBeacon } from './beacon.ts'
import { decodeCommand } from './command/decode.ts'
import { fingerprint } from './keys.ts'

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i)

test('a beacon says where to call, and how the fingerprint of the authority begins', () => {
  const beacon = readBeacon(encodeBeacon(9202, KEY))
  expect(beacon?.pairingPort).toBe(9202)
  expect(fingerprint(KEY).startsWith(beacon?.fingerprintPrefix ?? '-')).toBe(true)
})

test('another length, op, target, version, or a port of 0 is no beacon', () => {
  const good = encodeBeacon(9202, KEY)
  expect(readBeacon(good.subarray(1))).toBeUndefined()
  expect(readBeacon(Uint8Array.of(...good, 0))).toBeUndefined()
  for (const at of [0, 1, 2]) expect(readBeacon(good.with(at, good[at]! ^ 1))).toBeUndefined()
  expect(readBeacon(encodeBeacon(0, KEY))).toBeUndefined()
})

test('whatever comes, reading it throws nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      const beacon = readBeacon(bytes)
      expect(beacon === undefined || bytes.length === BEACON_BYTES).toBe(true)
    }),
  )
})

test('no agent takes a beacon for a command', () => {
  expect(decodeCommand(encodeBeacon(9202, KEY)).ok).toBe(false)
})
