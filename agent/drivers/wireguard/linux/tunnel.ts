// One interface: keeps it as it was last asked for, also when somebody destroys it, and remembers where its peers are.
import { x25519 } from '@noble/curves/ed25519.js'
import type { Clock, Timer } from '../../../../base/clock.ts'
import type { Logger } from '../../../../base/log.ts'
import type { Processes } from '../../../../base/processes.ts'
import { serialQueue } from '../../../timing/serial.ts'
import { livenessOf } from '../liveness.ts'
import type { WireGuardConfig, WireGuardPeer, WireGuardState } from '../port.ts'
import { handshakeAges } from './ages.ts'
import type { TunnelDaemon } from './daemon.ts'
import type { Devices } from './device.ts'
import { carryOut } from './effects.ts'
import { decideEndpoint, type PeerMemory, STALE_SECONDS } from './endpoints.ts'
import { settleTable } from './forward.ts'
import type { Memory } from './memory.ts'
import { planTunnel, type WantedPeer } from './plan.ts'
import type { Resolver } from './resolver.ts'
import type { SeenDevice, SeenLink } from './seen.ts'
import type { ForwardSwitch } from './switches.ts'
import { canonicalCidr } from './valid.ts'

/** Is the interface up, with its address? In process and cheap, so that a destroyed device is back within a second. */
export const PRESENCE_EVERY_MS = 250
/** Handshakes and endpoints are looked at so often for a while after a change, and otherwise so often. */
const LOOK_SOON_MS = 1_000
const LOOK_MS = 5_000
const SOON_FOR_MS = 30_000
/** After a repair that failed, or one that found nothing to do although the address was not shown. */
const REPAIR_AGAIN_MS = 2_000
/** Section 8: the hub restores endpoints with a keepalive, and so speaks first. Back to what is declared once heard. */
const WAKE_KEEPALIVE_SECONDS = 25
const WAKE_FOR_MS = STALE_SECONDS * 1000
/** An endpoint learnt is written down at most so often. */
const REMEMBER_EVERY_MS = 30_000
/** A name with several addresses: each gets so long to answer. */
const TURN_MS = 30_000

/** Addresses with prefix of every interface that is up, by its name. */
export type HostAddresses = () => ReadonlyMap<string, readonly string[]>

export interface TunnelSurroundings {
  name: string
  processes: Processes
  clock: Clock
  log: Logger
  devices: Devices
  daemon: TunnelDaemon
  memory: Memory
  resolver: Resolver
  forwarding: ForwardSwitch
  addresses: HostAddresses
  /** Liveness or an endpoint changed. */
  changed(): void
}

export interface Tunnel {
  apply(config: WireGuardConfig): Promise<{ changed: boolean }>
  read(): Promise<WireGuardState | undefined>
  remove(): Promise<void>
  /** Applies again what was asked for last, if anything. */
  again(): void
  /** Stops watching; the interface stays. */
  close(): void
}

type Seen = { device: SeenDevice; link: SeenLink }

export function createTunnel(given: TunnelSurroundings): Tunnel {
  const { name, clock, log, devices, memory, resolver, processes } = given
  const inTurn = serialQueue()
  const refused = (error: unknown) => log.warn({ interface: name, err: String(error) }, 'WireGuard refuses')
  const ages = handshakeAges(clock)
  const turns = new Map<string, number>()
  /** Peers that are spoken to first, and until when. */
  const waking = new Map<string, number>()
  let last: WireGuardConfig | undefined
  let liveness = new Map<string, string>()
  let rememberedMs = Number.NEGATIVE_INFINITY
  let soonUntilMs = 0
  let sources: ReadonlySet<string> = new Set()
  let presence: Timer | undefined
  let looking: Timer | undefined
  let closed = false

  // -- seeing

  const see = async (): Promise<Seen | undefined> => {
    const seen = await devices.read(name)
    notice(seen)
    return seen
  }
  /** Tells of what changed for the peers, whoever asked. */
  const notice = (seen: Seen | undefined): void => {
    const peers = seen?.device.peers ?? []
    const old = ages.of(peers)
    const now = new Map(peers.map((p) => [p.publicKey, `${livenessOf(old.get(p.publicKey))} ${p.endpoint ?? ''}`]))
    const differs = now.size !== liveness.size || [...now].some(([key, state]) => liveness.get(key) !== state)
    liveness = now
    for (const [key, untilMs] of waking) {
      const heard = old.get(key) !== undefined
      if (heard || clock.monotonic() >= untilMs) waking.delete(key)
      if (heard) tunnel.again()
    }
    if (differs) given.changed()
  }

  // -- changing

  const wantedPeers = async (config: WireGuardConfig, device: SeenDevice | undefined, rekeyed: boolean) => {
    const seen = new Map(device?.peers.map((p) => [p.publicKey, p]))
    const old = ages.of(device?.peers ?? [])
    const resolved = await Promise.all(
      config.peers.map(async (p) => (p.endpoint === undefined ? [] : resolver.resolve(p.endpoint))),
    )
    return config.peers.map((peer, at): WantedPeer => {
      const { publicKey, endpoint: declared, allowedIPs, persistentKeepalive } = peer
      const there = seen.get(publicKey)
      const answer = decideEndpoint({
        declared,
        remembered: memory.peer(publicKey),
        seen: there,
        ageSeconds: old.get(publicKey),
        leadsTo: resolved[at] ?? [],
        nextTurn: clock.monotonic() - (turns.get(publicKey) ?? 0) >= TURN_MS,
      })
      if (answer.endpoint !== undefined) turns.set(publicKey, clock.monotonic())
      const begins = !there || answer.renew === true || rekeyed
      const somewhere = answer.endpoint ?? there?.endpoint
      if (begins && somewhere !== undefined && persistentKeepalive === 0)
        waking.set(publicKey, clock.monotonic() + WAKE_FOR_MS)
      const keepalive =
        waking.has(publicKey) && persistentKeepalive === 0 ? WAKE_KEEPALIVE_SECONDS : persistentKeepalive
      return { publicKey, allowedIPs, persistentKeepalive: keepalive, ...answer }
    })
  }

  /** Where those are from whom something was heard lately. */
  const learn = (device: SeenDevice): void => {
    const old = ages.of(device.peers)
    for (const { publicKey, endpoint } of device.peers) {
      const fresh = (old.get(publicKey) ?? STALE_SECONDS) < STALE_SECONDS
      if (fresh && endpoint !== undefined) memory.heard(publicKey, endpoint)
    }
  }
  /** What the declarations say now is carried out; an unresolved name is not. */
  const remember = (config: WireGuardConfig, peers: readonly WantedPeer[], seen: SeenDevice | undefined): void => {
    const endpoints = new Map(seen?.peers.map((p) => [p.publicKey, p.endpoint]))
    const all = config.peers.map(({ publicKey, endpoint: declared }, at): [string, PeerMemory] => {
      const before = memory.peer(publicKey)
      const endpoint = peers[at]?.endpoint ?? endpoints.get(publicKey) ?? before?.endpoint
      const resolved = declared === undefined || endpoint !== undefined
      const kept = resolved ? declared : before?.declared
      return [publicKey, { ...(kept !== undefined && { declared: kept }), ...(endpoint !== undefined && { endpoint }) }]
    })
    memory.peers(new Map(all))
  }

  const forward = async (config: WireGuardConfig): Promise<boolean> => {
    const wanted = config.forward
    if (!wanted && !memory.forwards()) return false
    // The rule is there before the first packet is forwarded, and goes after the last.
    if (!wanted && (await given.forwarding.read(name))) await given.forwarding.write(name, false)
    try {
      const { changed } = await settleTable(processes, name, wanted)
      const open = await given.forwarding.read(name)
      if (wanted && !open) await given.forwarding.write(name, true)
      memory.setForwards(wanted !== undefined)
      return changed || (wanted !== undefined && !open)
    } catch (error) {
      if (await given.forwarding.read(name)) await given.forwarding.write(name, false)
      throw error
    }
  }

  const bring = async (config: WireGuardConfig): Promise<{ changed: boolean }> => {
    let seen = await see()
    const made = !seen
    if (!seen) {
      await devices.make(name)
      waking.clear()
      seen = await devices.read(name)
      if (!seen) throw new Error(`${name} went as soon as it was made`)
    }
    const publicKey = publicKeyOf(config.privateKey)
    const peers = await wantedPeers(config, made ? undefined : seen.device, seen.device.publicKey !== publicKey)
    const { address, listenPort, mtu } = config
    const routes = made ? undefined : await devices.routes(name)
    const wanted = { publicKey, address, listenPort, mtu, peers }
    const effects = planTunnel(wanted, seen.device, seen.link, routes)
    const held = memory.forwards()
    // A new device takes the kernel's default for forwarding, which may be on: the rule comes before it is up.
    if (config.forward && made) await settleTable(processes, name, config.forward).catch(() => {})
    await carryOut(processes, name, config.privateKey, effects)
    learn(seen.device)
    remember(config, peers, seen.device)
    const forwarded = await forward(config)
    const changed = made || effects.length > 0 || forwarded
    if (memory.dirty() && (changed || held !== memory.forwards())) await saveNow()
    if (changed) {
      soonUntilMs = clock.monotonic() + SOON_FOR_MS
      lookIn(LOOK_SOON_MS)
      log.info({ interface: name, made, effects: effects.map((e) => e.do), forwarded }, 'WireGuard interface changed')
    }
    return { changed }
  }
  const saveNow = async () => {
    rememberedMs = clock.monotonic()
    await memory.save()
  }

  // -- watching

  const watchPresence = (inMs: number): void => {
    presence?.cancel()
    if (closed || !last) return
    presence = clock.after(inMs, () => {
      const config = last
      if (!config) return
      const all = given.addresses()
      if (all.get(name)?.includes(config.address)) {
        if (lostSource(all)) void inTurn(leaveSources).catch(refused)
        return watchPresence(PRESENCE_EVERY_MS)
      }
      repair(config).then(watchPresence, (error) => {
        log.error({ interface: name, err: String(error) }, 'the WireGuard interface is gone and cannot be made again')
        watchPresence(REPAIR_AGAIN_MS)
      })
    })
  }
  /** Has the host lost an address from which it may have been speaking? */
  const lostSource = (all: ReadonlyMap<string, readonly string[]>): boolean => {
    const now = new Set([...all].flatMap(([dev, addresses]) => (dev === name ? [] : addresses)))
    const lost = [...sources].some((address) => !now.has(address))
    sources = now
    return lost
  }
  /**
   * wireguard-go keeps sending from the address it used last, also when the host has it no more: kernels since 6.x
   * answer ENETUNREACH there and it looks for EINVAL. Writing the endpoint as it is makes it choose anew.
   */
  const leaveSources = async (): Promise<void> => {
    const seen = await see()
    if (seen?.link.kind !== 'tun' || !last) return
    const somewhere = seen.device.peers.flatMap(({ publicKey, endpoint }) =>
      endpoint === undefined ? [] : [{ publicKey, endpoint }],
    )
    if (somewhere.length === 0) return
    log.info({ interface: name }, 'the host lost an address: WireGuard chooses anew from where it speaks')
    await carryOut(processes, name, last.privateKey, [{ do: 'wg', peers: somewhere }])
  }
  /** Resolves with the time after which to look again. */
  const repair = (config: WireGuardConfig): Promise<number> =>
    inTurn(async () => {
      if (closed || last !== config) return PRESENCE_EVERY_MS
      log.warn({ interface: name }, 'the WireGuard interface is not as it was left: repairing it')
      const { changed } = await bring(config)
      if (changed) given.changed()
      return changed ? PRESENCE_EVERY_MS : REPAIR_AGAIN_MS
    })

  const lookIn = (inMs: number): void => {
    looking?.cancel()
    if (closed || !last) return
    looking = clock.after(inMs, () => {
      inTurn(look)
        .catch((error) => log.warn({ interface: name, err: String(error) }, 'the WireGuard interface cannot be read'))
        .finally(() => lookIn(clock.monotonic() < soonUntilMs ? LOOK_SOON_MS : LOOK_MS))
    })
  }
  const look = async (): Promise<void> => {
    given.daemon.trimLog(name)
    const seen = await see()
    if (seen) learn(seen.device)
    if (memory.dirty() && clock.monotonic() - rememberedMs >= REMEMBER_EVERY_MS) await saveNow()
  }

  const tunnel: Tunnel = {
    apply: (asked) =>
      inTurn(async () => {
        const config = { ...asked, peers: oneOwner(asked.peers) }
        last = config
        try {
          return await bring(config)
        } finally {
          watchPresence(PRESENCE_EVERY_MS)
          if (!looking) lookIn(LOOK_SOON_MS)
        }
      }),
    read: () =>
      inTurn(async () => {
        const seen = await see()
        if (!seen) return undefined
        const { device, link } = seen
        const old = ages.of(device.peers)
        return {
          name,
          publicKey: device.publicKey ?? '',
          address: link.addresses.find((a) => a === last?.address) ?? link.addresses[0] ?? '',
          listenPort: device.listenPort,
          mtu: link.mtu,
          peers: device.peers.map((peer) => ({
            publicKey: peer.publicKey,
            ...(peer.endpoint !== undefined && { endpoint: peer.endpoint }),
            allowedIPs: peer.allowedIPs,
            persistentKeepalive: peer.persistentKeepalive,
            handshakeAgeSeconds: old.get(peer.publicKey),
            rxBytes: peer.rxBytes,
            txBytes: peer.txBytes,
          })),
        }
      }),
    remove: () =>
      inTurn(async () => {
        last = undefined
        presence?.cancel()
        looking?.cancel()
        looking = undefined
        waking.clear()
        const seen = await see()
        if (seen) await devices.remove(name)
        else await given.daemon.end(name)
        if (memory.forwards()) await settleTable(processes, name, undefined)
        await memory.forget()
        notice(undefined)
      }),
    again() {
      void inTurn(async () => {
        if (last && !closed) await bring(last)
      }).catch(refused)
    },
    close() {
      closed = true
      presence?.cancel()
      looking?.cancel()
    },
  }
  return tunnel
}

/** WireGuard gives an address to one peer; of two that claim it the last has it, as with wg(8). */
function oneOwner(peers: readonly WireGuardPeer[]): WireGuardPeer[] {
  const owner = new Map<string, string>()
  for (const peer of peers) for (const ip of peer.allowedIPs) owner.set(canonicalCidr(ip) ?? ip, peer.publicKey)
  return peers.map((peer) => ({
    ...peer,
    allowedIPs: [...new Set(peer.allowedIPs.map((ip) => canonicalCidr(ip) ?? ip))].filter(
      (ip) => owner.get(ip) === peer.publicKey,
    ),
  }))
}

function publicKeyOf(privateKey: string): string {
  return Buffer.from(x25519.getPublicKey(Buffer.from(privateKey, 'base64'))).toString('base64')
}
