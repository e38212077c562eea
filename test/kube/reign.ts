// An authority in this process over a real API server's store, and machines under it, all on a network in memory.
// Without a Lease: `replica.ts` starts what runs on a cluster.
import { type Authority, startAuthority } from '../../authority/main/authority.ts'
import { type Clock, systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import type { Cluster } from '../../hack/kube/cluster.ts'
import { armorBundle } from '../../protocol/bundle/armor.ts'
import { fingerprint } from '../../protocol/keys.ts'
import { connectKube } from '../../stores/kube/connect.ts'
import { kubeEvents } from '../../stores/kube/events.ts'
import { type KubeStore, openKubeStore } from '../../stores/kube/store.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { memoryNetwork } from '../../testing/memory-network.ts'
import { type Enroller, type Machines, type MachinesOptions, machinesOf } from './machines.ts'

export const NAMESPACE = 'ppn-system'

export interface Reign {
  store: KubeStore
  authority: Authority
  end(): Promise<void>
}

export interface KubeFleetOptions {
  cluster: Cluster
  /** That the authority and the machines live by; the API server and what speaks to it keep to real time. */
  clock?: Clock
  machines?: MachinesOptions['which']
  /** What happens to objects is written as Events. */
  events?: boolean
}

export interface KubeFleet extends Machines {
  /** The next authority, as a person with this kubeconfig; the tests' own when absent. */
  reign(through?: { kubeconfig?: string }): Promise<Reign>
}

export function kubeFleet(options: KubeFleetOptions): KubeFleet {
  const { cluster, clock = systemClock(), machines: which = 'fake', events = false } = options
  const network = memoryNetwork(clock, systemRandom)
  const files = new Map<string, Uint8Array>()
  const serverClock = systemClock()
  let running: Reign | undefined

  const enrollerOf = ({ store, authority }: Reign): Enroller => ({
    async enrol(name, identity) {
      const uid = store.get('Node', name)?.metadata.uid ?? ''
      await authority.registry.enrol(name, await authority.allocator.nodeId(uid, name), identity, 'simulated')
    },
    bundle: async (name) => ({
      armored: armorBundle(await authority.publisher.firstBundle(name)),
      fingerprint: fingerprint(authority.keys.keys.signing.publicKey),
    }),
  })
  const machines = machinesOf({
    ...{ cluster, clock, transport: network.transport(), which },
    leader: async () => running && enrollerOf(running),
  })
  return {
    ...machines,
    async reign({ kubeconfig = cluster.kubeconfig } = {}) {
      const stop = new AbortController()
      const log = silentLogger()
      const connection = await connectKube({ kubeconfig, clock: serverClock, userAgent: 'ppn-test' })
      const store = await openKubeStore(
        { api: connection, namespace: NAMESPACE, clock: serverClock, random01: Math.random, log },
        stop.signal,
      )
      const authority = await startAuthority(
        {
          ...{ store, clock, random: systemRandom, log },
          events: events
            ? kubeEvents({ api: connection, clock: serverClock, log, instance: 'ppn-test' }, stop.signal)
            : { record: () => {} },
          files: memoryFiles(files),
          transport: network.transport(),
        },
        stop.signal,
      )
      const now: Reign = {
        store,
        authority,
        async end() {
          running = undefined
          await authority.stop()
          stop.abort(new Error('the reign ends'))
          await store.close()
          connection.close()
        },
      }
      running = now
      return now
    },
  }
}
