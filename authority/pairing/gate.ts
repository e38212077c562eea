// Who may speak at the pairing port. Everything here is about strangers: a connection costs one socket and 96 bytes
// until the code is confirmed, and a few milliseconds of curve arithmetic that are rationed.
import type { Clock } from '../../base/clock.ts'

export const GATE = {
  /** Connections that have not confirmed the code, in all. */
  open: 64,
  /** ... and from one source: an IPv4 address or an IPv6 /64. */
  openPerSource: 4,
  /** First messages that are answered, a second; bursts of twice as many. */
  hellosPerSecond: 25,
  hellosPerSecondPerSource: 2,
  /** From the connection to the confirmed code: 1.5 round trips and a slow machine. */
  handshakeMs: 10_000,
} as const

export type GateRefusal = 'TooManyOpen' | 'TooManyFromSource' | 'TooFast'

export interface Place {
  source: string
  /** Ends this connection: another source needs the room. */
  evict(): void
}

export interface Gate {
  /** Undefined: come in. A full house makes room by sending away the oldest of the source that holds most. */
  enter(place: Place): GateRefusal | undefined
  /** May this source's first message be answered now? */
  mayGreet(source: string): boolean
  /** The connection is gone, or has confirmed the code: it counts no more. */
  leave(place: Place): void
  open(): number
}

/** IPv6 hosts own a /64: they are one source. IPv4 mapped into IPv6 is IPv4. */
export function sourceOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  if (!plain.includes(':')) return plain
  const [head = '', tail] = plain.split('::')
  const groups = head.split(':').filter(Boolean)
  if (tail !== undefined) {
    const rest = tail.split(':').filter(Boolean)
    while (groups.length + rest.length < 8) groups.push('0')
    groups.push(...rest)
  }
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

interface Bucket {
  tokens: number
  atMs: number
}

export function createGate(clock: Clock): Gate {
  /** In the order they came. */
  const places = new Set<Place>()
  const everyone: Bucket = { tokens: 2 * GATE.hellosPerSecond, atMs: clock.monotonic() }
  const buckets = new Map<string, Bucket>()

  const countOf = (source: string) => [...places].filter((place) => place.source === source).length
  const fill = (bucket: Bucket, perSecond: number) => {
    const now = clock.monotonic()
    bucket.tokens = Math.min(2 * perSecond, bucket.tokens + ((now - bucket.atMs) / 1000) * perSecond)
    bucket.atMs = now
  }
  /** A full bucket is as good as none: what is remembered of sources stays small. */
  const forget = () => {
    for (const [source, bucket] of buckets) {
      fill(bucket, GATE.hellosPerSecondPerSource)
      if (bucket.tokens >= 2 * GATE.hellosPerSecondPerSource) buckets.delete(source)
    }
  }
  const crowd = (): Place | undefined => {
    const counts = new Map<string, number>()
    for (const { source } of places) counts.set(source, (counts.get(source) ?? 0) + 1)
    const most = Math.max(...counts.values())
    return [...places].find(({ source }) => counts.get(source) === most)
  }

  return {
    enter(place) {
      if (countOf(place.source) >= GATE.openPerSource) return 'TooManyFromSource'
      if (places.size >= GATE.open) {
        const oldest = crowd()
        if (!oldest || oldest.source === place.source) return 'TooManyOpen'
        places.delete(oldest)
        oldest.evict()
      }
      places.add(place)
      return undefined
    },
    mayGreet(source) {
      if (buckets.size > 4 * GATE.open) forget()
      const own = buckets.get(source) ?? { tokens: 2 * GATE.hellosPerSecondPerSource, atMs: clock.monotonic() }
      buckets.set(source, own)
      fill(own, GATE.hellosPerSecondPerSource)
      fill(everyone, GATE.hellosPerSecond)
      if (own.tokens < 1 || everyone.tokens < 1) return false
      own.tokens -= 1
      everyone.tokens -= 1
      return true
    },
    leave: (place) => void places.delete(place),
    open: () => places.size,
  }
}
