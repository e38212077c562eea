// How old a handshake is. wg(8) tells its instant on the wall clock, which may jump; from its first sight on its age is
// counted on the clock that does not, so that no jump makes a dead path look alive or a living one dead.
import type { Clock } from '../../../../base/clock.ts'
import type { SeenPeer } from './seen.ts'

export interface Ages {
  /** Seconds; undefined: never. Forgets peers that are not named. */
  of(peers: readonly SeenPeer[]): Map<string, number | undefined>
}

export function handshakeAges(clock: Clock): Ages {
  let known = new Map<string, { at: number; bornMs: number }>()
  return {
    of(peers) {
      const nowMs = clock.monotonic()
      const next: typeof known = new Map()
      const ages = new Map<string, number | undefined>()
      for (const { publicKey, handshakeAt } of peers) {
        if (handshakeAt === undefined) {
          ages.set(publicKey, undefined)
          continue
        }
        const before = known.get(publicKey)
        const toldMs = Math.max(0, clock.now() - handshakeAt * 1000)
        const entry = before?.at === handshakeAt ? before : { at: handshakeAt, bornMs: nowMs - toldMs }
        next.set(publicKey, entry)
        ages.set(publicKey, Math.floor((nowMs - entry.bornMs) / 1000))
      }
      known = next
      return ages
    },
  }
}
