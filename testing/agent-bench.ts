// One agent on a bench: its machine, its network and the authority it obeys, all in memory on one clock.
import { startAgent } from '../agent/agent.ts'
import { simulatedCgroupDriver } from '../agent/drivers/cgroup/simulated.ts'
import type { Drivers } from '../agent/drivers/host.ts'
import { simulatedImageDriver } from '../agent/drivers/image/simulated.ts'
import { simulatedHostDriver } from '../agent/drivers/simulated-host.ts'
import { simulatedVmDriver } from '../agent/drivers/vm/simulated.ts'
import { openMachine } from '../agent/drivers/vm/simulated-machine.ts'
import type {
  WireGuardConfig,
  WireGuardDriver,
  WireGuardPeerState,
  WireGuardState,
} from '../agent/drivers/wireguard/port.ts'
import { initAgentKeys, publicHalves } from '../agent/keys/agent-keys.ts'
import type { Files } from '../base/files.ts'
import { createLogger } from '../base/log.ts'
import type { BundleContent } from '../protocol/bundle/document.ts'
import { x25519PublicKey } from '../protocol/keys.ts'
import { fakeAuthority } from './fake-authority.ts'
import { memoryFiles } from './memory-files.ts'
import { type MemoryNetwork, memoryNetwork } from './memory-network.ts'
import { seededRandom } from './seeded-random.ts'
import { type VirtualClock, virtualClock } from './virtual-clock.ts'

/** A WireGuard of which a test says what its peers did. */
function scriptedWireGuard() {
  let config: WireGuardConfig | undefined
  const seen = new Map<string, Pick<WireGuardPeerState, 'handshakeAgeSeconds' | 'rxBytes' | 'txBytes'>>()
  const changes: ('applied' | 'removed')[] = []
  const driver: WireGuardDriver = {
    read: async (): Promise<WireGuardState | undefined> => {
      if (!config) return undefined
      const { privateKey, peers, ...rest } = config
      const publicKey = Buffer.from(x25519PublicKey(Buffer.from(privateKey, 'base64'))).toString('base64')
      const silent = { handshakeAgeSeconds: undefined, rxBytes: 0, txBytes: 0 }
      return { ...rest, publicKey, peers: peers.map((p) => ({ ...p, ...silent, ...seen.get(p.publicKey) })) }
    },
    apply: async (wanted) => {
      if (JSON.stringify(wanted) === JSON.stringify(config)) return { changed: false }
      config = structuredClone(wanted)
      changes.push('applied')
      return { changed: true }
    },
    remove: async () => {
      config = undefined
      changes.push('removed')
    },
    onChange: () => () => {},
  }
  return {
    driver,
    /** Calls that changed something. */
    changes,
    config: () => config,
    /** From now on the peer looks like this. */
    peer: (publicKey: string, state: Partial<WireGuardPeerState>) =>
      seen.set(publicKey, { handshakeAgeSeconds: undefined, rxBytes: 0, txBytes: 0, ...state }),
  }
}

export interface AgentBenchOptions {
  role?: 'hub' | 'spoke'
  memoryMiB?: number
  /** For a second agent on the same network. */
  beside?: { clock: VirtualClock; network: MemoryNetwork }
  address?: string
  authorityAddress?: string
}

export async function agentBench(options: AgentBenchOptions = {}) {
  const address = options.address ?? '10.8.0.7'
  const clock = options.beside?.clock ?? virtualClock()
  const random = seededRandom(`bench ${address}`)
  const network = options.beside?.network ?? memoryNetwork(clock)
  const files = memoryFiles()
  const lines: string[] = []
  const log = createLogger({ level: 'trace', write: (line) => lines.push(line) })
  const machine = await openMachine({ files: memoryFiles(), clock, cpus: 4 })
  const wireguard = scriptedWireGuard()
  const images = simulatedImageDriver({ files: memoryFiles(), clock })
  const host = simulatedHostDriver(machine, options.memoryMiB ?? 8192)
  const calls: string[] = []
  const vm = simulatedVmDriver(machine)
  const noted = <K extends 'start' | 'stop' | 'cut' | 'pause' | 'resume' | 'setMemoryTarget'>(name: K) =>
    ((...args: Parameters<(typeof vm)[K]>) => {
      calls.push(name)
      return (vm[name] as (...a: unknown[]) => Promise<void>)(...args)
    }) as unknown as (typeof vm)[K]
  const drivers: Drivers = {
    wireguard: wireguard.driver,
    vm: {
      ...vm,
      start: noted('start'),
      stop: noted('stop'),
      cut: noted('cut'),
      pause: noted('pause'),
      resume: noted('resume'),
      setMemoryTarget: noted('setMemoryTarget'),
    },
    cgroup: simulatedCgroupDriver(machine),
    image: images,
    host,
  }
  const keys = await initAgentKeys(files, random)
  const authority = fakeAuthority({
    clock,
    random,
    transport: network.transport(),
    address: options.authorityAddress ?? '10.8.0.1',
    node: { name: 'edge', address, role: options.role ?? 'spoke', identity: publicHalves(keys) },
  })
  await authority.start()
  const start = (on: Files = files) =>
    startAgent({ files: on, transport: network.transport(), clock, random, log, drivers, version: '0.1.0' })
  return {
    clock,
    network,
    files,
    /** Log lines of every level. */
    lines,
    machine,
    wireguard,
    images,
    host,
    drivers,
    /** Changing calls of the VM driver, in order. */
    calls,
    keys,
    authority,
    start,
    /** An agent that lives by revision 1 and has been connected for a second. */
    async enrolled(content: Partial<BundleContent> = {}) {
      const agent = await start()
      await agent.importBundle(authority.armored({ revision: 1, switch: 'onReceipt', content }), {
        authorityFingerprint: authority.fingerprint,
      })
      await clock.advance(1_000)
      return agent
    },
  }
}
export type AgentBench = Awaited<ReturnType<typeof agentBench>>
