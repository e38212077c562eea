// Frames on a byte stream: u32 big-endian length, then as many bytes.
import { PpnError } from './errors.ts'

/** Bytes of the length in front of a frame. */
const PREFIX = 4

/** `bytes` with their length in front. */
export function lengthFrame(bytes: Uint8Array): Uint8Array {
  const framed = new Uint8Array(PREFIX + bytes.length)
  new DataView(framed.buffer).setUint32(0, bytes.length)
  framed.set(bytes, PREFIX)
  return framed
}

export interface FrameReader {
  /** Takes the next bytes of the stream. Throws FrameTooLong as soon as such a length is read, and ever after. */
  push(chunk: Uint8Array): void
}

/**
 * Cuts a stream into frames of at most `limit` bytes and hands each, as a copy, to `onFrame`. Holds no more than the
 * bytes that have come: a length alone reserves nothing. A `limit` that is a function is asked anew for every frame.
 */
export function frameReader(limit: number | (() => number), onFrame: (frame: Uint8Array) => void): FrameReader {
  let chunks: Uint8Array[] = []
  let have = 0
  /** Bytes needed before there is anything to do. */
  let need = PREFIX
  let failure: PpnError | undefined

  const take = (): Uint8Array | undefined => {
    const flat = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)
    chunks = [flat]
    const length = new DataView(flat.buffer, flat.byteOffset, flat.byteLength).getUint32(0)
    const most = typeof limit === 'number' ? limit : limit()
    if (length > most) {
      failure = new PpnError('FrameTooLong', { length, limit: most })
      chunks = []
      throw failure
    }
    need = PREFIX + length
    if (have < need) return undefined
    const frame = new Uint8Array(flat.subarray(PREFIX, need))
    chunks = [flat.subarray(need)]
    have -= need
    need = PREFIX
    return frame
  }

  return {
    push(chunk) {
      if (failure) throw failure
      chunks.push(chunk)
      have += chunk.length
      while (have >= need) {
        const frame = take()
        if (frame) onFrame(frame)
      }
    },
  }
}
