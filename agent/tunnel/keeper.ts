// Keeps the WireGuard interface as the bundle in force, the isolation overlay and the choice of hub want it. The
// driver compares and changes only what differs, so asking every 10 s costs a converged node nothing (law 6).
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { BundleContent } from '../../protocol/bundle/document.ts'
import { toBase64 } from '../../protocol/keys.ts'
import type { WireGuardDriver } from '../drivers/wireguard/port.ts'
import { groupCommit } from '../durable/group-commit.ts'
import type { AgentKeys } from '../keys/agent-keys.ts'
import { hubsOf, tunnelConfig } from './config.ts'
import { chooseHub, type HubChoice } from './hub-choice.ts'

export const CHECK_EVERY_MS = 10_000

export interface TunnelWishes {
  content: BundleContent
  keys: AgentKeys
  isolated: boolean
}

export interface TunnelKeeper {
  /** Resolves when the driver has been asked with what is wished now; a failure is logged and tried again. */
  apply(): Promise<void>
  stop(): void
}

export function keepTunnel(options: {
  clock: Clock
  log: Logger
  driver: WireGuardDriver
  /** undefined: no bundle, or the node has left the mesh. */
  wishes(): TunnelWishes | undefined
  changed(): void
}): TunnelKeeper {
  const { clock, log, driver } = options
  let hub: HubChoice | undefined
  let stopped = false

  const once = async (): Promise<void> => {
    const wishes = options.wishes()
    if (!wishes || stopped) return
    const { content, keys, isolated } = wishes
    const hubs = hubsOf(content)
    if (hubs.length > 1) {
      const state = await driver.read(content.interface.name)
      const ages = new Map(state?.peers.map((p) => [p.publicKey, p.handshakeAgeSeconds]))
      const seen = hubs.map(({ publicKey }) => {
        const age = ages.get(publicKey)
        return { publicKey, handshakeAgeMs: age === undefined ? undefined : age * 1000 }
      })
      const before = hub?.publicKey
      hub = chooseHub(seen, hub, clock.monotonic())
      if (before !== undefined && hub?.publicKey !== before) log.warn({}, 'the hub is silent: trying the next one')
    }
    const config = tunnelConfig({
      content,
      privateKey: toBase64(keys.wireguard.secretKey),
      isolated,
      ...(hub && hubs.length > 1 && { hub: hub.publicKey }),
    })
    const { changed } = await driver.apply(config)
    if (changed) options.changed()
  }
  const asking = groupCommit(() => once().catch((error) => log.error({ err: String(error) }, 'WireGuard refuses')))
  let timer: Timer
  const beat = () => {
    void asking.commit()
    timer = clock.after(CHECK_EVERY_MS, beat)
  }
  timer = clock.after(CHECK_EVERY_MS, beat)
  return {
    apply: () => asking.commit(),
    stop() {
      stopped = true
      timer.cancel()
    },
  }
}
