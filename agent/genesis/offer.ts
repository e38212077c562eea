// A machine that found authorities offers itself: it shows a code and calls them in turn, as `ppn join` would, for as
// long as that code is worth anything. Who answers, and how, changes nothing about holding.
import type { Clock } from '../../base/clock.ts'
import type { Connection } from '../../base/transport.ts'
import { type Joined, type JoinOptions, joinFleet } from '../pairing/join.ts'
import type { Found } from './scan.ts'

/** As long as a code lives (section 7.4). */
export const OFFER_MS = 600_000

export interface Offering {
  /** One more place to call; the first one begins. */
  add(found: Found): void
}

export interface OfferOptions {
  clock: Clock
  join: Omit<JoinOptions, 'dial' | 'show'>
  dial(found: Found, signal: AbortSignal): Promise<Connection>
  /** What to show; undefined: nothing any more. */
  show(offer: { found: readonly Found[]; rendezvous: string; code: string } | undefined): void
  joined(joined: Joined): Promise<void>
  /** It came to nothing, and is over. */
  failed(why: string): void
}

export function offering(options: OfferOptions, signal: AbortSignal): Offering {
  const places: Found[] = []
  let secret: { rendezvous: string; code: string } | undefined
  let calls = 0

  const show = () => options.show(secret && { found: places, ...secret })
  const begin = async () => {
    const over = new AbortController()
    const timer = options.clock.after(OFFER_MS, () => over.abort(new Error('nobody took it up')))
    try {
      const joined = await joinFleet(
        {
          ...options.join,
          dial: (until) => options.dial(places[calls++ % places.length] as Found, until),
          show(made) {
            secret = made
            show()
          },
        },
        AbortSignal.any([signal, over.signal]),
      )
      await options.joined(joined)
    } catch (error) {
      if (!signal.aborted) options.failed((error as Error).message)
    } finally {
      timer.cancel()
      options.show(undefined)
    }
  }
  return {
    add(found) {
      places.push(found)
      if (places.length === 1) void begin()
      else if (secret) show()
    },
  }
}
