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
 * Cuts a stream into frames of at most `limit` bytes and hands each, as a copy, to `onFrame`. Holds at most twice the
 * bytes that have come, in however small pieces: a length alone reserves nothing. A `limit` that is a function is asked
 * anew for every frame.
 */
export function frameReader(limit: number | (() => number), onFrame: (frame: Uint8Array) => void): FrameReader {
  /** What has come and was not handed on: the first `have` bytes. A list of the pieces would cost far more than they. */
  let held = new Uint8Array(0)
  let have = 0
  /** Bytes needed before there is anything to do. */
  let need = PREFIX
  let failure: PpnError | undefined

  const keep = (bytes: Uint8Array): void => {
    if (have + bytes.length > held.length) {
      const grown = new Uint8Array(Math.max(have + bytes.length, 2 * have))
      grown.set(held.subarray(0, have))
      held = grown
    }
    held.set(bytes, have)
    have += bytes.length
  }
  /** Hands on every whole frame; returns where the rest begins. */
  const cut = (bytes: Uint8Array): number => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let from = 0; ; from += need) {
      need = PREFIX
      if (bytes.length - from < PREFIX) return from
      const length = view.getUint32(from)
      const most = typeof limit === 'number' ? limit : limit()
      if (length > most) {
        failure = new PpnError('FrameTooLong', { length, limit: most })
        held = new Uint8Array(0)
        throw failure
      }
      need = PREFIX + length
      if (bytes.length - from < need) return from
      onFrame(new Uint8Array(bytes.subarray(from + PREFIX, from + need)))
    }
  }

  return {
    push(chunk) {
      if (failure) throw failure
      if (have === 0) {
        keep(chunk.subarray(cut(chunk)))
        return
      }
      keep(chunk)
      if (have < need) return
      const rest = cut(held.subarray(0, have))
      held = held.slice(rest, have)
      have = held.length
    },
  }
}
