// A machine that obeys at once and says so: what a plan sees of a node when everything works. Pure.

import type { WantedContent } from '../../controllers/ports/bundles.ts'
import { BALLOON_UNIT_MIB, type Command, OP, POWER } from '../../protocol/command/ops.ts'
import type { Digest, MiB, NodeId, Revision, Sequence, Term } from '../../protocol/ids.ts'
import type { ArchiveReport, Lifecycle, NodeReport } from '../../protocol/telemetry/report.ts'

/** Memory of a machine that has never been heard: enough for whatever is declared. */
const ROOMY_MIB = 1024 * 1024

/** Above the `minSequence` of every slot, whatever was sent before. */
const LAST_WORD = { term: 0xffff_ffff as Term, sequence: 0xffff_ffff as Sequence }

const LIFECYCLE: Readonly<Record<number, Lifecycle>> = {
  [POWER.stop]: 'Stopped',
  [POWER.start]: 'Running',
  [POWER.cut]: 'Stopped',
  [POWER.suspend]: 'Suspended',
}

export interface KnownMachine {
  capacity?: { memoryMiB: number; cpus: number }
  retainedDisks?: NodeReport['retainedDisks']
}

export function freshReport({ capacity, retainedDisks }: KnownMachine): NodeReport {
  const memoryMiB = (capacity?.memoryMiB ?? ROOMY_MIB) as MiB
  return {
    agentVersion: 'rehearsal',
    reads: { bundle: [1], ops: Object.values(OP) },
    bundles: {},
    marks: [],
    marksLost: false,
    bundleLost: false,
    clockSynchronised: true,
    wallClockMs: 0,
    isolated: false,
    peers: [],
    capacity: { memoryMiB, cpus: capacity?.cpus ?? 1 },
    usage: { memoryFreeMiB: memoryMiB, pressure: 'None' },
    pendingKeys: {},
    refusals: {},
    archives: [],
    releases: [],
    retainedDisks: retainedDisks ?? [],
  }
}

/** The bundle is applied: its peers are there, its archives have disks, what it removes is gone. */
export function withBundle(report: NodeReport, content: WantedContent, digest: Digest): NodeReport {
  const listed = content.archives.map((entry): ArchiveReport => {
    const before = report.archives.find((a) => a.id === entry.id)
    return {
      id: entry.id,
      slot: entry.slot,
      name: entry.name,
      namespace: entry.namespace,
      lifecycle: 'Stopped',
      unlisted: false,
      imageReady: true,
      memoryActualMiB: entry.maxMiB,
      memoryTargetMiB: entry.maxMiB,
      cpuTimeMs: 0,
      weight: 0,
      restarts: 0,
      ...before,
      fencingEpoch: entry.fencingEpoch,
      ...(entry.remove !== undefined && { lifecycle: 'Removed' }),
    }
  })
  // Absent from the bundle and not ended by it: it runs on, unlisted (section 7.2).
  const left = report.archives
    .filter((a) => a.lifecycle !== 'Removed' && !listed.some(({ id }) => id === a.id))
    .map((a) => ({ ...a, unlisted: true }))
  return {
    ...report,
    bundles: { applied: { term: LAST_WORD.term, revision: 0 as Revision, digest } },
    archives: [...listed, ...left],
    peers: content.peers.map(({ nodeId, name, publicKey, allowedIPs }) => ({
      nodeId: nodeId as NodeId,
      name,
      publicKey,
      path: 'Direct',
      reason: 'Handshake',
      allowedIPs,
      rxBytes: 0,
      txBytes: 0,
    })),
  }
}

function obeyed(archive: ArchiveReport, { op, value }: Command): ArchiveReport {
  if (op === OP.POWER) return { ...archive, lifecycle: LIFECYCLE[value] ?? archive.lifecycle }
  if (op === OP.WEIGHT) return { ...archive, weight: value }
  if (op !== OP.BALLOON) return archive
  const memory = (value * BALLOON_UNIT_MIB) as MiB
  return { ...archive, memoryActualMiB: memory, memoryTargetMiB: memory }
}

/** The command is obeyed: mark and effect. */
export function withCommand(report: NodeReport, command: Command): NodeReport {
  const { op, slot, value } = command
  const marks = report.marks.filter((m) => m.op !== op || m.slot !== slot)
  return {
    ...report,
    marks: [...marks, { op, slot, value, ...LAST_WORD, state: 'done' }],
    ...(op === OP.ISOLATE && { isolated: value === 1 }),
    archives: report.archives.map((archive) =>
      slot !== 0 && archive.slot === slot ? obeyed(archive, command) : archive,
    ),
  }
}
