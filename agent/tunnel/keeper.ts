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
import { type FormerKeys, formerKeys, KEY_SILENT_MS, withKeyChanges } from './key-change.ts'

export const CHECK_EVERY_MS = 10_000

export interface TunnelWishes {
  content: BundleContent
  keys: AgentKeys
  isolated: boolean
  /** Verified and waiting: the keys it brings are let in. */
  staged?: BundleContent
  /** What was in force before `content`, as the files of a start tell. */
  before?: BundleContent
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
  let former: FormerKeys = new Map()
  let last: BundleContent | undefined
  let stopped = false

  const once = async (): Promise<void> => {
    const wishes = options.wishes()
    if (!wishes || stopped) return
    const { content, keys, isolated, staged } = wishes
    const hubs = hubsOf(content)
    const was = last ?? wishes.before
    const changing = was !== undefined && was !== content
    const asks = hubs.length > 1 || former.size > 0 || changing
    const state = asks ? await driver.read(content.interface.name) : undefined
    const ages = new Map(state?.peers.map((p) => [p.publicKey, p.handshakeAgeSeconds]))
    // At a start only what the interface still lets in: a key given up long ago is not let in again.
    const before = changing ? { ...was, peers: was.peers.filter((p) => last || ages.has(p.publicKey)) } : undefined
    const known = former.size
    former = formerKeys(former, before, content, ages, clock.monotonic())
    if (former.size > known) clock.after(KEY_SILENT_MS, () => void asking.commit())
    last = content
    if (hubs.length > 1) {
      const seen = hubs.map(({ publicKey }) => {
        const age = ages.get(publicKey)
        return { publicKey, handshakeAgeMs: age === undefined ? undefined : age * 1000 }
      })
      const inUse = hub?.publicKey
      hub = chooseHub(seen, hub, clock.monotonic())
      if (inUse !== undefined && hub?.publicKey !== inUse) log.warn({}, 'the hub is silent: trying the next one')
    }
    const plain = tunnelConfig({
      content,
      privateKey: toBase64(keys.wireguard.secretKey),
      isolated,
      ...(hub && hubs.length > 1 && { hub: hub.publicKey }),
    })
    const config = withKeyChanges(plain, content, { staged, former, ages, nowMs: clock.monotonic() })
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
  // A peer under a new key has been heard, or not: its addresses may have to move.
  const unsubscribe = driver.onChange(() => {
    if (former.size > 0) void asking.commit()
  })
  return {
    apply: () => asking.commit(),
    stop() {
      stopped = true
      timer.cancel()
      unsubscribe()
    },
  }
}
