// What controllers share besides the ports.
import type { ObjectKey } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { Membership } from '../bundle/membership.ts'
import type { World } from '../ports/world.ts'

/** A deletion waiting for a person (law 3). */
export interface Hold {
  key: ObjectKey
  uid: string
  /** LastOfKind: the kind would be empty. ManyAtOnce: at least 3 and more than 30 % within 10 minutes. */
  rule: 'LastOfKind' | 'ManyAtOnce'
  message: string
  /** RFC 3339: when it was held. */
  since: string
}

/** Law 3. Asked before the first irreversible effect of any deletion; the answer is durable when it resolves. */
export interface Holds {
  /** Why this tombstone must not be torn down yet; undefined: it may be. Live objects are never held. */
  isHeld(object: PpnObject): Promise<Hold | undefined>
  /** A person has confirmed this very deletion, by annotation or by `confirm`. Durable. */
  isConfirmed(object: PpnObject): boolean
  /** `ppn confirm`: lets go of one tombstone, or of all held ones. Returns the keys that were confirmed. */
  confirm(key: ObjectKey | 'all'): Promise<ObjectKey[]>
  /** Everything held now, sorted by key. */
  list(): Hold[]
}

/** Lookups that would otherwise scan lists; kept current from store events. */
export interface FleetIndex {
  /** Archives whose spec names the node, tombstones included, sorted by key. */
  archivesNaming(node: string): PpnObject<'Archive'>[]
  archiveByUid(uid: string): PpnObject<'Archive'> | undefined
  /** All Nodes, tombstones included, sorted by name. */
  nodes(): readonly PpnObject<'Node'>[]
  /** Nodes that are tombstones. */
  leavingNodes(): readonly ObjectKey[]
  /** Rises when a Node comes, goes, is declared otherwise or becomes a tombstone. */
  edition(): number
}

/** What a controller is made from. */
export interface ControllerWorld extends World {
  holds: Holds
  index: FleetIndex
  membership(): Membership
  /** Clock.monotonic() at which the controllers began. */
  startedMs: number
  /** A durable fact about the object changed that no store event tells (address, slot, commitment): its dependents run. */
  changed(key: ObjectKey, reason: string): void
  /** The object itself runs. */
  wake(key: ObjectKey, reason: string): void
}
