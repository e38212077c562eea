import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hmacSha256 } from './hmac.ts'

test('it is the HMAC-SHA-256 of node:crypto, for any key of up to 64 bytes and any message', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 300 }), (key, message) => {
      const expected = createHmac('sha256', key).update(message).digest('hex')
      expect(Buffer.from(hmacSha256(key, message)).toString('hex')).toBe(expected)
    }),
  )
})

test('RFC 4231, test case 2', () => {
  const tag = hmacSha256(new TextEncoder().encode('Jefe'), new TextEncoder().encode('what do ya want for nothing?'))
  expect(Buffer.from(tag).toString('hex')).toBe('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
})

test('a longer key is refused: none of ours is', () => {
  expect(() => hmacSha256(new Uint8Array(65), new Uint8Array())).toThrow(RangeError)
})
