import { hash } from 'node:crypto'

/** Of SHA-256, in bytes: RFC 2104 calls it B. */
const BLOCK = 64
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c

/** `pad` over the key in the first block, then the message. */
function keyed(key: Uint8Array, pad: number, message: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(BLOCK + message.length)
  bytes.fill(pad, 0, BLOCK)
  for (let i = 0; i < key.length; i++) bytes[i] = (key[i] as number) ^ pad
  bytes.set(message, BLOCK)
  return bytes
}

/**
 * HMAC-SHA-256 (RFC 2104) of a whole message, for keys of at most 64 bytes. Two one-shot hashes: node:crypto's own Hmac
 * makes a key object a call, which costs four times as much as a frame's hash.
 */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  if (key.length > BLOCK) throw new RangeError(`a key of ${key.length} bytes`)
  const inner = hash('sha256', keyed(key, INNER_PAD, message), 'buffer')
  return hash('sha256', keyed(key, OUTER_PAD, inner), 'buffer')
}
