// May these archives live on this node? Pure (DESIGN "Admission").
//
// Guarantees:
// - Who holds keeps: what was admitted, or is seen running, is never displaced, however little the node has left.
// - What is asked is granted in one fixed order (newcomerOrder), so the answer is the same whichever archive's
//   reconcile asks first, and stays the same while the others are being placed: room only shrinks when somebody is
//   admitted, and whoever was refused for lack of room would be refused again.
// - A refusal takes nothing from anybody: a holder whose raise does not fit keeps what it had.
import type { ObjectKey } from '../../api/meta.ts'
import { type Newcomer, newcomerOrder } from './order.ts'

export interface Memory {
  floorMiB: number
  maxMiB: number
}

/** One archive that holds a place on the node, asks for one, or both. */
export interface Claim {
  key: ObjectKey
  object: Newcomer
  /** What its spec asks for. Absent: it only holds (it is being deleted, moves away, or is no object of ours). */
  asks?: Memory
  /** What was accepted before: its placement's figures, or what telemetry shows of a running VM. */
  holds?: Memory
  /** The retained disk it wants to be made from. */
  adoptDisk?: string
}

export interface AdmissionNode {
  name: string
  /** The Node object is on its way out: nobody new is let in. */
  deleting: boolean
  /** Why the Node itself is not accepted. */
  notAccepted?: string
  /** Absent: every namespace is allowed. */
  allowedNamespaces?: readonly string[]
  /** As last heard; absent: never heard. */
  physicalMiB?: number
  /** Absent: not heard since the authority started. */
  retainedDisks?: readonly { id: string; namespace: string }[]
}

export interface AdmissionInput {
  /** Absent: no such Node. */
  node?: AdmissionNode
  nodeName: string
  reservedMiB: number
  overcommitPercent: number
  /** Memory of the VM process beside its guest. Default 128, until it is measured. */
  overheadMiB?: number
  /** Slots that nobody may have: held, or released and not yet shown gone. */
  takenSlots: number
  /** Who has which archive id, on any node: an identity runs once (law 7). */
  holderOfDisk(id: string): ObjectKey | undefined
  claims: readonly Claim[]
}

/** Why a claim is not granted; the readiness table has a row for each. */
type AdmissionRefusal =
  | 'NodeNotFound'
  | 'NodeNotAccepted'
  | 'NodeDeleting'
  | 'NamespaceNotAllowed'
  | 'NodeUnknownCapacity'
  | 'MemoryFloor'
  | 'MemoryOvercommit'
  | 'SlotsExhausted'
  | 'DiskTaken'
  | 'DiskNotFound'

export type Verdict =
  | { admitted: true; memory: Memory; overcommitted?: string }
  | {
      admitted: false
      reason: AdmissionRefusal
      message: string
      /** The answer is not no: it will be given when the node is heard. */
      waits: boolean
      /** A holder's accepted figures, which stay in force. */
      keeps?: Memory
      /** Who has what was asked for, sorted; empty when nobody does. */
      holders: ObjectKey[]
    }

const DEFAULT_OVERHEAD_MIB = 128
/** Slot 0 is the node itself (section 7.1). */
const SLOTS = 255

/** Why what is held already is more than the node bears; undefined when it is not, or when the node is unheard. */
export function overcommitment(input: AdmissionInput): string | undefined {
  const room = new Room(input, input.overheadMiB ?? DEFAULT_OVERHEAD_MIB)
  for (const { key, holds, asks } of input.claims) if (holds) room.take(key, asks ? lower(holds, asks) : holds)
  return room.excess()
}

/** A verdict for every claim that asks, by its key. */
export function admitArchives(input: AdmissionInput): Map<ObjectKey, Verdict> {
  const overheadMiB = input.overheadMiB ?? DEFAULT_OVERHEAD_MIB
  const room = new Room(input, overheadMiB)
  // Lowering what one holds needs nobody's leave, and counts before anybody asks for more.
  const held = new Map<ObjectKey, Memory>()
  for (const { key, holds, asks } of input.claims) {
    if (!holds) continue
    const now = asks ? lower(holds, asks) : holds
    held.set(key, now)
    room.take(key, now)
  }
  const overcommitted = room.excess()

  const verdicts = new Map<ObjectKey, Verdict>()
  const accept = (key: ObjectKey, memory: Memory) =>
    verdicts.set(key, { admitted: true, memory, ...(overcommitted !== undefined && { overcommitted }) })

  const asking = input.claims.filter((c): c is Claim & { asks: Memory } => c.asks !== undefined)
  const byOrder = asking.sort((a, b) => newcomerOrder(a.object, b.object))
  for (const claim of byOrder.filter((c) => held.has(c.key))) {
    const keeps = held.get(claim.key) as Memory
    if (keeps.floorMiB === claim.asks.floorMiB && keeps.maxMiB === claim.asks.maxMiB) {
      accept(claim.key, keeps)
      continue
    }
    const refusal = room.refusalOf(claim.asks, keeps)
    if (refusal) verdicts.set(claim.key, { admitted: false, ...refusal, keeps, holders: room.others(claim.key) })
    else {
      room.take(claim.key, claim.asks, keeps)
      verdicts.set(claim.key, { admitted: true, memory: claim.asks })
    }
  }

  let slotsTaken = input.takenSlots
  const disks = new Map<string, ObjectKey>()
  for (const claim of byOrder.filter((c) => !held.has(c.key))) {
    const refusal =
      nodeRefusal(input, claim) ??
      slotRefusal(input.nodeName, slotsTaken) ??
      diskRefusal(input, claim, disks) ??
      room.refusalOf(claim.asks)
    if (refusal) {
      const byMemory = refusal.reason === 'MemoryFloor' || refusal.reason === 'MemoryOvercommit'
      const holders = refusal.holder ? [refusal.holder] : byMemory ? room.others(claim.key) : []
      const { reason, message, waits } = refusal
      verdicts.set(claim.key, { admitted: false, reason, message, waits, holders })
      continue
    }
    slotsTaken++
    if (claim.adoptDisk !== undefined) disks.set(claim.adoptDisk, claim.key)
    room.take(claim.key, claim.asks)
    verdicts.set(claim.key, { admitted: true, memory: claim.asks })
  }
  return verdicts
}

interface Refusal {
  reason: AdmissionRefusal
  message: string
  waits: boolean
  holder?: ObjectKey
}

const no = (reason: AdmissionRefusal, message: string): Refusal => ({ reason, message, waits: false })
const notYet = (reason: AdmissionRefusal, message: string): Refusal => ({ reason, message, waits: true })

function lower(a: Memory, b: Memory): Memory {
  return { floorMiB: Math.min(a.floorMiB, b.floorMiB), maxMiB: Math.min(a.maxMiB, b.maxMiB) }
}

/** What the node's memory still bears. Every figure is MiB and includes the overhead of each VM. */
class Room {
  private floors = 0
  private maxima = 0
  private readonly takers = new Set<ObjectKey>()
  private readonly input: AdmissionInput
  private readonly overheadMiB: number

  constructor(input: AdmissionInput, overheadMiB: number) {
    this.input = input
    this.overheadMiB = overheadMiB
  }

  /** Counts `memory` in, in place of `instead` where the VM was counted before. */
  take(key: ObjectKey, memory: Memory, instead?: Memory): void {
    this.takers.add(key)
    this.floors += memory.floorMiB - (instead ? instead.floorMiB : -this.overheadMiB)
    this.maxima += memory.maxMiB - (instead ? instead.maxMiB : -this.overheadMiB)
  }

  others(than: ObjectKey): ObjectKey[] {
    return [...this.takers].filter((key) => key !== than).sort()
  }

  refusalOf(memory: Memory, instead?: Memory): Refusal | undefined {
    const { node, nodeName } = this.input
    if (node?.physicalMiB === undefined)
      return notYet('NodeUnknownCapacity', `${nodeName} has not been heard yet, so its memory is not known`)
    const addedFloor = memory.floorMiB - (instead ? instead.floorMiB : -this.overheadMiB)
    const addedMax = memory.maxMiB - (instead ? instead.maxMiB : -this.overheadMiB)
    return this.over(this.floors + addedFloor, this.maxima + addedMax, node.physicalMiB)
  }

  /** Why what is held already is more than the node bears; undefined when it is not, or cannot be told. */
  excess(): string | undefined {
    const physicalMiB = this.input.node?.physicalMiB
    return physicalMiB === undefined ? undefined : this.over(this.floors, this.maxima, physicalMiB)?.message
  }

  private over(floors: number, maxima: number, physicalMiB: number): Refusal | undefined {
    const { nodeName, reservedMiB, overcommitPercent } = this.input
    const usable = physicalMiB - reservedMiB
    const has = `${nodeName} has ${usable} MiB (${physicalMiB} less ${reservedMiB} reserved)`
    const overhead = `each with ${this.overheadMiB} MiB of overhead`
    if (floors > usable) return no('MemoryFloor', `the floors would sum to ${floors} MiB, ${overhead}; ${has}`)
    const bound = Math.floor((usable * overcommitPercent) / 100)
    if (maxima <= bound) return undefined
    const at = `${bound} MiB at overcommitPercent ${overcommitPercent}`
    return no('MemoryOvercommit', `the maxima would sum to ${maxima} MiB, ${overhead}; ${has}, ${at}`)
  }
}

function nodeRefusal({ node, nodeName }: AdmissionInput, { object }: Claim): Refusal | undefined {
  if (!node) return no('NodeNotFound', `there is no Node named ${nodeName}`)
  if (node.notAccepted !== undefined) return no('NodeNotAccepted', node.notAccepted)
  if (node.deleting) return no('NodeDeleting', `Node ${nodeName} is being deleted`)
  const namespace = object.metadata.namespace ?? ''
  if (node.allowedNamespaces && !node.allowedNamespaces.includes(namespace))
    return no(
      'NamespaceNotAllowed',
      `Node ${nodeName} allows namespaces ${node.allowedNamespaces.join(', ') || '(none)'}, not ${namespace}`,
    )
  return undefined
}

function slotRefusal(nodeName: string, taken: number): Refusal | undefined {
  return taken < SLOTS ? undefined : no('SlotsExhausted', `all ${SLOTS} slots of ${nodeName} are taken`)
}

function diskRefusal(input: AdmissionInput, claim: Claim, promised: Map<string, ObjectKey>): Refusal | undefined {
  const id = claim.adoptDisk
  if (id === undefined) return undefined
  const holder = input.holderOfDisk(id) ?? promised.get(id)
  if (holder !== undefined && holder !== claim.key) return no('DiskTaken', `disk ${id} belongs to ${holder}`)
  const disks = input.node?.retainedDisks
  if (!disks)
    return notYet('NodeUnknownCapacity', `${input.nodeName} has not been heard yet, so its disks are not known`)
  // A disk of another namespace is not confirmed to exist: whoever may write here need not know.
  if (!disks.some((d) => d.id === id && d.namespace === claim.object.metadata.namespace))
    return no('DiskNotFound', `${input.nodeName} reports no retained disk ${id} in this namespace`)
  return undefined
}
