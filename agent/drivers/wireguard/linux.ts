// WireGuard on a Linux host: the kernel's where it has one, wireguard-go otherwise, by ip(8), wg(8) and nft(8).
//
// Guarantees: what fits is not touched; one `wg set` a change, naming only what changes; private keys go in by standard
// input; an interface that was destroyed is back within about a second, with its endpoints; `remove` leaves nothing.
// Needs CAP_NET_ADMIN, and to write below /proc/sys/net on a hub. See docs/wireguard.md.
import { lookup as lookupName } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import type { Clock } from '../../../base/clock.ts'
import type { Files } from '../../../base/files.ts'
import type { Logger } from '../../../base/log.ts'
import type { Processes } from '../../../base/processes.ts'
import { wireguardGo } from './linux/daemon.ts'
import { devices } from './linux/device.ts'
import { openMemory } from './linux/memory.ts'
import { createResolver, type Lookup } from './linux/resolver.ts'
import { type ForwardSwitch, procForwardSwitch } from './linux/switches.ts'
import { createTunnel, type HostAddresses, type Tunnel } from './linux/tunnel.ts'
import { checkConfig, checkName } from './linux/valid.ts'
import type { WireGuardDriver } from './port.ts'

export interface LinuxWireGuardOptions {
  processes: Processes
  clock: Clock
  log: Logger
  /** The endpoint memory, a file an interface. */
  files: Files
  /** Pid files and logs of wireguard-go. Default: /run/ppn/wireguard. */
  runFolder?: string
  /** Added to the environment of wireguard-go. */
  env?: Record<string, string>
  /** Host name to addresses; default: the system's resolver. */
  lookup?: Lookup
  /** Default: /proc/sys. */
  forwarding?: ForwardSwitch
  /** Default: asked of the kernel. */
  addresses?: HostAddresses
}

export interface LinuxWireGuard extends WireGuardDriver {
  /** Stops watching. Interfaces and daemons stay as they are. */
  close(): void
}

export function linuxWireGuard(options: LinuxWireGuardOptions): LinuxWireGuard {
  const { processes, clock, log, files, env } = options
  const daemon = wireguardGo({ clock, runFolder: options.runFolder ?? '/run/ppn/wireguard', ...(env && { env }) })
  const made = devices(processes, daemon)
  const listeners = new Set<() => void>()
  const changed = () => {
    for (const listener of [...listeners]) listener()
  }
  const tunnels = new Map<string, Promise<Tunnel>>()
  const open = async (name: string): Promise<Tunnel> => {
    const memory = await openMemory(files, name)
    const tunnel: Tunnel = createTunnel({
      name,
      processes,
      clock,
      log,
      devices: made,
      daemon,
      memory,
      resolver: createResolver(clock, options.lookup ?? systemLookup, () => tunnel.again()),
      forwarding: options.forwarding ?? procForwardSwitch(),
      addresses: options.addresses ?? systemAddresses,
      changed,
    })
    return tunnel
  }
  const tunnelOf = (name: string): Promise<Tunnel> => {
    checkName(name)
    const known = tunnels.get(name)
    if (known) return known
    const opening = open(name)
    tunnels.set(name, opening)
    opening.catch(() => tunnels.delete(name))
    return opening
  }

  return {
    read: async (name) => (await tunnelOf(name)).read(),
    apply: async (config) => {
      checkConfig(config)
      return (await tunnelOf(config.name)).apply(config)
    },
    remove: async (name) => (await tunnelOf(name)).remove(),
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close() {
      for (const tunnel of tunnels.values()) void tunnel.then((t) => t.close())
    },
  }
}

const systemLookup: Lookup = async (host) => (await lookupName(host, { all: true })).map(({ address }) => address)

/** getifaddrs(3): shows an interface only while it is up and running. */
const systemAddresses: HostAddresses = () =>
  new Map(Object.entries(networkInterfaces()).map(([name, all = []]) => [name, all.flatMap(({ cidr }) => cidr ?? [])]))
