// What a fake agent keeps over a restart, and how a part of it is lost.
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { BundleContent, SignedBundle } from '../../protocol/bundle/document.ts'
import type { TrustedAuthority } from '../../protocol/bundle/seal.ts'
import {
  compareSequence,
  type EnrolmentId,
  type MeshId,
  type NodeId,
  type RevisionMark,
  type SequenceMark,
  type Slot,
  type Term,
} from '../../protocol/ids.ts'
import { generateEd25519, generateX25519, type KeyPair, toBase64 } from '../../protocol/keys.ts'
import type { HeldBundle, Mark, NodeReport } from '../../protocol/telemetry/report.ts'

export interface Pins {
  meshId: MeshId
  nodeId: NodeId
  enrolmentId: EnrolmentId
  operatorKey: string
  trusted: TrustedAuthority[]
}

export interface Memory {
  keys: { wireguard: KeyPair; command: KeyPair; signing: KeyPair }
  /** Made by REKEY, not in use yet. */
  pending: { command?: KeyPair; wireguard?: KeyPair }
  /** Whom it obeys; undefined before the first bundle. */
  pins?: Pins
  term: Term
  /** By `op/slot`. */
  marks: Map<string, Mark>
  marksLost: boolean
  /** A mark below these is void; slot 0: of the whole node. */
  floors: Map<Slot, SequenceMark>
  applied?: SignedBundle
  staged?: SignedBundle
  /** Highest APPLY. */
  told?: RevisionMark
  registryHead?: NonNullable<NodeReport['registryHead']>
  isolated: boolean
  severed: boolean
}

const NO_FLOOR: SequenceMark = { term: 0, sequence: 0 }

/** A machine fresh from the box: keys and nothing else. */
export function newMemory(random: RandomBytes): Memory {
  return {
    keys: { wireguard: generateX25519(random), command: generateX25519(random), signing: generateEd25519(random) },
    pending: {},
    term: 0,
    marks: new Map(),
    marksLost: false,
    floors: new Map(),
    isolated: false,
    severed: false,
  }
}

/** The file of marks is gone: commands are refused until a bundle raises the node-wide floor. */
export function loseMarks(memory: Memory): void {
  memory.marks.clear()
  memory.marksLost = true
  memory.floors = new Map([[0, contentOf(memory)?.minSequence ?? NO_FLOOR]])
}

/** Voids the marks below the floors of a bundle's content. Lost marks are made good by a higher node-wide floor. */
export function raiseFloors(memory: Memory, content: BundleContent): void {
  const { marks, floors } = memory
  const wanted = new Map(content.archives.map((a) => [a.slot, a.minSequence]))
  if (content.minSequence) wanted.set(0, content.minSequence)
  const rises = [...wanted].filter(([slot, floor]) => compareSequence(floor, floors.get(slot) ?? NO_FLOOR) > 0)
  if (memory.marksLost && !rises.some(([slot]) => slot === 0)) return
  memory.marksLost = false
  for (const [slot, floor] of rises) floors.set(slot, floor)
  for (const [key, mark] of marks) if (compareSequence(mark, floorOf(floors, mark.slot)) < 0) marks.delete(key)
}

export function floorOf(floors: Memory['floors'], slot: Slot): SequenceMark {
  const [node, own] = [floors.get(0) ?? NO_FLOOR, floors.get(slot) ?? NO_FLOOR]
  return compareSequence(node, own) >= 0 ? node : own
}

export const contentOf = (memory: Memory): BundleContent | undefined => memory.applied?.document.content

export function heldOf({ document, digest }: SignedBundle): HeldBundle {
  return { term: document.term, revision: document.revision, digest }
}

/** What an operator declares in Node.spec.identity. */
export function identityOf({ keys }: Memory): NodeIdentity {
  return {
    wireguardPublicKey: toBase64(keys.wireguard.publicKey),
    commandPublicKey: toBase64(keys.command.publicKey),
    signingPublicKey: toBase64(keys.signing.publicKey),
  }
}
