// A fleet whose authority has two homes: a folder and a cluster. The machines and the network outlive every authority.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { simulatedNode } from '../../agent/simulated/node.ts'
import { fileWorld, learnEndpoint } from '../../agent/simulated/world.ts'
import type { Condition } from '../../api/meta.ts'
import type { Authority } from '../../authority/main/authority.ts'
import { startOnCluster } from '../../authority/main/on-cluster.ts'
import { startStandalone } from '../../authority/main/standalone.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import { main } from '../../cli/main.ts'
import { recording } from '../../cli/testing/listening.ts'
import type { Cluster } from '../../hack/kube/cluster.ts'
import { armorBundle } from '../../protocol/bundle/armor.ts'
import { fingerprint } from '../../protocol/keys.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { memoryNetwork } from '../../testing/memory-network.ts'
import { sentCommands } from '../../testing/sent-commands.ts'
import { countedDrivers, type DriverCall } from './counted-drivers.ts'
import { mountSecret } from './mount-secret.ts'
import { NAMESPACE } from './reign.ts'

const SYNC_PORT = 8092
const READY_WITHIN_MS = 120_000
export const SECRET = 'ppn-authority-keys'

export interface Reigning {
  authority: Authority
  /** Why a process would have ended by itself: it lost its Lease, as a machine that is too busy makes it. */
  lost(): Error | undefined
  end(): Promise<void>
}

export function twoHomes(cluster: () => Cluster, example: string) {
  const folder = mkdtempSync(join(tmpdir(), 'ppn-move-'))
  const [fleet, state, keys] = [join(folder, 'fleet'), join(folder, 'state'), join(folder, 'keys')]
  cpSync(example, fleet, { recursive: true })
  const clock = systemClock()
  const network = memoryNetwork(clock, systemRandom)
  const world = fileWorld(memoryFiles())
  const machines = new Map<string, { stop(): Promise<void> }>()
  const calls: DriverCall[] = []
  /** Lines of the audit's stream. */
  const audit: string[] = []

  const provision = async (
    name: string,
    { world: { store }, allocator, registry, publisher, keys: own }: Authority,
  ) => {
    const node = store.get('Node', name)
    const address = node && allocator.addressOf(node.metadata.uid)
    if (!node || !address || machines.has(name)) return
    const { endpoint } = node.spec
    if (endpoint !== undefined) await learnEndpoint(world, endpoint, address)
    if (machines.has(name)) return
    const machine = await simulatedNode({
      ...{ clock, address, transport: network.transport(), random: systemRandom, files: memoryFiles() },
      ...{ log: silentLogger(), behindNat: endpoint === undefined },
      resolve: async (to) => (await world.directory())[to],
      watchDrivers: (drivers) => countedDrivers(drivers, name, (call) => void calls.push(call)),
    })
    machines.set(name, machine)
    await registry.enrol(name, await allocator.nodeId(node.metadata.uid, name), await machine.identity(), 'simulated')
    let bundle: Uint8Array | undefined
    while (!bundle) {
      bundle = await publisher.firstBundle(name).catch(() => undefined)
      if (!bundle) await wait(50)
    }
    await machine.import(armorBundle(bundle), fingerprint(own.keys.signing.publicKey))
    await machine.start()
  }
  const peopled = (authority: Authority): void => {
    const { store } = authority.world
    const soon = (name: string) => void provision(name, authority).catch(() => machines.delete(name))
    store.subscribe((event) => {
      if (event.type === 'upsert' && event.object.kind === 'Node') soon(event.object.metadata.name)
    })
    for (const { metadata } of store.list('Node')) soon(metadata.name)
  }
  const shared = { clock, random: systemRandom, log: silentLogger(), version: 'test', metricsPort: 0 }

  /** Those that run. */
  const reigning = new Set<Reigning>()
  const reign = (authority: Authority, stop: () => Promise<void>, lost: Reigning['lost'] = () => undefined) => {
    const now: Reigning = {
      authority,
      lost,
      async end() {
        if (reigning.delete(now)) await stop()
      },
    }
    reigning.add(now)
    return now
  }
  const ppn = async (...args: string[]) => {
    const said = { out: '', err: '' }
    const io = {
      ...recording(said),
      ...{ terminal: false, columns: () => 80, color: false, env: {}, cwd: folder, clock },
      ...{ signal: new AbortController().signal, onHangup: () => {}, exitNow: () => {} },
      stdin: async () => '',
      read: async () => '',
    }
    const code = await main(io, [...args, '--kubeconfig', cluster().kubeconfig])
    return { code, ...said }
  }

  return {
    ...{ folder, fleet, state, keys, audit, clock, network },
    /** The authority of a state folder; this fleet's own when absent. */
    async onFolder(
      of = { fleet, state },
      { machines: wanted = true, transport = network.transport() } = {},
    ): Promise<Reigning> {
      const stop = new AbortController()
      const onMetricsPortTaken = () => {}
      const { authority, stop: end } = await startStandalone(
        { ...shared, ...of, transport, onMetricsPortTaken },
        stop.signal,
      )
      if (wanted) peopled(authority)
      return reign(authority, async () => {
        await end()
        stop.abort(new Error('the process ends'))
      })
    },
    /** With the keys as a pod finds them: those of the Secret. */
    async onCluster(): Promise<Reigning> {
      await mountSecret(cluster(), SECRET, keys)
      const stop = new AbortController()
      const running = await startOnCluster(
        {
          ...{ ...shared, keys, namespace: NAMESPACE, kubeconfig: cluster().kubeconfig, identity: 'replica' },
          ...{ state: join(folder, 'run'), transport: network.transport() },
          audit: async (bytes) => void audit.push(...Buffer.from(bytes).toString('utf8').trimEnd().split('\n')),
        },
        stop.signal,
      )
      let lost: Error | undefined
      running.over.catch((error: Error) => {
        lost = error
      })
      const end = async () => {
        await running.stop()
        stop.abort(new Error('the process ends'))
      }
      try {
        const authority = await running.leading
        peopled(authority)
        return reign(authority, end, () => lost)
      } catch (error) {
        await end()
        throw error
      }
    },
    /** `ppn migrate`, as the only process on this state. */
    migrate: (...flags: string[]) => ppn('migrate', fleet, '--state', state, ...flags),
    restoreOnCluster: () => ppn('restore', '--cluster'),
    since() {
      const [datagrams, segments, driverCalls] = [network.datagrams.length, network.segments.length, calls.length]
      return {
        ops: () => [...new Set(sentCommands(network.datagrams.slice(datagrams), (a) => a).map(({ op }) => op))],
        bundles: () =>
          network.segments.slice(segments).filter(({ port, bytes }) => port === SYNC_PORT && bytes.length > 0).length,
        driverCalls: () => calls.slice(driverCalls),
      }
    },
    /** Whoever reigns, after a test that failed. */
    endAll: async () => void (await Promise.all([...reigning].map((one) => one.end()))),
    async stop() {
      await Promise.all([...machines.values()].map((machine) => machine.stop()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const everything = ({ world: { store } }: Authority) =>
  (['Mesh', 'Node', 'ResourcePool', 'Archive'] as const).flatMap((kind) => store.list(kind))

/** Waits until everything is Ready at its generation, seen by this very authority. */
export async function ready({ authority, lost }: Reigning): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS
  for (;;) {
    const why = lost()
    if (why) throw why
    const waiting = everything(authority).flatMap(({ kind, metadata, status }) => {
      const { conditions = [] } = (status ?? {}) as { conditions?: Condition[] }
      const found = conditions.find(({ type }) => type === 'Ready')
      if (found?.status === 'True' && found.observedGeneration === metadata.generation) return []
      return [`${kind}/${metadata.name}: ${found?.status} ${found?.reason} ${found?.message}`]
    })
    const heard = authority.world.store
      .list('Node')
      .every(({ metadata: { name } }) => authority.world.fleet.view(name).liveness === 'Fresh')
    if (heard && waiting.length === 0 && authority.world.store.list('Node').length > 0) return
    if (Date.now() > deadline) {
      const phase = authority.serving.downlink()?.reign.phase() ?? authority.serving.reason()
      throw new Error(`not Ready, ${phase}:\n${waiting.join('\n')}`)
    }
    await wait(100)
  }
}

/** What no move may change: addresses, slots, epochs, identities, who is enrolled, by whose keys. */
export const lastingOf = (authority: Authority) => {
  const { world, registry, allocator, keys, publisher } = authority
  return {
    nodes: world.store.list('Node').map(({ metadata: { name, uid } }) => [name, allocator.addressOf(uid)]),
    placements: world.store
      .list('Node')
      .flatMap(({ metadata: { name } }) =>
        allocator.placementsOn(name).map(({ archiveUid: _, ...placement }) => placement),
      ),
    enrolled: registry.list(),
    registryHead: registry.head(),
    revision: publisher.revision(),
    keys: JSON.stringify(keys.keys),
  }
}
