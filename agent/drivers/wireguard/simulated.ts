// The WireGuard of one simulated machine: interfaces whose handshakes are real datagrams between machines, so that
// who can reach whom is found out and never assumed. It outlives the agent, as the kernel's does.
//
// Each machine stands at an address of its own (`address`), and all interfaces of a mesh listen on the mesh's one
// WireGuard port there. Where a declared endpoint leads is asked of `resolve`; an address:port that was learnt from
// a packet leads to that address.
import { x25519 } from '@noble/curves/ed25519.js'
import type { Clock } from '../../../base/clock.ts'
import { peerFor } from '../../../base/cryptokey-routing.ts'
import type { Logger } from '../../../base/log.ts'
import type { Transport, UdpSocket } from '../../../base/transport.ts'
import type { WireGuardConfig, WireGuardDriver, WireGuardPeer } from './port.ts'
import { decodePacket, encodePacket, type PacketKind } from './simulated-packet.ts'
import { type SimulatedPeer, simulatedPeer } from './simulated-peer.ts'

/** What the mesh gate asks: does traffic pass, and tell me when that may have changed. */
export interface MeshRoutes {
  /** Does traffic to and from this mesh address pass? */
  live(address: string): boolean
  /** Counts traffic of this mesh address to its peer. */
  count(address: string, rxBytes: number, txBytes: number): void
  onChange(listener: () => void): () => void
}

export interface SimulatedWireGuard extends WireGuardDriver, MeshRoutes {
  /** The machine loses power: everything is gone, and nobody is told. */
  powerCut(): void
}

export interface SimulatedWireGuardOptions {
  /** The network between the machines, not the mesh. */
  transport: Transport
  clock: Clock
  log: Logger
  /** Where this machine stands. */
  address: string
  /** A machine without a declared endpoint of its own stands behind a NAT: it hears only those it speaks to. */
  behindNat: boolean
  /** Declared endpoint to the address of the machine really there. */
  resolve(endpoint: string): Promise<string | undefined>
}

interface Interface {
  config: WireGuardConfig
  publicKey: string
  socket: UdpSocket
  peers: Map<string, SimulatedPeer>
}

const ADDRESS_AND_PORT = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/

export function simulatedWireGuard(options: SimulatedWireGuardOptions): SimulatedWireGuard {
  const { transport, clock, log, address } = options
  const interfaces = new Map<string, Interface>()
  const listeners = new Set<() => void>()
  const changed = () => {
    for (const listener of [...listeners]) listener()
  }
  const resolve = async (endpoint: string) => {
    try {
      return (await options.resolve(endpoint)) ?? ADDRESS_AND_PORT.exec(endpoint)?.[1]
    } catch (error) {
      log.warn({ endpoint, error: String(error) }, 'endpoint not resolved')
      return undefined
    }
  }

  const addPeer = (on: Interface, declared: WireGuardPeer) => {
    const send = (kind: PacketKind, to: string, stamp: number, machine: string) => {
      const bytes = encodePacket({ kind, from: on.publicKey, to, stamp })
      // A datagram that cannot be sent is a datagram lost.
      void on.socket.send(bytes, machine, on.config.listenPort).catch(() => {})
    }
    const endpointAt = (machine: string) => `${machine}:${on.config.listenPort}`
    on.peers.set(declared.publicKey, simulatedPeer(declared, { clock, resolve, send, endpointAt, changed }))
  }

  const onPacket = (on: Interface, bytes: Uint8Array, from: string) => {
    const packet = decodePacket(bytes)
    if (!packet || packet.to !== on.publicKey) return
    if (options.behindNat && ![...on.peers.values()].some((peer) => peer.leadsTo === from)) return
    const peer = on.peers.get(packet.from)
    if (peer) return peer.receive(packet, from)
    // Cryptokey routing: a handshake of a stranger meets silence. Traffic does as well; the word for that is `gone`.
    if (packet.kind !== 'data') return
    const gone = encodePacket({ kind: 'gone', from: on.publicKey, to: packet.from, stamp: 0 })
    void on.socket.send(gone, from, on.config.listenPort).catch(() => {})
  }

  const bind = async (on: Interface) => {
    on.socket = await transport.bindUdp(address, on.config.listenPort, (bytes, from) => onPacket(on, bytes, from))
  }

  const create = async (config: WireGuardConfig) => {
    const on = { config, publicKey: publicKeyOf(config.privateKey), peers: new Map() } as unknown as Interface
    await bind(on)
    interfaces.set(config.name, on)
    for (const peer of config.peers) addPeer(on, peer)
    changed()
  }

  const update = async (on: Interface, config: WireGuardConfig): Promise<boolean> => {
    const before = on.config
    on.config = config
    let any = before.address !== config.address || before.mtu !== config.mtu
    if (before.listenPort !== config.listenPort) {
      on.socket.close()
      await bind(on)
      any = true
    }
    const wanted = new Set(config.peers.map(({ publicKey }) => publicKey))
    for (const [key, peer] of on.peers) {
      if (wanted.has(key)) continue
      peer.close('gone')
      on.peers.delete(key)
      any = true
    }
    if (before.privateKey !== config.privateKey) {
      on.publicKey = publicKeyOf(config.privateKey)
      for (const peer of on.peers.values()) peer.reset()
      any = true
    }
    for (const declared of config.peers) {
      const peer = on.peers.get(declared.publicKey)
      if (!peer) addPeer(on, declared)
      if (!peer || peer.configure(declared)) any = true
    }
    if (any) changed()
    return any
  }

  const down = (name: string, say?: 'gone') => {
    const on = interfaces.get(name)
    if (!on) return
    for (const peer of on.peers.values()) peer.close(say)
    on.socket.close()
    interfaces.delete(name)
    changed()
  }
  const peerOf = (meshAddress: string) =>
    peerFor(
      [...interfaces.values()].flatMap((on) => [...on.peers.values()]),
      meshAddress,
    )

  return {
    read: async (name) => {
      const on = interfaces.get(name)
      if (!on) return undefined
      const { address: cidr, listenPort, mtu } = on.config
      const peers = [...on.peers.values()].map((peer) => peer.state())
      return { name, publicKey: on.publicKey, address: cidr, listenPort, mtu, peers }
    },
    apply: async (config) => {
      const on = interfaces.get(config.name)
      if (on) return { changed: await update(on, config) }
      await create(config)
      return { changed: true }
    },
    remove: async (name) => down(name, 'gone'),
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    live: (meshAddress) => peerOf(meshAddress)?.live() ?? false,
    count: (meshAddress, rx, tx) => peerOf(meshAddress)?.count(rx, tx),
    powerCut: () => {
      for (const name of [...interfaces.keys()]) down(name)
    },
  }
}

function publicKeyOf(privateKey: string): string {
  return Buffer.from(x25519.getPublicKey(Buffer.from(privateKey, 'base64'))).toString('base64')
}
