// One peer of a simulated interface: its session, and when it speaks. After the WireGuard paper, section 6, reduced to
// what decides whether traffic passes.
import type { Clock, Timer } from '../../../base/clock.ts'
import { PACKET_BYTES, REJECT_AFTER_MS, REKEY_AFTER_MS, REKEY_TIMEOUT_MS, SILENCE_MS } from '../figures.ts'
import type { WireGuardPeer, WireGuardPeerState } from './port.ts'
import type { Packet, PacketKind } from './simulated-packet.ts'

export interface SimulatedPeer {
  readonly allowedIPs: readonly string[]
  /** A session younger than 180 s exists and, as far as this end can know, traffic passes. */
  live(): boolean
  state(): WireGuardPeerState
  /** Where its packets go: address of the machine, when the endpoint leads anywhere. */
  readonly leadsTo: string | undefined
  /** Sets what is declared of it and returns whether that changed anything. */
  configure(declared: WireGuardPeer): boolean
  /** A packet of this peer came in from the machine at `address`. */
  receive(packet: Packet, address: string): void
  /** Traffic through the gate, for the counters. */
  count(rx: number, tx: number): void
  /** Forgets the session, as a new private key does. */
  reset(): void
  /** Stops speaking; `say` tells the other end that its traffic will not pass any more. */
  close(say?: 'gone'): void
}

export interface PeerSurroundings {
  clock: Clock
  /** Endpoint to address, now. Must not fail. */
  resolve(endpoint: string): Promise<string | undefined>
  send(kind: PacketKind, toKey: string, stamp: number, address: string): void
  /** The name of a machine's WireGuard port, for an endpoint that was learnt. */
  endpointAt(address: string): string
  /** Liveness, endpoint or handshake may have changed. */
  changed(): void
}

export function simulatedPeer(first: WireGuardPeer, surroundings: PeerSurroundings): SimulatedPeer {
  const { clock, resolve, send, endpointAt, changed } = surroundings
  let declared: WireGuardPeer = { ...first, endpoint: undefined }
  let endpoint: string | undefined
  let leadsTo: string | undefined
  let handshakeMs: number | undefined
  /** Did this end begin the session? It is the one that renews it. */
  let initiator = false
  /** Does traffic pass, as far as this end can know? */
  let carries = false
  /** Since when an answer is owed to us. */
  let waitingMs: number | undefined
  /** The stamp of the handshake that waits for its answer. */
  let asked: number | undefined
  let rx = 0
  let tx = 0
  let beatTimer: Timer | undefined
  let expiryTimer: Timer | undefined
  let closed = false

  const age = () => (handshakeMs === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() - handshakeMs)
  const live = () => carries && age() < REJECT_AFTER_MS
  const keepaliveMs = () => declared.persistentKeepalive * 1000
  const speak = (kind: PacketKind, stamp = 0) => {
    if (leadsTo === undefined) return
    tx += PACKET_BYTES[kind]
    send(kind, declared.publicKey, stamp, leadsTo)
  }
  const beatIn = (ms: number) => {
    beatTimer?.cancel()
    if (!closed && endpoint !== undefined && declared.persistentKeepalive > 0) beatTimer = clock.after(ms, beat)
  }
  /** Where does the endpoint lead? Asked again at every handshake, so that a machine that comes later is found. */
  const look = async () => {
    const asking = endpoint
    const address = asking && (await resolve(asking))
    if (asking === endpoint) leadsTo = address
  }
  const shakeHands = async () => {
    await look()
    if (closed) return
    asked = Math.floor(clock.monotonic())
    waitingMs ??= clock.monotonic()
    speak('init', asked)
  }
  /** Keepalive while all is well; a handshake every 5 s while nobody answers or the session is old. */
  function beat() {
    const silent = waitingMs !== undefined
    if (live() && !silent && !(initiator && age() >= REKEY_AFTER_MS)) {
      waitingMs = clock.monotonic()
      speak('data')
      return beatIn(keepaliveMs())
    }
    if (carries && waitingMs !== undefined && clock.monotonic() - waitingMs >= keepaliveMs() + SILENCE_MS) lose()
    void shakeHands()
    beatIn(REKEY_TIMEOUT_MS)
  }
  const lose = () => {
    if (!carries) return
    carries = false
    changed()
  }
  const established = (begunHere: boolean) => {
    handshakeMs = clock.monotonic()
    initiator = begunHere
    carries = true
    asked = undefined
    expiryTimer?.cancel()
    expiryTimer = clock.after(REJECT_AFTER_MS, lose)
    beatIn(keepaliveMs())
    changed()
  }
  /** The other end is where its packets come from (roaming), in the words of the declaration when that leads there. */
  const hear = (packet: Packet, address: string) => {
    rx += PACKET_BYTES[packet.kind]
    waitingMs = undefined
    if (leadsTo === address) return
    leadsTo = address
    endpoint = endpointAt(address)
  }
  const reset = () => {
    handshakeMs = undefined
    asked = undefined
    waitingMs = undefined
    expiryTimer?.cancel()
    lose()
    beatIn(0)
  }

  const peer: SimulatedPeer = {
    get allowedIPs() {
      return declared.allowedIPs
    },
    get leadsTo() {
      return leadsTo
    },
    live,
    state: () => ({
      ...declared,
      ...(endpoint === undefined ? {} : { endpoint }),
      handshakeAgeSeconds: handshakeMs === undefined ? undefined : Math.floor(age() / 1000),
      rxBytes: rx,
      txBytes: tx,
    }),
    configure: (next) => {
      const before = declared
      const same =
        before.persistentKeepalive === next.persistentKeepalive && before.allowedIPs.join() === next.allowedIPs.join()
      // An endpoint that is declared anew is a decision and written at once, with a new session that proves it. An
      // endpoint that differs from an unchanged declaration has roamed, and is left alone while it is fresh.
      const decided = next.endpoint !== undefined && next.endpoint !== before.endpoint
      const stale = next.endpoint !== undefined && next.endpoint !== endpoint && age() >= REJECT_AFTER_MS
      declared = { ...next, allowedIPs: [...next.allowedIPs] }
      if ((decided && next.endpoint !== endpoint) || stale) {
        endpoint = next.endpoint
        leadsTo = undefined
        reset()
        return true
      }
      if (same) return false
      if (before.persistentKeepalive !== next.persistentKeepalive) beatIn(live() ? keepaliveMs() : 0)
      changed()
      return true
    },
    receive: (packet, address) => {
      if (packet.kind === 'init') {
        hear(packet, address)
        speak('resp', packet.stamp)
        return established(false)
      }
      if (packet.kind === 'resp') {
        if (packet.stamp !== asked) return
        hear(packet, address)
        return established(true)
      }
      if (packet.kind === 'gone') {
        // Only for the path it speaks of: a word that comes late must not break a session begun elsewhere since.
        if (address !== leadsTo) return
        lose()
        return beatIn(REKEY_TIMEOUT_MS)
      }
      // Traffic of a session that this end does not have cannot be read, and moves nothing.
      if (!live()) return
      hear(packet, address)
      if (packet.kind === 'data') speak('ack')
    },
    count: (rxBytes, txBytes) => {
      rx += rxBytes
      tx += txBytes
    },
    reset,
    close: (say) => {
      if (say) speak(say)
      closed = true
      beatTimer?.cancel()
      expiryTimer?.cancel()
    },
  }
  peer.configure(first)
  return peer
}
