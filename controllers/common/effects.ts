// What a plan wants done, as data: a test compares it with toEqual, `ppn diff` prints it, `perform` does it.
// An effect concerns the planned object itself unless it names another.

import type { CeremonyRefusal } from '../../api/ceremony.ts'
import type { ObjectKey } from '../../api/meta.ts'
import type { StatusOf } from '../../api/v1alpha1/index.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { Slot } from '../../protocol/ids.ts'
import type { Elsewhere } from '../move/elsewhere.ts'
import type { Move } from '../move/record.ts'
import type { AddressResult, SlotResult } from '../ports/allocator.ts'
import type { WantedContent } from '../ports/bundles.ts'
import type { OpenCeremony } from '../ports/ceremonies.ts'
import type { WantedCommand } from '../ports/commands.ts'
import type { EnrolResult, PairedBy } from '../ports/registry.ts'
import type { EventType } from '../ports/world.ts'

export type Effect =
  | { type: 'status'; status: StatusOf[keyof StatusOf] }
  /** One event per (object, reason, generation). `about`: another object, e.g. the holder of an address. */
  | { type: 'event'; eventType: EventType; reason: string; message: string; about?: ObjectKey }
  /** Level triggered under the object's key as scope; an empty list withdraws. */
  | { type: 'commands'; node: string; commands: WantedCommand[] }
  | { type: 'bundle'; node: string; content: WantedContent }
  | { type: 'withdrawBundle'; node: string }
  /** Questions: their answers come back as `Answers`, and the plan is made again with them. */
  /** For the node itself (the answer) or for another that was there before it. `avoid`: declared by others. */
  | { type: 'claimAddress'; node: AddressClaimant; cidr: string; wanted?: string; avoid: string[] }
  | { type: 'enrol'; identity: NodeIdentity }
  /** The machine of a ceremony gets the name; `replace`: whoever has it loses it first. */
  /** `because` is written down first: what a plan made after a crash needs to know of it. */
  | {
      type: 'enrolPaired'
      node: { uid: string; name: string }
      identity: NodeIdentity
      by: PairedBy
      replace: boolean
      because: { key: string; value: unknown }
    }
  | { type: 'place'; node: string; floorMiB: number; maxMiB: number; adoptDisk?: string }
  /** The node's address goes into quarantine. */
  | { type: 'releaseAddress' }
  /** The node leaves the registry. */
  | { type: 'retire'; reason: string }
  /** The archive gives up its place; its slot stays taken until `freeSlot`. */
  | { type: 'releasePlacement'; orphaned?: boolean }
  | { type: 'freeSlot'; node: string; slot: Slot }
  /** How far the archive's move has come; undefined: it has ended. */
  | { type: 'move'; move: Move | undefined }
  /** The archive's place is where both nodes show it, not where our older record says. */
  | ({ type: 'takeOver' } & Elsewhere)
  /** The archive's fencing epoch rises above every one given before. */
  | { type: 'raiseEpoch' }
  /** A durable fact of the controllers' own; undefined removes it. */
  | { type: 'record'; key: string; value: unknown }
  | { type: 'addFinalizer' }
  | { type: 'removeFinalizer' }
  /** From here on the object returning to its source makes a new object. Durable before any later effect. */
  | { type: 'commitDeletion' }
  /** Level triggered: the ceremony as it shall be. */
  | { type: 'openCeremony'; ceremony: OpenCeremony }
  | { type: 'closeCeremony'; reason: CeremonyRefusal }
  /** The object itself, made by an act of a person, has served its time. */
  | { type: 'removeAct' }
  /** Others look again: something they depend on came to pass by time alone. */
  | { type: 'wake'; keys: ObjectKey[]; reason: string }
  /** Run again after this long even if nothing changes. */
  | { type: 'again'; afterMs: number }

export interface AddressClaimant {
  uid: string
  name: string
  hub: boolean
}

/** What was learned by asking. */
export interface Answers {
  claim?: AddressResult
  enrol?: EnrolResult
  place?: SlotResult
  /** In this run a bundle was given to the publisher. */
  published?: boolean
}

/** The effects that ask; when a plan holds one, it is made again once the answer is there. */
export function asks(effect: Effect): boolean {
  return (
    effect.type === 'claimAddress' ||
    effect.type === 'enrol' ||
    effect.type === 'enrolPaired' ||
    effect.type === 'place'
  )
}
