import type { BundlePool } from '../../protocol/bundle/document.ts'
import { isPaused } from '../common/status.ts'
import { teardownBegun } from '../common/teardown.ts'
import type { ControllerWorld } from '../common/world.ts'
import { poolPolicy } from './policy.ts'

/**
 * The policy that the node's bundle is to say: the pool's, or the defaults when there is none or its deletion is
 * committed. A paused pool, or one with a fault, leaves what the bundle says now.
 */
export function poolInForce(world: ControllerWorld, node: string): BundlePool {
  const pool = world.store.get('ResourcePool', node)
  if (!pool || teardownBegun(world.store.records, pool.metadata.uid)) return poolPolicy(undefined)
  const inForce = world.bundles.state(node).content?.pool
  return isPaused(pool) && inForce ? inForce : poolPolicy(pool, inForce)
}
