// Copies of commands for the nodes they do not address: sent once, at low priority, paced so that no queue on the
// way overflows, dropped when there are too many (section 7.1, Delivery).
import { tokenBucket } from './token-bucket.ts'

/**
 * 254 commands x 253 copies are 64,262 datagrams: 3.2 s at this rate, and some 80 a second to each node. 120 copies are
 * out within 8 ms.
 */
export const COPIES_PER_SECOND = 20_000
/** At most this many at once, two or three to each receiver: 25 ms of a late timer are made good. */
export const COPY_BURST = 512
/** The queue is looked at this often while it is not empty. */
export const COPY_TICK_MS = 4
/** Twice the largest fan-out. */
export const COPY_QUEUE_MAX = 131_072

interface Datagram {
  bytes: Uint8Array
  address: string
}

export interface CopyQueue {
  /** Queues one packet for many receivers; returns how many did not fit. */
  add(bytes: Uint8Array, addresses: readonly string[]): number
  /** What may go out now. */
  take(nowMs: number): Datagram[]
  size(): number
  /** Forgets everything; returns how many that were. */
  clear(): number
}

export function copyQueue(): CopyQueue {
  const bucket = tokenBucket(COPIES_PER_SECOND, COPY_BURST)
  let jobs: { bytes: Uint8Array; addresses: readonly string[]; at: number; end: number }[] = []
  let head = 0
  let size = 0
  return {
    add(bytes, addresses) {
      const fits = Math.min(addresses.length, COPY_QUEUE_MAX - size)
      if (fits > 0) jobs.push({ bytes, addresses, at: 0, end: fits })
      size += fits
      return addresses.length - fits
    },
    take(nowMs) {
      let left = bucket.take(nowMs, size)
      const out: Datagram[] = []
      for (let job = jobs[head]; left > 0 && job; job = jobs[head]) {
        for (; left > 0 && job.at < job.end; job.at++, left--)
          out.push({ bytes: job.bytes, address: job.addresses[job.at] as string })
        if (job.at === job.end) head++
      }
      size -= out.length
      if (head === jobs.length) {
        jobs = []
        head = 0
      }
      return out
    },
    size: () => size,
    clear() {
      const dropped = size
      jobs = []
      head = 0
      size = 0
      return dropped
    },
  }
}
