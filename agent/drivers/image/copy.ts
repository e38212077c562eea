import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { Digest } from '../../../protocol/ids.ts'
import { writeAll } from './file-handles.ts'
import { ImageFailure } from './port.ts'

/** A hole is left where so much in a row, as it came, is zero. */
const HOLE_BYTES = 65_536
const NOTHING = Buffer.alloc(HOLE_BYTES)

/**
 * Writes what comes to the start of an empty file, with holes where it is zero, and returns its SHA-256: what was
 * written is what was hashed. Throws ImageFailure ImageTooLarge beyond `limitBytes`, the abort's reason when called
 * off.
 */
export async function copySparsely(
  bytes: AsyncIterable<Uint8Array>,
  to: FileHandle,
  limitBytes: number,
  signal: AbortSignal,
): Promise<Digest> {
  const hash = createHash('sha256')
  let position = 0
  for await (const part of bytes) {
    signal.throwIfAborted()
    if (position + part.length > limitBytes) throw tooLarge(limitBytes)
    hash.update(part)
    for (let at = 0; at < part.length; at += HOLE_BYTES) {
      const block = part.subarray(at, at + HOLE_BYTES)
      if (!isZero(block)) await writeAll(to, block, position + at)
    }
    position += part.length
  }
  signal.throwIfAborted()
  await to.truncate(position)
  return hash.digest('hex') as Digest
}

export function tooLarge(limitBytes: number): ImageFailure {
  return new ImageFailure('ImageTooLarge', `the image is larger than ${limitBytes} bytes`)
}

/** For blocks of any length. */
export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += HOLE_BYTES) {
    const block = bytes.subarray(at, at + HOLE_BYTES)
    if (!NOTHING.subarray(0, block.length).equals(block)) return false
  }
  return true
}
