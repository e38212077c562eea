// A machine for every Node declared on an API server, whoever is its authority; all in this process. They outlive every
// authority, and count what they are told and what they do.
import { setTimeout as wait } from 'node:timers/promises'
import type { Drivers } from '../../agent/drivers/host.ts'
import { type SimulatedNode, simulatedNode } from '../../agent/simulated/node.ts'
import { fileWorld, learnEndpoint } from '../../agent/simulated/world.ts'
import { type Condition, KINDS, type Kind } from '../../api/meta.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import { type Clock, systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import type { Transport } from '../../base/transport.ts'
import type { Cluster } from '../../hack/kube/cluster.ts'
import { decodeCommand } from '../../protocol/command/decode.ts'
import { type OpName, opName, TARGET_ALL } from '../../protocol/command/ops.ts'
import { collectionPath } from '../../stores/kube/resources.ts'
import { type FakeAgent, fakeAgent } from '../../testing/fake-agent.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { countedDrivers, type DriverCall } from './counted-drivers.ts'

const COMMAND_PORT = 8090
const SYNC_PORT = 8092
const LOOK_EVERY_MS = 200
/** Once there is a machine for every node. */
const IDLE_LOOK_MS = 1_000

/** A command that reached its addressee, once however often it was repeated; copies to others are not counted. */
export interface GotCommand {
  node: string
  op: OpName
  slot: number
  value: number
  /** Address it came from. */
  from: string
  /** performance.now() of its first packet, and of its last one so far. */
  atMs: number
  lastMs: number
}

/** What reached the machines, and what they did, since a moment. */
export interface Since {
  commands(): GotCommand[]
  /** Names of the nodes to which a bundle was pushed, one an entry. */
  bundles(): string[]
  driverCalls(): DriverCall[]
}

/** Who enrols machines: the authority that leads. */
export interface Enroller {
  enrol(node: string, identity: NodeIdentity): Promise<unknown>
  bundle(node: string): Promise<{ armored: string; fingerprint: string }>
}

export interface MachinesOptions {
  cluster: Cluster
  clock?: Clock
  /** That the machines are on. */
  transport: Transport
  /** `simulated`: the real agent on simulated drivers, whose calls are counted. `fake`: light, for many. */
  which: 'fake' | 'simulated'
  /** Who leads now; undefined while nobody does. */
  leader(): Promise<Enroller | undefined>
}

export interface Machines {
  since(): Since
  /** By name. */
  fakes: ReadonlyMap<string, FakeAgent>
  simulated: ReadonlyMap<string, SimulatedNode>
  /** Waits until everything but pairings is Ready at its generation. */
  ready(withinMs?: number): Promise<void>
  stop(): Promise<void>
}

interface Machine {
  identity(): NodeIdentity | Promise<NodeIdentity>
  import(armored: string, fingerprint: string): Promise<unknown>
  start(): Promise<void>
  stop(): Promise<void>
}

/** An object as the server has it. */
export interface Listed {
  kind: Kind
  metadata: { name: string; namespace?: string; uid: string; generation: number; resourceVersion: string }
  spec: Record<string, unknown>
  status?: { conditions?: Condition[]; address?: string; slot?: number; fencingEpoch?: number }
}

export async function listed(cluster: Cluster, kinds: readonly Kind[] = KINDS): Promise<Listed[]> {
  const lists = await Promise.all(
    kinds.map(async (kind) => {
      const { items } = (await cluster.request('GET', collectionPath(kind))).json() as { items: Listed[] }
      return items.map((item) => ({ ...item, kind }))
    }),
  )
  return lists.flat()
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

export function machinesOf(options: MachinesOptions): Machines {
  const { cluster, transport, which, leader, clock = systemClock() } = options
  const world = fileWorld(memoryFiles())
  /** Those that run, and those that are there. */
  const machines = new Map<string, Machine>()
  const made = new Map<string, Machine>()
  const fakes = new Map<string, FakeAgent>()
  const simulated = new Map<string, SimulatedNode>()
  const commands: GotCommand[] = []
  const seen = new Map<string, GotCommand>()
  const bundles: string[] = []
  const calls: DriverCall[] = []
  let stopped = false

  const told = (node: string, to: string, from: string, bytes: Uint8Array) => {
    const decoded = decodeCommand(bytes)
    if (!decoded.ok) return
    const { op, target, slot, value, sequence } = decoded.command
    if (target !== TARGET_ALL && target !== Number(to.split('.')[3])) return
    const id = [node, op, slot, sequence].join(' ')
    const nowMs = performance.now()
    const known = seen.get(id)
    if (known) known.lastMs = nowMs
    else {
      const command = { node, op: opName(op) as OpName, slot, value, from, atMs: nowMs, lastMs: nowMs }
      seen.set(id, command)
      commands.push(command)
    }
  }
  /** The network as this machine has it, listened to. */
  const tapped = (node: string): Transport => ({
    ...transport,
    bindUdp: (address, port, onPacket) =>
      transport.bindUdp(address, port, (bytes, from) => {
        if (port === COMMAND_PORT) told(node, address, from, bytes)
        onPacket(bytes, from)
      }),
    listen: (address, port, onConnection) =>
      transport.listen(address, port, (connection) => {
        if (port === SYNC_PORT) bundles.push(node)
        onConnection(connection)
      }),
  })
  const machineOf = async (name: string, address: string, endpoint: unknown): Promise<Machine> => {
    const shared = { clock, transport: tapped(name), random: systemRandom }
    if (which === 'fake') {
      const fake = fakeAgent(shared)
      fakes.set(name, fake)
      return fake
    }
    if (typeof endpoint === 'string') await learnEndpoint(world, endpoint, address)
    const node = await simulatedNode({
      ...shared,
      ...{ address, files: memoryFiles(), log: silentLogger(), behindNat: endpoint === undefined },
      resolve: async (to) => (await world.directory())[to],
      watchDrivers: (drivers: Drivers) => countedDrivers(drivers, name, (call) => void calls.push(call)),
    })
    simulated.set(name, node)
    return node
  }
  /** Every step may fail, as nobody leads just then, and is repeated. */
  const provision = async ({ metadata: { name }, spec, status }: Listed) => {
    const authority = status?.address === undefined ? undefined : await leader()
    if (!authority || status?.address === undefined) return
    const machine = made.get(name) ?? (await machineOf(name, status.address, spec.endpoint))
    made.set(name, machine)
    await authority.enrol(name, await machine.identity())
    // There is none before the Node has been reconciled after its enrolment: then it is asked for again.
    const { armored, fingerprint } = await authority.bundle(name)
    await machine.import(armored, fingerprint)
    machines.set(name, machine)
    await machine.start()
  }
  const provisioning = (async () => {
    while (!stopped) {
      const nodes = await listed(cluster, ['Node']).catch(() => [])
      const fresh = nodes.filter(({ metadata }) => !machines.has(metadata.name))
      await Promise.all(fresh.map((node) => provision(node).catch(() => {})))
      await wait(fresh.length > 0 ? LOOK_EVERY_MS : IDLE_LOOK_MS)
    }
  })()

  return {
    fakes,
    simulated,
    since() {
      const from = { commands: commands.length, bundles: bundles.length, calls: calls.length }
      return {
        commands: () => commands.slice(from.commands),
        bundles: () => bundles.slice(from.bundles),
        driverCalls: () => calls.slice(from.calls),
      }
    },
    async ready(withinMs = 180_000) {
      const deadline = Date.now() + withinMs
      for (;;) {
        const askedMs = performance.now()
        const all = await listed(cluster, ['Mesh', 'Node', 'ResourcePool', 'Archive'])
        const waiting = all.flatMap(({ kind, metadata, status }) => {
          const ready = status?.conditions?.find(({ type }) => type === 'Ready')
          if (ready?.status === 'True' && ready.observedGeneration === metadata.generation) return []
          return [`${kind}/${metadata.name}: ${ready?.status} ${ready?.reason} ${ready?.message}`]
        })
        if (all.length > 0 && waiting.length === 0) return
        if (Date.now() > deadline) throw new Error(`not Ready within ${withinMs / 1000} s:\n${waiting.join('\n')}`)
        await wait(Math.max(LOOK_EVERY_MS, 2 * (performance.now() - askedMs)))
      }
    },
    async stop() {
      stopped = true
      await provisioning
      await Promise.all([...machines.values()].map((machine) => machine.stop()))
    },
  }
}
