import { z } from 'zod'
import type { Condition } from '../meta.ts'
import { cel, dnsLabel, memoryQuantity, quantityBytes } from './common.ts'

const image = z.strictObject({
  source: z
    .string()
    .min(9)
    .max(2048)
    .regex(/^(https:\/\/|file:\/\/\/)[!-~]+$/)
    .describe('https:// on an allowed host, or file:/// in an allowed folder of the node.'),
  sha256: z
    .string()
    .length(64)
    .regex(/^[0-9a-f]{64}$/)
    .describe('SHA-256 of the image, in lower-case hex. Checked when the disk is made.'),
  format: z.enum(['raw', 'qcow2']).describe('Format of the image and of the disk made from it.'),
  architecture: z.enum(['amd64', 'arm64']).default('amd64').describe('Architecture the image boots on. Default amd64.'),
})

const memory = z
  .strictObject({
    floor: memoryQuantity.describe('Memory that is never taken away.'),
    max: memoryQuantity.describe('Memory it is started with and can have at the most.'),
    target: memoryQuantity.optional().describe('Memory it is to have, under balloon policy Manual only.'),
  })
  .refine((m) => atLeast(m.max, m.floor), { error: 'max must be at least floor', path: ['max'] })
  .refine((m) => m.target === undefined || (atLeast(m.target, m.floor) && atLeast(m.max, m.target)), {
    error: 'target must lie between floor and max',
    path: ['target'],
  })
  // BALLOON says a target in 65,535 units of 16Mi at the most (section 7.1): one unit less than 1Ti.
  .refine((m) => m.target === undefined || quantityBytes(m.target) !== 2 ** 40, {
    error: 'target can be 1048560Mi (1Ti less 16Mi) at the most; leave target out for all of 1Ti',
    path: ['target'],
  })
  .meta(
    cel(
      '!quantity(self.floor).isGreaterThan(quantity(self.max))',
      'max must be at least floor',
      '!has(self.target) || (!quantity(self.floor).isGreaterThan(quantity(self.target)) && !quantity(self.target).isGreaterThan(quantity(self.max)))',
      'target must lie between floor and max',
      '!has(self.target) || quantity("1Ti").isGreaterThan(quantity(self.target))',
      'target can be 1048560Mi (1Ti less 16Mi) at the most; leave target out for all of 1Ti',
    ),
  )

/** Compares only what both are: a text that is no quantity has its own complaint. */
function atLeast(a: string, b: string): boolean {
  const [left, right] = [quantityBytes(a), quantityBytes(b)]
  return left === undefined || right === undefined || left >= right
}

export const archiveSpec = z.strictObject({
  nodeName: dnsLabel.describe('The Node it lives on: a pin, always honoured.'),
  runState: z
    .enum(['Running', 'Suspended', 'Archived'])
    .default('Running')
    .describe('Running; Suspended: paused in memory; Archived: stopped, its slot kept.'),
  image: image.describe('What its disk is made from, once. Immutable.'),
  adoptDisk: z
    .string()
    .length(32)
    .regex(/^[0-9a-f]{32}$/)
    .optional()
    .describe('Id of a retained disk of the same namespace to take up instead of making one.'),
  memory: memory.describe('Memory of the virtual machine.'),
  cpu: z
    .strictObject({
      vcpus: z.int().min(1).max(64).default(1).describe('Virtual processors. Default 1.'),
      weight: z.int().min(1).max(10000).default(100).describe('Share of the processors: cpu.weight. Default 100.'),
    })
    .prefault({})
    .describe('Processors of the virtual machine.'),
  restartPolicy: z
    .enum(['Always', 'OnFailure', 'Never'])
    .default('Always')
    .describe('When the node starts it again after it ended by itself. Default Always.'),
  relocation: z
    .enum(['Never', 'OnPinChange'])
    .default('Never')
    .describe('Whether a changed nodeName moves it: stop, copy, start. Default Never.'),
  deletionPolicy: z
    .enum(['Retain', 'Delete'])
    .default('Retain')
    .describe('What becomes of the disk. Delete needs a confirmation as well. Default Retain.'),
})
export type ArchiveSpec = z.output<typeof archiveSpec>

export type ArchivePhase =
  | 'Pending'
  | 'Preparing'
  | 'Starting'
  | 'Running'
  | 'Suspended'
  | 'Stopping'
  | 'Archived'
  | 'Failed'
  | 'Deleting'
  | 'Unknown'

export interface ArchiveStatus {
  observedGeneration: number
  conditions: Condition[]
  phase: ArchivePhase
  nodeName?: string
  /** Random 32 hex digits, made at first admission: the archive's identity for life. */
  id?: string
  slot?: number
  fencingEpoch?: number
  memoryActualMiB?: number
  memoryTargetMiB?: number
  weight?: number
  restarts?: number
  /** What runs its processors. TCG is QEMU without KVM: many times slower. */
  accelerator?: 'KVM' | 'TCG'
}
