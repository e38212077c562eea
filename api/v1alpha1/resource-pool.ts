import { z } from 'zod'
import type { Condition } from '../meta.ts'
import { cel, dnsLabel, memoryQuantity } from './common.ts'

const percent = z.int().min(1).max(99)

// Shares of the host's memory that are free, as the kernel's zone watermarks count them.
const balloon = z
  .strictObject({
    policy: z
      .enum(['Auto', 'Manual'])
      .default('Auto')
      .describe('Auto: the node moves memory by itself. Manual: each archive gets its memory.target.'),
    lowWatermarkPercent: percent
      .default(15)
      .describe('Pressure begins when less than this share of the memory is free. Default 15.'),
    highWatermarkPercent: percent
      .default(30)
      .describe('Pressure ends when more than this share of the memory is free again. Default 30.'),
    emergencyPercent: percent
      .default(5)
      .describe('Below this share free, every archive goes to its floor at once. Default 5.'),
  })
  .refine((b) => b.emergencyPercent < b.lowWatermarkPercent && b.lowWatermarkPercent < b.highWatermarkPercent, {
    error: 'must rise: emergencyPercent < lowWatermarkPercent < highWatermarkPercent',
  })
  .meta(
    cel(
      'self.emergencyPercent < self.lowWatermarkPercent && self.lowWatermarkPercent < self.highWatermarkPercent',
      'must rise: emergencyPercent < lowWatermarkPercent < highWatermarkPercent',
    ),
  )

export const resourcePoolSpec = z.strictObject({
  nodeName: dnsLabel.describe('The Node whose machine this divides. Equal to metadata.name.'),
  memory: z
    .strictObject({
      reservedForHost: memoryQuantity.default('512Mi').describe('Memory that no archive gets. Default 512Mi.'),
      overcommitPercent: z
        .int()
        .min(100)
        .max(400)
        .default(100)
        .describe('How far the sum of the maxima may exceed the memory there is. Default 100.'),
      balloon: balloon.prefault({}).describe('How memory moves between archives.'),
    })
    .prefault({})
    .describe('Memory of the machine.'),
  cpu: z
    .strictObject({
      reservedWeight: z
        .int()
        .min(1)
        .max(10000)
        .default(100)
        .describe('CPU weight of the host beside its archives. Default 100.'),
    })
    .prefault({})
    .describe('Processors of the machine.'),
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
  /** What a VM costs beside its guest, as measured; absent: not yet, and 128 is counted with. */
  vmOverheadMiB?: number
  archives?: PoolArchiveUsage[]
}
