// The admission input of one node, gathered from what is declared, allocated and last heard.
import { type ObjectKey, parseKey } from '../../api/meta.ts'
import { quantityMiB } from '../../api/v1alpha1/common.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { ArchiveReport, Lifecycle } from '../../protocol/telemetry/report.ts'
import { conditionOf } from '../common/conditions.ts'
import { objectKey } from '../common/perform.ts'
import { isPaused } from '../common/status.ts'
import type { ControllerWorld } from '../common/world.ts'
import { moveOf } from '../move/record.ts'
import { poolInForce } from '../pool/in-force.ts'
import type { Placement } from '../ports/allocator.ts'
import type { AdmissionInput, AdmissionNode, Claim, Memory } from './admit.ts'

type Archive = PpnObject<'Archive'>

/** These lifecycles take memory now, or may at any moment. */
const SEEN_RUNNING: readonly Lifecycle[] = ['Starting', 'Running', 'Suspended', 'Stopping', 'Crashed', 'BackOff']

/** Everything that `admitArchives` weighs for this node. Reads the ports; changes nothing. */
export function admissionInput(world: ControllerWorld, nodeName: string): AdmissionInput {
  const { allocator, fleet, index } = world
  const placements = allocator.placementsOn(nodeName)
  const released = allocator.releasedSlots(nodeName)
  const report = fleet.view(nodeName).report
  const placed = new Set(placements.map((p) => p.id))
  // Running, though nothing of ours is placed there: an orphan, or one whose record is lost. It keeps its memory.
  const strangers = (report?.archives ?? []).filter((a) => !placed.has(a.id) && SEEN_RUNNING.includes(a.lifecycle))
  const pool = poolInForce(world, nodeName)
  const naming = index.archivesNaming(nodeName).filter(mayAsk)
  const newcomers = naming.filter((a) => !allocator.placement(a.metadata.uid))
  return {
    node: admissionNode(world, nodeName),
    nodeName,
    reservedMiB: pool.reservedMiB,
    overcommitPercent: pool.overcommitPercent,
    ...(report?.usage.vmOverheadMiB !== undefined && { overheadMiB: report.usage.vmOverheadMiB }),
    takenSlots: new Set([...placements, ...released, ...strangers].map((taken) => taken.slot)).size,
    holderOfDisk: (id) => holderOfDisk(world, id),
    claims: [
      ...placements.map((placement) => placedClaim(index.archiveByUid(placement.archiveUid), placement, nodeName)),
      ...newcomers.map((archive) => newClaim(archive, strangers)),
      ...naming.flatMap((archive) => movingClaim(world, archive, nodeName) ?? []),
      ...strangers.filter((s) => !newcomers.some((a) => isSame(a, s))).map(strangerClaim),
    ],
  }
}

function admissionNode(world: ControllerWorld, name: string): AdmissionNode | undefined {
  const node = world.store.get('Node', name)
  if (!node) return undefined
  const report = world.fleet.view(name).report
  const accepted = conditionOf(node.status?.conditions, 'Accepted')
  const physicalMiB = report?.capacity.memoryMiB ?? node.status?.capacity?.memoryMiB
  const { allowedNamespaces } = node.spec
  return {
    name,
    deleting: node.metadata.deletionTimestamp !== undefined,
    ...(accepted?.status === 'False' && { notAccepted: accepted.message }),
    ...(allowedNamespaces && { allowedNamespaces }),
    ...(physicalMiB !== undefined && { physicalMiB }),
    ...(report && { retainedDisks: report.retainedDisks }),
  }
}

/** What its spec asks for, in MiB. */
function askedMemory({ spec }: Archive): Memory {
  return { floorMiB: quantityMiB(spec.memory.floor), maxMiB: quantityMiB(spec.memory.max) }
}

function mayAsk(archive: Archive): boolean {
  return archive.metadata.deletionTimestamp === undefined && !isPaused(archive)
}

function placedClaim(archive: Archive | undefined, placement: Placement, nodeName: string): Claim {
  const { floorMiB, maxMiB, archiveKey } = placement
  const holds = { floorMiB, maxMiB }
  if (!archive) return { key: archiveKey, object: stub(archiveKey, placement.archiveUid), holds }
  const asks = mayAsk(archive) && archive.spec.nodeName === nodeName ? askedMemory(archive) : undefined
  return { key: archiveKey, object: archive, holds, ...(asks && { asks }) }
}

function newClaim(archive: Archive, strangers: readonly ArchiveReport[]): Claim {
  const asks = askedMemory(archive)
  const { adoptDisk } = archive.spec
  const running = strangers.some((s) => isSame(archive, s))
  return {
    key: objectKey(archive),
    object: archive,
    asks,
    ...(running && { holds: asks }),
    ...(adoptDisk !== undefined && { adoptDisk }),
  }
}

/** One that is to move here from another node brings the figures it has; once its move began they are held for it. */
function movingClaim(world: ControllerWorld, archive: Archive, nodeName: string): Claim | undefined {
  const placement = world.allocator.placement(archive.metadata.uid)
  if (!placement || placement.node === nodeName || archive.spec.relocation !== 'OnPinChange') return undefined
  const { floorMiB, maxMiB, archiveUid } = placement
  const asks = { floorMiB, maxMiB }
  const move = moveOf(world.store.records, archiveUid)
  const coming = move?.to === nodeName && move.phase !== 'returning' && move.phase !== 'cleaning'
  return { key: objectKey(archive), object: archive, asks, ...(coming && { holds: asks }) }
}

function isSame({ metadata }: Archive, { name, namespace }: ArchiveReport): boolean {
  return metadata.name === name && metadata.namespace === namespace
}

function strangerClaim({ id, name, namespace, memoryActualMiB }: ArchiveReport): Claim {
  const key: ObjectKey = `Archive/${namespace}/${name}`
  return { key: `${key}#${id}`, object: stub(key, id), holds: { floorMiB: memoryActualMiB, maxMiB: memoryActualMiB } }
}

/** A holder asks nothing, so its place in the order does not matter. */
function stub(key: ObjectKey, uid: string): Claim['object'] {
  const { name, namespace } = parseKey(key)
  return { kind: 'Archive', metadata: { name, namespace, uid, creationTimestamp: '1970-01-01T00:00:00Z' } }
}

function holderOfDisk({ allocator, index }: ControllerWorld, id: string): ObjectKey | undefined {
  for (const node of index.nodes())
    for (const placement of allocator.placementsOn(node.metadata.name))
      if (placement.id === id) return placement.archiveKey
  return undefined
}
