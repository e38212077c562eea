// What a ResourcePool says about its node: the part that goes into the node's bundle, and what admission counts with.

import { quantityBytes, quantityMiB } from '../../api/v1alpha1/common.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { resourcePoolSpec } from '../../api/v1alpha1/resource-pool.ts'
import type { BundlePool } from '../../protocol/bundle/document.ts'

export type Pool = PpnObject<'ResourcePool'>
export type PoolFault = { reason: 'NameDiffers' | 'WatermarksInvalid' | 'MemoryInvalid'; detail: string }

const MIB = 2 ** 20

/** Why the pool's policy cannot be followed, whatever its node is like; undefined: it can. */
export function poolFault(pool: Pool): PoolFault | undefined {
  const { nodeName, memory } = pool.spec
  if (pool.metadata.name !== nodeName)
    return { reason: 'NameDiffers', detail: `metadata.name is ${pool.metadata.name}, spec.nodeName is ${nodeName}` }
  const { lowWatermarkPercent: low, highWatermarkPercent: high, emergencyPercent: emergency } = memory.balloon
  if (!(emergency < low && low < high))
    return {
      reason: 'WatermarksInvalid',
      detail: `emergencyPercent ${emergency}, lowWatermarkPercent ${low} and highWatermarkPercent ${high} must rise`,
    }
  const bytes = quantityBytes(memory.reservedForHost)
  if (bytes === undefined || bytes % MIB !== 0)
    return { reason: 'MemoryInvalid', detail: `reservedForHost ${memory.reservedForHost} is not a whole number of Mi` }
  return undefined
}

/** The pool's policy, or the defaults without one. A pool with a fault changes nothing: `inForce` stays. */
export function poolPolicy(pool: Pool | undefined, inForce?: BundlePool): BundlePool {
  if (pool && !poolFault(pool)) return bundlePool(pool.spec)
  return (pool && inForce) ?? bundlePool(resourcePoolSpec.parse({ nodeName: 'default' }))
}

function bundlePool({ memory, cpu }: Pool['spec']): BundlePool {
  return {
    reservedMiB: quantityMiB(memory.reservedForHost),
    overcommitPercent: memory.overcommitPercent,
    balloon: { ...memory.balloon },
    reservedWeight: cpu.reservedWeight,
  }
}
