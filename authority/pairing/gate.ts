// Who may speak at the pairing port. Everything here is about strangers: a connection costs one socket and 96 bytes
// until the code is confirmed, and a few milliseconds of curve arithmetic that are rationed.
import type { Clock } from '../../base/clock.ts'

export const GATE = {
  /**
   * Connections that have said nothing yet; each is a socket and a timer. When there are more, the oldest goes: so many
   * arrivals pass before the first message of an honest one has to be here.
   */
  waiting: 512,
  /** Connections whose first message was answered and that have not confirmed the code. */
  open: 64,
  /** Of both, from one source: an IPv4 address or an IPv6 /64. */
  openPerSource: 4,
  /**
   * First messages that are answered, a second; bursts of twice as many. Those about an open ceremony have a ration of
   * their own: a flood from everywhere, which can only guess at a rendezvous, does not use up what the machine needs
   * whose rendezvous it is. It learns which one is open, by trying a million of them while the flood lasts.
   */
  hellosPerSecond: 25,
  strayHellosPerSecond: 10,
  hellosPerSecondPerSource: 2,
  /** From the connection to the confirmed code: 1.5 round trips and a slow machine. */
  handshakeMs: 10_000,
} as const

export type GateRefusal = 'TooManyFromSource' | 'TooFast'

export interface Place {
  source: string
  /** Ends this connection: another one needs the room. */
  evict(): void
}

export interface Gate {
  /** Undefined: come in, and say something. A full room sends away who has been silent longest. */
  enter(place: Place): GateRefusal | undefined
  /**
   * May its first message be answered? Undefined: yes; it stands among those that speak then, of whom, when there is no
   * room, the oldest of the source that holds most is sent away.
   */
  greet(place: Place, about: 'openCeremony' | 'nothing'): GateRefusal | undefined
  /** The connection is gone, or has confirmed the code: it counts no more. */
  leave(place: Place): void
  open(): { waiting: number; speaking: number }
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
  /** Both in the order they came. */
  const waiting = new Set<Place>()
  const speaking = new Set<Place>()
  const counts = new Map<string, number>()
  const full = (perSecond: number): Bucket => ({ tokens: 2 * perSecond, atMs: clock.monotonic() })
  const rates = { openCeremony: GATE.hellosPerSecond, nothing: GATE.strayHellosPerSecond }
  const rations = { openCeremony: full(rates.openCeremony), nothing: full(rates.nothing) }
  const buckets = new Map<string, Bucket>()

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
  const mayGreet = (source: string, about: keyof typeof rations): boolean => {
    const everyone = rations[about]
    if (buckets.size > 4 * GATE.open) forget()
    const own = buckets.get(source) ?? { tokens: 2 * GATE.hellosPerSecondPerSource, atMs: clock.monotonic() }
    fill(own, GATE.hellosPerSecondPerSource)
    fill(everyone, rates[about])
    if (own.tokens < 1 || everyone.tokens < 1) return false
    buckets.set(source, own)
    own.tokens -= 1
    everyone.tokens -= 1
    return true
  }
  const crowd = (): Place | undefined => {
    const most = Math.max(...[...speaking].map(({ source }) => counts.get(source) ?? 0))
    return [...speaking].find(({ source }) => counts.get(source) === most)
  }
  const leave = (place: Place) => {
    if (!waiting.delete(place) && !speaking.delete(place)) return
    const left = (counts.get(place.source) ?? 1) - 1
    if (left > 0) counts.set(place.source, left)
    else counts.delete(place.source)
  }
  const sendAway = (place: Place | undefined) => {
    if (!place) return
    leave(place)
    place.evict()
  }

  return {
    enter(place) {
      const here = counts.get(place.source) ?? 0
      if (here >= GATE.openPerSource) return 'TooManyFromSource'
      if (waiting.size >= GATE.waiting) sendAway(waiting.values().next().value)
      waiting.add(place)
      counts.set(place.source, here + 1)
      return undefined
    },
    greet(place, about) {
      if (!waiting.has(place) || !mayGreet(place.source, about)) return 'TooFast'
      if (speaking.size >= GATE.open) sendAway(crowd())
      waiting.delete(place)
      speaking.add(place)
      return undefined
    },
    leave,
    open: () => ({ waiting: waiting.size, speaking: speaking.size }),
  }
}
