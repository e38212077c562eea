// An authority's downlink and model nodes on a network in memory, on a virtual clock. The authority can be stopped
// and started again over the same records and files.
import { silentLogger } from '../../../base/log.ts'
import type { Enrolment } from '../../../controllers/ports/registry.ts'
import type { StoredRecord } from '../../../controllers/ports/store.ts'
import { generateX25519, toBase64 } from '../../../protocol/keys.ts'
import { memoryFiles } from '../../../testing/memory-files.ts'
import { memoryNetwork } from '../../../testing/memory-network.ts'
import { seededRandom } from '../../../testing/seeded-random.ts'
import { virtualClock } from '../../../testing/virtual-clock.ts'
import { memoryRecords } from '../../allocation/testing/memory-records.ts'
import { auditTo } from '../../audit.ts'
import { BRAKE_FILE, fileBrake } from '../../brake.ts'
import { rosterOf } from '../../roster.ts'
import type { OnReceiptNeed } from '../../telemetry/needs.ts'
import { type Downlink, type DownlinkOptions, startDownlink } from '../downlink.ts'
import { COMMAND_PORT, ModelNode, TELEMETRY_PORT } from './model-node.ts'

const AUTHORITY = '10.8.0.1'
const MESH_ID = 'a'.repeat(32)
const AUTHORITY_ID = 'b'.repeat(32)

export type Lab = Awaited<ReturnType<typeof lab>>
export interface Running extends Downlink {
  stop(): Promise<void>
}

/** `count` nodes n1, n2, ... at 10.8.0.1 and up; the first `hubs` of them are hubs. The authority sits beside n1. */
export async function lab(count: number, options: { hubs?: number; listen?: boolean } = {}) {
  const clock = virtualClock()
  const random = seededRandom('lab')
  const network = memoryNetwork(clock, random)
  const files = memoryFiles()
  const facts = new Map<string, StoredRecord>()
  const command = generateX25519(random)
  const meshEpochMs = clock.now() - 3_600_000
  const audited: Record<string, unknown>[] = []
  const needs: { node: string; why: OnReceiptNeed }[] = []
  const counted = new Map<string, number>()

  const nodes = Array.from({ length: count }, (_, i) => {
    return new ModelNode({
      name: `n${i + 1}`,
      address: `10.8.0.${i + 1}`,
      hub: i < (options.hubs ?? 1),
      clock,
      transport: network.transport(),
      random,
      meshId: MESH_ID,
      authorityId: AUTHORITY_ID,
      meshEpochMs,
      authorityAddress: AUTHORITY,
      authorityPublic: command.publicKey,
      command: generateX25519(random),
    })
  })
  if (options.listen !== false) for (const node of nodes) await node.listen()

  const enrolled = new Map<string, Enrolment>()
  const registryListeners = new Set<(node: string) => void>()
  const enrol = (node: ModelNode): void => {
    const publicKey = toBase64(node.command.publicKey)
    const identity = { wireguardPublicKey: publicKey, commandPublicKey: publicKey, signingPublicKey: publicKey }
    const { name, nodeId, enrolmentId } = node
    enrolled.set(name, { node: name, nodeId, enrolmentId, identity, how: 'simulated' })
    for (const listener of registryListeners) listener(name)
  }
  const retire = (name: string): void => {
    enrolled.delete(name)
    for (const listener of registryListeners) listener(name)
  }
  for (const node of nodes) enrol(node)

  const start = async (overrides: Partial<DownlinkOptions> = {}): Promise<Running> => {
    const stop = new AbortController()
    const roster = rosterOf({
      registry: {
        of: (node) => enrolled.get(node),
        list: () => [...enrolled.values()],
        subscribe: (listener) => {
          registryListeners.add(listener)
          return () => registryListeners.delete(listener)
        },
      },
      allocator: { addressOf: (uid) => nodes.find((node) => node.name === uid)?.address },
      nodeOf: (name) => {
        const node = nodes.find((one) => one.name === name)
        return node && { uid: name, hub: node.hub }
      },
    })
    const logger = silentLogger()
    const brake = fileBrake({ files, clock })
    brake.watch(stop.signal)
    const log = { appendAll: async (entries: readonly object[]) => void audited.push(...(entries as typeof audited)) }
    const downlink = await startDownlink(
      {
        transport: network.transport(),
        clock,
        random,
        log: logger,
        audit: auditTo({ log, clock, logger }),
        brake,
        roster,
        metrics: {
          count: (name, label = '', by = 1) => {
            const key = label ? `${name} ${label}` : name
            counted.set(key, (counted.get(key) ?? 0) + by)
          },
          gauge: (name, value, label) => void counted.set(label ? `${name} ${label}` : name, value),
        },
        records: memoryRecords(facts),
        meshId: MESH_ID,
        authorityId: AUTHORITY_ID,
        meshEpochMs,
        commandSecret: command.secretKey,
        address: AUTHORITY,
        ports: { command: COMMAND_PORT, telemetry: TELEMETRY_PORT },
        needsOnReceipt: (node, why) => void needs.push({ node, why }),
        ...overrides,
      },
      stop.signal,
    )
    return {
      ...downlink,
      async stop() {
        stop.abort(new Error('stopped'))
        await clock.settle()
      },
    }
  }

  /** Every node dials, says where it stands, and answers what it is asked. */
  const connectAll = async (): Promise<void> => {
    for (const node of nodes) await node.connect()
    for (const node of nodes) node.snapshot()
    await clock.settle()
  }
  /** Snapshots of all nodes every 10 s for so long. */
  const run = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 10_000) {
      for (const node of nodes) if (node.connected) node.snapshot()
      await clock.advance(Math.min(left, 10_000))
    }
  }
  /** Packets of an op sent to an address since `from`. */
  const sentTo = (address: string, op?: number, from = 0) =>
    network.datagrams.slice(from).filter((packet) => packet.to === address && (!op || packet.bytes[0] === op))
  const setBrake = (reason?: string): Promise<void> =>
    reason === undefined ? files.remove(BRAKE_FILE) : files.write(BRAKE_FILE, Buffer.from(reason))

  const n = (i: number): ModelNode => nodes[i - 1] as ModelNode
  return {
    ...{ clock, network, files, facts, nodes, n, audited, needs, counted, random, meshEpochMs },
    ...{ enrol, retire, start, connectAll, run, sentTo, setBrake },
  }
}
