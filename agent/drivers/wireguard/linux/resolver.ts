// Declared endpoints to numeric ones. A resolver that does not answer holds nobody up: the question goes on, and its
// answer is there the next time.
import { isIP } from 'node:net'
import type { Clock } from '../../../../base/clock.ts'
import { canonicalAddress, formatEndpoint, parseEndpoint } from './valid.ts'

/** All addresses of a host name, best first. Rejects when there are none. */
export type Lookup = (host: string) => Promise<string[]>

const PATIENCE_MS = 2_000
/** An answer is asked for again after this. Names of relays move by the hour; a peer is stale after 180 s. */
const FRESH_MS = 30_000

export interface Resolver {
  /** Numeric endpoints; empty when the name is not resolved (yet). */
  resolve(endpoint: string): Promise<string[]>
}

interface Entry {
  addresses: string[]
  askedMs: number
  asking?: Promise<void>
}

/** `answered` is called when an answer comes after the one who asked has gone on without. */
export function createResolver(clock: Clock, lookup: Lookup, answered: () => void): Resolver {
  const entries = new Map<string, Entry>()

  const ask = async (host: string): Promise<string[]> => {
    const entry: Entry = entries.get(host) ?? { addresses: [], askedMs: Number.NEGATIVE_INFINITY }
    entries.set(host, entry)
    if (clock.monotonic() - entry.askedMs < FRESH_MS && entry.addresses.length > 0) return entry.addresses
    let left = false
    const asking =
      entry.asking ??
      lookup(host)
        // The last answer stands while nobody gives a newer one.
        .catch(() => entry.addresses)
        .then((addresses) => {
          entry.addresses = addresses.map(canonicalAddress)
          entry.askedMs = clock.monotonic()
          delete entry.asking
          if (left && addresses.length > 0) answered()
        })
    entry.asking = asking
    const ending = new AbortController()
    const patience = clock
      .sleep(PATIENCE_MS, ending.signal)
      .then(() => {
        left = true
      })
      .catch(() => {})
    await Promise.race([asking, patience])
    ending.abort()
    return entry.addresses
  }

  return {
    async resolve(endpoint) {
      const parsed = parseEndpoint(endpoint)
      if (!parsed) return []
      const { host, port } = parsed
      const addresses = isIP(host) ? [host] : await ask(host)
      return addresses.map((address) => formatEndpoint({ host: address, port }))
    },
  }
}
