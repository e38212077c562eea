// A lab as one thing: its mark, its networks, its fleet, and the file by which another process finds it again.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../base/clock.ts'
import type { Processes } from '../../base/processes.ts'
import { type DeclaredFleet, declaredFleet, topologyFor } from './declared.ts'
import { type LabAuthority, type LabFleet, labFleet } from './fleet.ts'
import { endMarked, isUp, newMark, sweepOrphans } from './marks.ts'
import { buildNetwork, type LabNetwork, type NetworkRecord, openNetwork } from './network.ts'
import { parseTopology, type Topology } from './topology.ts'

export interface Lab {
  readonly folder: string
  readonly network: LabNetwork
  readonly fleet: LabFleet
  /** Ends every process of it, and with them every namespace and interface; removes the folder. */
  end(): Promise<void>
}

export interface LabOptions {
  processes: Processes
  /** The lab's own; made. */
  folder: string
  /** The person's fleet; read only. */
  fleet: string
  /** Default: what the fleet asks for. */
  topology?: Topology
  /** The lab ends with this process, at the latest when the next one starts a lab. */
  owned: boolean
  /** What runs ppn. Default: the source as it is. */
  program?: readonly [string, ...string[]]
  /** Nodes that come in later, by their own ceremony. */
  joining?: readonly string[]
  /** Instead of one beside the first hub that reads the folder. */
  authority?: LabAuthority
  /** The networks are there and nothing of ppn runs yet: the moment to begin a capture. */
  beforeFleet?(network: LabNetwork): Promise<void>
}

/** What the folder's `lab.json` holds. Written before anything is started, so that a crash leaves nothing unknown. */
interface LabRecord {
  id: string
  fleet: string
  /** Absent while it is being built. */
  built?: { declared: DeclaredFleet; network: NetworkRecord }
}

const FILE = 'lab.json'

/**
 * Resolves when every agent has its first bundle; convergence is for the caller to see. Takes down what an earlier lab
 * in this folder left, if that was never finished or has lost its processes; throws when one is up. Ends what it began
 * when it fails.
 */
export async function startLab(options: LabOptions): Promise<Lab> {
  const { processes, folder, fleet } = options
  await sweepOrphans()
  const earlier = readRecord(folder)
  if (earlier?.built && isUp(earlier.id)) throw new Error(`a lab of ${earlier.fleet} is up already: npm run lab down`)
  if (earlier) await endLab(folder)
  const declared = await declaredFleet(fleet, systemClock())
  const mark = newMark(options.owned)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const record: LabRecord = { id: mark.id, fleet }
  writeRecord(folder, record)
  try {
    const topology = options.topology ?? parseTopology(topologyFor(declared.nodes))
    const without = declared.nodes.find((n) => !(n.name in topology.hosts))
    if (without) throw new Error(`the topology has no host for node ${without.name}`)
    const network = await buildNetwork({ processes, mark, topology })
    writeRecord(folder, { ...record, built: { declared, network: network.record() } })
    const lab = labOf({ ...options, declared, network })
    await options.beforeFleet?.(network)
    await lab.fleet.begin()
    return lab
  } catch (error) {
    await endLab(folder)
    throw error
  }
}

/** The lab that another process started here; undefined when there is none, or what is left of one is no lab. */
export function openLab(options: { processes: Processes; folder: string }): Lab | undefined {
  const record = readRecord(options.folder)
  if (!record?.built || !isUp(record.id)) return undefined
  const mark = { id: record.id }
  const { declared } = record.built
  const network = openNetwork(record.built.network, { ...options, mark })
  return labOf({ ...options, fleet: record.fleet, declared, network })
}

/** Takes down whatever this folder knows of. Returns false when there was nothing. */
export async function endLab(folder: string): Promise<boolean> {
  const record = readRecord(folder)
  if (!record) return false
  await endMarked(record.id)
  rmSync(folder, { recursive: true, force: true })
  return true
}

function labOf(options: {
  folder: string
  fleet: string
  declared: DeclaredFleet
  network: LabNetwork
  program?: readonly [string, ...string[]]
  joining?: readonly string[]
  authority?: LabAuthority
}): Lab {
  return {
    folder: options.folder,
    network: options.network,
    fleet: labFleet(options),
    async end() {
      await endLab(options.folder)
    },
  }
}

function readRecord(folder: string): LabRecord | undefined {
  const file = join(folder, FILE)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as LabRecord) : undefined
}

function writeRecord(folder: string, record: LabRecord): void {
  writeFileSync(join(folder, FILE), `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 })
}
