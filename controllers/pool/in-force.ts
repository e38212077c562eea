import type { BundlePool } from '../../protocol/bundle/document.ts'
import { isPaused } from '../common/status.ts'
import { teardownBegun } from '../common/teardown.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { RecordStore } from '../ports/store.ts'
import { poolPolicy } from './policy.ts'

export const poolRecord = (uid: string): string => `pool/${uid}`

/** The policy of the pool that was last followed. */
export function followedPolicy(records: RecordStore, uid: string): BundlePool | undefined {
  return records.get(poolRecord(uid))?.value as BundlePool | undefined
}

/**
 * The policy that the node's bundle is to say: the pool's, or the defaults when there is none or its deletion is
 * committed. A paused pool, or one with a fault, leaves what the bundle says now; before a bundle is wanted after a
 * start, what was last followed (record `pool/<uid>`).
 */
export function poolInForce(world: ControllerWorld, node: string): BundlePool {
  const pool = world.store.get('ResourcePool', node)
  if (!pool || teardownBegun(world.store.records, pool.metadata.uid)) return poolPolicy(undefined)
  const inForce = world.bundles.state(node).content?.pool ?? followedPolicy(world.store.records, pool.metadata.uid)
  return isPaused(pool) && inForce ? inForce : poolPolicy(pool, inForce)
}
