import { z } from 'zod'
import type { Condition } from '../meta.ts'
import { dnsLabel, memoryQuantity } from './common.ts'

export const resourcePoolSpec = z.strictObject({
  nodeName: dnsLabel,
  memory: z
    .strictObject({
      reservedForHost: memoryQuantity.default('512Mi'),
      overcommitPercent: z.int().min(100).max(400).default(100),
      balloon: z
        .strictObject({
          policy: z.enum(['Auto', 'Manual']).default('Auto'),
          lowWatermarkPercent: z.int().min(1).max(99).default(15),
          highWatermarkPercent: z.int().min(1).max(99).default(30),
          emergencyPercent: z.int().min(1).max(99).default(5),
        })
        .prefault({}),
    })
    .prefault({}),
  cpu: z.strictObject({ reservedWeight: z.int().min(1).max(10000).default(100) }).prefault({}),
})
export type ResourcePoolSpec = z.output<typeof resourcePoolSpec>

export interface PoolArchiveUsage {
  namespace: string
  name: string
  actualMiB: number
  targetMiB: number
  weight: number
}

export interface ResourcePoolStatus {
  observedGeneration: number
  conditions: Condition[]
  physicalMiB?: number
  reservedMiB?: number
  floorsMiB?: number
  maximaMiB?: number
  reclaimableMiB?: number
  freeMiB?: number
  /** None, Low, High or Emergency, as the node reports it. */
  pressure?: string
  archives?: PoolArchiveUsage[]
}
