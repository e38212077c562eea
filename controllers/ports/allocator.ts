// Addresses, slots, fencing epochs, identities: facts that survive everything. Implemented by authority/allocation
// over the store's records.
import type { ArchiveId, FencingEpoch, NodeId, SequenceMark, Slot } from '../../protocol/ids.ts'

export type AddressRefusal = 'AddressTaken' | 'AddressQuarantined' | 'OutsideMesh' | 'Exhausted' | 'AddressReserved'
export type AddressResult =
  | { ok: true; address: string }
  | { ok: false; reason: AddressRefusal; holder?: string; message: string }

/** An archive's durable identity and place. */
export interface Placement {
  archiveUid: string
  archiveKey: string
  id: ArchiveId
  node: string
  slot: Slot
  fencingEpoch: FencingEpoch
  minSequence: SequenceMark
  floorMiB: number
  maxMiB: number
  /** Clock.now() of admission. */
  admittedMs: number
}

/** DiskInUse: the disk to adopt belongs to an archive that still has a slot (law 7). */
export type SlotResult =
  | { ok: true; placement: Placement }
  | { ok: false; reason: 'SlotsExhausted' | 'DiskInUse' | 'RestoreUnheard'; message: string }

export interface Allocator {
  /** The node's durable random id, made at first call. */
  nodeId(nodeUid: string, nodeName: string): Promise<NodeId>
  nodeIdIfAny(nodeUid: string): NodeId | undefined
  addressOf(nodeUid: string): string | undefined
  /** Rises whenever a node's address comes, changes or goes. */
  addressEdition(): number
  holderOf(address: string): { nodeUid: string; nodeName: string } | undefined
  /**
   * The node's address for life: `wanted`, else the lowest free host address of `cidr` (hub: .1 first). Idempotent
   * for the holder. An address in quarantine is given to nobody but its last holder's name. `avoid`: addresses that
   * other nodes declare and have not claimed yet; never given by choice.
   */
  claimAddress(
    node: { uid: string; name: string; hub: boolean },
    cidr: string,
    wanted?: string,
    avoid?: ReadonlySet<string>,
  ): Promise<AddressResult>
  /** Frees the address into quarantine. */
  releaseAddress(nodeUid: string): Promise<void>
  placement(archiveUid: string): Placement | undefined
  placementsOn(node: string): Placement[]
  /** Idempotent for an archive already placed on that node (floor and max are updated). */
  place(archive: {
    uid: string
    key: string
    node: string
    floorMiB: number
    maxMiB: number
    adoptDisk?: string
  }): Promise<SlotResult>
  /**
   * The slot stays taken until `freeSlot`: it is given again only after telemetry showed a bundle without it applied.
   * `orphaned`: until then the same archive key, placed again on the same node, has its slot and id back.
   */
  releasePlacement(archiveUid: string, options?: { orphaned: boolean }): Promise<void>
  /** Slots of a node released but not yet shown gone. */
  releasedSlots(node: string): { slot: Slot; archiveUid: string; id: ArchiveId }[]
  freeSlot(node: string, slot: Slot): Promise<void>
  /**
   * After a restore: the archive lives where its node shows it, under the epoch it has there; the old slot is released.
   * The slot must be neither held nor released. Idempotent.
   */
  takeOver(archiveUid: string, found: Pick<Placement, 'node' | 'slot' | 'fencingEpoch'>): Promise<void>
  /** For a move (law 7): the next epoch, above every one given before for this archive. */
  nextEpoch(archiveUid: string): Promise<FencingEpoch>
}
