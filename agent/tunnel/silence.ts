// A path that carries nothing back, told from the bytes before the handshake is old: bytes sent to a peer grow for 20 s
// while bytes received stand still (section 8).
//
// Keepalives do not count: they are answered by nobody, so a path at rest sends and hears nothing. Whoever hears
// anything else answers within 10 s (WireGuard paper, section 6.5: KEEPALIVE_TIMEOUT), if with nothing more than that.
import type { Clock } from '../../base/clock.ts'
import type { WireGuardState } from '../drivers/wireguard/port.ts'

export const UNANSWERED_MS = 20_000
/** On the wire; WireGuard paper, section 5.4.6. */
const KEEPALIVE_BYTES = 32

interface Known {
  rx: number
  /** When `rx` was first seen. */
  sinceMs: number
  /** Sent by then. */
  tx: number
  /** When more than keepalives was first seen to have been sent since. */
  speakingMs?: number
}

export interface SilenceWatch {
  /** Public keys of the peers that do not answer, as of this reading of the interface. */
  look(state: WireGuardState | undefined): ReadonlySet<string>
}

export function watchSilence(clock: Clock): SilenceWatch {
  let known = new Map<string, Known>()
  return {
    look(state) {
      const nowMs = clock.monotonic()
      const next: typeof known = new Map()
      const silent = new Set<string>()
      for (const { publicKey, rxBytes, txBytes, persistentKeepalive } of state?.peers ?? []) {
        const before = known.get(publicKey)
        // Counters that fell are those of a new session.
        const same = before?.rx === rxBytes && txBytes >= before.tx
        const entry = same ? before : { rx: rxBytes, tx: txBytes, sinceMs: nowMs }
        const beats = persistentKeepalive > 0 ? (nowMs - entry.sinceMs) / 1000 / persistentKeepalive : 0
        if (txBytes - entry.tx > KEEPALIVE_BYTES * (2 + beats)) entry.speakingMs ??= nowMs
        if (entry.speakingMs !== undefined && nowMs - entry.speakingMs >= UNANSWERED_MS) silent.add(publicKey)
        next.set(publicKey, entry)
      }
      known = next
      return silent
    },
  }
}
