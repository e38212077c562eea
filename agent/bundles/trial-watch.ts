// Watches a switch that is on trial and commits it or goes back (section 7.2, "Commit or revert").
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { WireGuardState } from '../drivers/wireguard/port.ts'
import type { BundleManager } from './manager.ts'
import type { StoredBundle } from './store.ts'
import { judgeTrial } from './trial.ts'

const LOOK_EVERY_MS = 1_000

export interface TrialWatchOptions {
  clock: Clock
  log: Logger
  bundles: BundleManager
  /** Connections to an authority made so far. */
  connections(): number
  /** The interface as it is now, asked anew. */
  tunnel(): Promise<WireGuardState | undefined>
}

export interface TrialWatch {
  /**
   * Call when the drivers have been told of a switch, and at a start: the 60 s begin. `connectionsBefore`: made
   * before the switch, which prove nothing.
   */
  begin(connectionsBefore: number): Promise<void>
}

/** Public keys of the peers from which a word proves the new content. */
function witnesses(before: StoredBundle, now: StoredBundle): string[] {
  if (now.content.node.role === 'spoke') return now.content.peers.filter((p) => p.hub).map((p) => p.publicKey)
  const earlier = new Set(before.content.peers.map((p) => p.publicKey))
  return now.content.peers.map((p) => p.publicKey).filter((key) => earlier.has(key))
}

export function watchTrials(options: TrialWatchOptions, signal: AbortSignal): TrialWatch {
  const { clock, log, bundles } = options
  let timer: Timer | undefined
  let round = 0
  signal.addEventListener('abort', () => timer?.cancel(), { once: true })

  return {
    async begin(connectionsBefore) {
      timer?.cancel()
      const mine = ++round
      const trial = bundles.trial()
      const now = bundles.inForce()?.bundle
      if (!trial || !now) return
      const beganMs = clock.monotonic()
      const keys = witnesses(trial.base, now)
      const received = async () => {
        const state = await options.tunnel()
        return new Map(state?.peers.map((p) => [p.publicKey, p]))
      }
      const before = await received()

      const look = async (): Promise<void> => {
        const seen = await received()
        if (signal.aborted || mine !== round) return
        const verdict = judgeTrial({
          elapsedMs: clock.monotonic() - beganMs,
          peers: keys.map((key) => {
            const peer = seen.get(key)
            const age = peer?.handshakeAgeSeconds
            return {
              handshakeAgeMs: age === undefined ? undefined : age * 1000,
              receivedMore: (peer?.rxBytes ?? 0) > (before.get(key)?.rxBytes ?? 0),
            }
          }),
          alone: keys.length === 0,
          connected: options.connections() > connectionsBefore,
          newKey: now.content.interface.publicKey !== trial.base.content.interface.publicKey,
        })
        if (verdict === 'commit') return bundles.commit()
        if (verdict === 'revert') return bundles.revert()
        next()
      }
      const next = () => {
        timer = clock.after(LOOK_EVERY_MS, () => {
          look().catch((error) => {
            log.warn({ err: String(error) }, 'the trial of a bundle could not be judged')
            if (!signal.aborted && mine === round) next()
          })
        })
      }
      if (!signal.aborted && mine === round) next()
    },
  }
}
