// Addresses, slots, fencing epochs and node ids, durable through test-and-set records. Guarantees, under any
// interleaving of writers and a crash between any two writes: one holder an address, one archive a slot, one slot
// in force an archive, epochs that only rise.
import type { Clock } from '../../base/clock.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Allocator } from '../../controllers/ports/allocator.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import type { SequenceMark } from '../../protocol/ids.ts'
import { addresses } from './addresses.ts'
import { nodeIds } from './node-ids.ts'
import { serial } from './serial.ts'
import { type SeenOnNode, type Slots, slots } from './slots.ts'

export interface AllocatorOptions {
  records: RecordStore
  clock: Clock
  random: RandomBytes
  /** A mark at or above everything ever sent to the node: marks of a slot's last holder become void. */
  ceiling: (node: string) => SequenceMark
  /** Default: the records know all there is. */
  seen?: SeenOnNode
}

export type DurableAllocator = Allocator & Pick<Slots, 'observeEpoch' | 'inherit'>

export function createAllocator(options: AllocatorOptions): DurableAllocator {
  const shared = { ...options, serial: serial() }
  return { ...nodeIds(shared), ...addresses(shared), ...slots(shared) }
}
