// A fleet around a real API server, for suites: authorities that come and go over its objects, and a machine for every
// declared Node, in one process. The machines and the network between them outlive every authority.
import { setTimeout as wait } from 'node:timers/promises'
import type { Drivers } from '../../agent/drivers/host.ts'
import { simulatedNode } from '../../agent/simulated/node.ts'
import { fileWorld, learnEndpoint } from '../../agent/simulated/world.ts'
import { type Condition, KINDS, type Kind } from '../../api/meta.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import { type Authority, startAuthority } from '../../authority/main/authority.ts'
import { systemClock } from '../../base/clock.ts'
import { type Logger, silentLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import type { Cluster } from '../../hack/kube/cluster.ts'
import { armorBundle } from '../../protocol/bundle/armor.ts'
import { fingerprint } from '../../protocol/keys.ts'
import { connectKube } from '../../stores/kube/connect.ts'
import { collectionPath } from '../../stores/kube/resources.ts'
import { type KubeStore, openKubeStore } from '../../stores/kube/store.ts'
import { type FakeAgent, fakeAgent } from '../../testing/fake-agent.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { memoryNetwork } from '../../testing/memory-network.ts'
import { type SentCommand, sentCommands } from '../../testing/sent-commands.ts'
import { countedDrivers, type DriverCall } from './counted-drivers.ts'

export const NAMESPACE = 'ppn-system'
const SYNC_PORT = 8092
const LOOK_EVERY_MS = 50

export interface Reign {
  store: KubeStore
  authority: Authority
  end(): Promise<void>
}

/** What was sent and done since a moment. */
export interface Since {
  commands(): SentCommand[]
  /** Addresses of the nodes to which bundles were pushed, one an entry. */
  bundles(): string[]
  driverCalls(): DriverCall[]
}

export interface KubeFleet {
  /** The next authority, as a person with this kubeconfig; the tests' own when absent. */
  reign(through?: { kubeconfig?: string; userAgent?: string }): Promise<Reign>
  since(): Since
  /** Waits until everything but pairings is Ready at its generation. */
  ready(withinMs?: number): Promise<void>
  /** Ends the machines. */
  stop(): Promise<void>
}

export interface KubeFleetOptions {
  cluster: Cluster
  /** `simulated`: the real agent on simulated drivers, whose calls are counted. `fake`: light, for many. */
  machines?: 'fake' | 'simulated'
  log?: Logger
}

interface Machine {
  identity(): NodeIdentity | Promise<NodeIdentity>
  import(armored: string, fingerprint: string): Promise<unknown>
  start(): Promise<void>
  stop(): Promise<void>
}

/** One authority's look at a declared object. */
export interface Listed {
  kind: Kind
  metadata: { name: string; namespace?: string; uid: string; generation: number; resourceVersion: string }
  spec: Record<string, unknown>
  status?: { conditions?: Condition[]; address?: string; slot?: number; fencingEpoch?: number }
}

/** Everything of these kinds, as the server has it now. */
export async function listed(cluster: Cluster, kinds: readonly Kind[] = KINDS): Promise<Listed[]> {
  const lists = await Promise.all(
    kinds.map(async (kind) => {
      const { items } = (await cluster.request('GET', collectionPath(kind))).json() as { items: Listed[] }
      return items.map((item) => ({ ...item, kind }))
    }),
  )
  return lists.flat()
}

export function kubeFleet({ cluster, machines: which = 'fake', log = silentLogger() }: KubeFleetOptions): KubeFleet {
  const clock = systemClock()
  const network = memoryNetwork(clock, systemRandom)
  const files = new Map<string, Uint8Array>()
  const world = fileWorld(memoryFiles())
  const machines = new Map<string, Machine>()
  const calls: DriverCall[] = []

  const machineOf = async (name: string, address: string, endpoint?: string): Promise<Machine> => {
    if (endpoint !== undefined) await learnEndpoint(world, endpoint, address)
    const shared = { clock, transport: network.transport(), random: systemRandom }
    if (which === 'fake') return fakeAgent(shared) satisfies FakeAgent
    return simulatedNode({
      ...shared,
      ...{ address, files: memoryFiles(), log, behindNat: endpoint === undefined },
      resolve: async (to) => (await world.directory())[to],
      watchDrivers: (drivers: Drivers) => countedDrivers(drivers, name, (call) => void calls.push(call)),
    })
  }
  const provision = async (name: string, { store, authority }: Reign) => {
    const node = store.get('Node', name)
    const address = node && authority.allocator.addressOf(node.metadata.uid)
    if (!node || !address || machines.has(name)) return
    const machine = await machineOf(name, address, node.spec.endpoint)
    if (machines.has(name)) return
    machines.set(name, machine)
    const nodeId = await authority.allocator.nodeId(node.metadata.uid, name)
    await authority.registry.enrol(name, nodeId, await machine.identity(), 'simulated')
    // The bundle is there as soon as the Node has been reconciled after its enrolment.
    let bundle: Uint8Array | undefined
    while (!bundle) {
      bundle = await authority.publisher.firstBundle(name).catch(() => undefined)
      if (!bundle) await wait(LOOK_EVERY_MS)
    }
    await machine.import(armorBundle(bundle), fingerprint(authority.keys.keys.signing.publicKey))
    await machine.start()
  }

  return {
    async reign({ kubeconfig = cluster.kubeconfig, userAgent = 'ppn-test' } = {}) {
      const stop = new AbortController()
      const connection = await connectKube({ kubeconfig, clock, userAgent })
      const store = await openKubeStore(
        { api: connection, namespace: NAMESPACE, clock, random01: Math.random, log },
        stop.signal,
      )
      const authority = await startAuthority(
        {
          ...{ store, clock, random: systemRandom, log },
          events: { record: () => {} },
          files: memoryFiles(files),
          transport: network.transport(),
        },
        stop.signal,
      )
      const now: Reign = {
        store,
        authority,
        async end() {
          await authority.stop()
          stop.abort(new Error('the reign ends'))
          await store.close()
          connection.close()
        },
      }
      const soon = (name: string) => void provision(name, now).catch(() => machines.delete(name))
      store.subscribe((event) => {
        if (event.type === 'upsert' && event.object.kind === 'Node') soon(event.object.metadata.name)
      })
      for (const node of store.list('Node')) soon(node.metadata.name)
      return now
    },
    since() {
      const [datagrams, segments, driverCalls] = [network.datagrams.length, network.segments.length, calls.length]
      return {
        commands: () => sentCommands(network.datagrams.slice(datagrams), (address) => address),
        bundles: () =>
          network.segments
            .slice(segments)
            .filter(({ port, bytes }) => port === SYNC_PORT && bytes.length > 0)
            .map(({ to }) => to),
        driverCalls: () => calls.slice(driverCalls),
      }
    },
    async ready(withinMs = 180_000) {
      const deadline = Date.now() + withinMs
      for (;;) {
        const all = await listed(cluster, ['Mesh', 'Node', 'ResourcePool', 'Archive'])
        const waiting = all.flatMap(({ kind, metadata, status }) => {
          const ready = status?.conditions?.find(({ type }) => type === 'Ready')
          if (ready?.status === 'True' && ready.observedGeneration === metadata.generation) return []
          return [`${kind}/${metadata.name}: ${ready?.status} ${ready?.reason} ${ready?.message}`]
        })
        if (all.length > 0 && waiting.length === 0) return
        if (Date.now() > deadline) throw new Error(`not Ready within ${withinMs / 1000} s:\n${waiting.join('\n')}`)
        await wait(200)
      }
    },
    async stop() {
      await Promise.all([...machines.values()].map((machine) => machine.stop()))
    },
  }
}

/** What of a fleet must never change by itself: addresses, slots, epochs. */
export async function lasting(cluster: Cluster): Promise<unknown[]> {
  const all = await listed(cluster, ['Node', 'Archive'])
  return all.map(({ kind, metadata, status }) => [
    `${kind}/${metadata.name}`,
    status?.address,
    status?.slot,
    status?.fencingEpoch,
  ])
}
