// The two agents that have to agree: the one of ppn/testing, and the real one on simulated drivers.
import { simulatedWireGuard } from '../../../agent/drivers/wireguard/simulated.ts'
import { simulatedNode } from '../../../agent/simulated/node.ts'
import type { NodeIdentity } from '../../../api/v1alpha1/node.ts'
import { silentLogger } from '../../../base/log.ts'
import type { RandomBytes } from '../../../base/random.ts'
import { type KeyPair, toBase64 } from '../../../protocol/keys.ts'
import type { HeldBundle } from '../../../protocol/telemetry/report.ts'
import { fakeAgent } from '../../../testing/fake-agent.ts'
import { memoryFiles } from '../../../testing/memory-files.ts'
import type { MemoryNetwork } from '../../../testing/memory-network.ts'
import type { VirtualClock } from '../../../testing/virtual-clock.ts'

export interface Subject {
  identity(): Promise<NodeIdentity>
  start(): Promise<void>
  import(armored: string, authorityFingerprint?: string): Promise<HeldBundle>
  /** Another process over what the last one kept. */
  restart(lose?: 'marks'): Promise<void>
  /** The kernel says that its clock is not synchronised. */
  loseClock(): void
  stop(): Promise<void>
}

export interface Surroundings {
  clock: VirtualClock
  random: RandomBytes
  network: MemoryNetwork
  hub: { address: string; endpoint: string; keys: KeyPair }
  /** The subject's address. */
  address: string
}

export type Make = (around: Surroundings) => Promise<Subject>

const fake: Make = async ({ clock, random, network }) => {
  const agent = fakeAgent({ clock, random, transport: network.transport() })
  return {
    identity: async () => agent.identity(),
    start: agent.start,
    import: agent.import,
    restart: (lose) => agent.restart({ lose }),
    loseClock: () => void agent.clockOff(0, { synchronised: false }),
    stop: agent.stop,
  }
}

const real: Make = async ({ clock, random, network, hub, address }) => {
  const files = memoryFiles()
  const common = { transport: network.transport(), clock, random, log: silentLogger() }
  const resolve = async (endpoint: string) => (endpoint === hub.endpoint ? hub.address : undefined)
  const wireguard = simulatedWireGuard({ ...common, address: hub.address, behindNat: false, resolve })
  const node = await simulatedNode({ ...common, address, files, resolve })
  await wireguard.apply({
    name: 'ppn0',
    privateKey: toBase64(hub.keys.secretKey),
    address: `${hub.address}/24`,
    listenPort: 51820,
    mtu: 1420,
    peers: [
      {
        publicKey: (await node.identity()).wireguardPublicKey,
        allowedIPs: [`${address}/32`],
        persistentKeepalive: 0,
      },
    ],
  })
  return {
    identity: node.identity,
    start: node.start,
    import: node.import,
    async restart(lose) {
      await node.kill('agent')
      if (lose === 'marks') await files.sub('agent').remove('marks')
      await node.start()
    },
    loseClock: () => node.setClockSynchronised(false),
    async stop() {
      await node.stop()
      wireguard.powerCut()
    },
  }
}

export const SUBJECTS: Record<'fake' | 'real', Make> = { fake, real }
