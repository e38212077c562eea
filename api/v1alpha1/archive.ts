import { z } from 'zod'
import type { Condition } from '../meta.ts'
import { dnsLabel, memoryQuantity } from './common.ts'

export const archiveSpec = z.strictObject({
  nodeName: dnsLabel,
  runState: z.enum(['Running', 'Suspended', 'Archived']).default('Running'),
  image: z.strictObject({
    source: z.string().min(1).max(2048),
    sha256: z
      .string()
      .length(64)
      .regex(/^[0-9a-f]{64}$/),
    format: z.enum(['raw', 'qcow2']),
    architecture: z.enum(['amd64', 'arm64']).default('amd64'),
  }),
  adoptDisk: z
    .string()
    .length(32)
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  memory: z.strictObject({
    floor: memoryQuantity,
    max: memoryQuantity,
    target: memoryQuantity.optional(),
  }),
  cpu: z
    .strictObject({ vcpus: z.int().min(1).max(64).default(1), weight: z.int().min(1).max(10000).default(100) })
    .prefault({}),
  restartPolicy: z.enum(['Always', 'OnFailure', 'Never']).default('Always'),
  relocation: z.enum(['Never', 'OnPinChange']).default('Never'),
  deletionPolicy: z.enum(['Retain', 'Delete']).default('Retain'),
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
}
