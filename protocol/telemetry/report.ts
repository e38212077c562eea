// What a node reports of itself (section 7.3). The agent fills it, the authority reads it.
import { z } from 'zod'
import type { Op } from '../command/ops.ts'
import type { ArchiveId, Digest, FencingEpoch, MiB, NodeId, Revision, Sequence, Slot, Term } from '../ids.ts'

const id = z.string().regex(/^[0-9a-f]{32}$/)
const u32 = z.int().min(0).max(0xffff_ffff)
const term = u32 as unknown as z.ZodType<Term>
const digest = z.string().regex(/^[0-9a-f]{64}$/) as unknown as z.ZodType<Digest>
const mib = z.int().min(0) as unknown as z.ZodType<MiB>
const label = z.string().min(1).max(63)
const count = z.int().min(0)

export const heldBundle = z.strictObject({ term, revision: u32 as unknown as z.ZodType<Revision>, digest })
export type HeldBundle = z.output<typeof heldBundle>

const mark = z.strictObject({
  op: z.int().min(1).max(255) as unknown as z.ZodType<Op>,
  slot: z.int().min(0).max(255) as unknown as z.ZodType<Slot>,
  term,
  sequence: u32 as unknown as z.ZodType<Sequence>,
  value: z.int().min(0).max(65535),
  state: z.enum(['begun', 'done']),
})
export type Mark = z.output<typeof mark>

export const LIFECYCLES = [
  'Absent',
  'Preparing',
  'Stopped',
  'Starting',
  'Running',
  'Suspended',
  'Stopping',
  'Crashed',
  'BackOff',
  'Failed',
  'Removed',
] as const
export type Lifecycle = (typeof LIFECYCLES)[number]

export const REFUSALS = ['Stuck', 'DriverAbsent', 'Drifted', 'BackOff', 'Failed'] as const
export type RefusalReason = (typeof REFUSALS)[number]

const archiveReport = z.strictObject({
  id: id as unknown as z.ZodType<ArchiveId>,
  slot: z.int().min(1).max(255) as unknown as z.ZodType<Slot>,
  name: label,
  namespace: label,
  lifecycle: z.enum(LIFECYCLES),
  /** In progress: what, and when it will have ended or failed (milliseconds from now). */
  operation: z
    .strictObject({
      op: z.int().min(1).max(255) as unknown as z.ZodType<Op>,
      value: z.int().min(0).max(65535),
      remainingMs: count,
    })
    .optional(),
  /** The final refusal of the last operation; gone when a newer one succeeds. */
  refusal: z
    .strictObject({
      op: z.int().min(1).max(255) as unknown as z.ZodType<Op>,
      value: z.int().min(0).max(65535),
      reason: z.enum(REFUSALS),
      message: z.string().max(256),
    })
    .optional(),
  /** Running though the applied bundle does not list it. */
  unlisted: z.boolean(),
  /** Disk made and its image digest verified. */
  imageReady: z.boolean(),
  fencingEpoch: u32 as unknown as z.ZodType<FencingEpoch>,
  /** A disk is being pushed here: chunks of 1 MiB held and verified, of how many. */
  receiving: z.strictObject({ held: count, chunks: count }).optional(),
  memoryActualMiB: mib,
  memoryTargetMiB: mib,
  cpuTimeMs: count,
  /** What runs its processors, while it runs. */
  accelerator: z.enum(['KVM', 'TCG']).optional(),
  weight: z.int().min(0).max(10000),
  restarts: count,
  /** A stable code: ImageDigestMismatch, DiskFull, FenceRefused, ... */
  errorCode: z.string().max(63).optional(),
  errorMessage: z.string().max(256).optional(),
})
export type ArchiveReport = z.output<typeof archiveReport>

const peerReport = z.strictObject({
  nodeId: id as unknown as z.ZodType<NodeId>,
  name: label,
  publicKey: z.string().length(44),
  /** Seconds since the latest handshake; absent: never. */
  handshakeAgeSeconds: count.optional(),
  path: z.enum(['Direct', 'Relayed', 'Down']),
  reason: z.string().min(1).max(63),
  endpoint: z.string().max(261).optional(),
  allowedIPs: z.array(z.string().max(18)).max(256),
  rxBytes: count,
  txBytes: count,
})
export type PeerReport = z.output<typeof peerReport>

/** zod lets a member of this name fall from a record, whatever the pattern of its keys: what is not known is refused. */
const plainMembers = z
  .unknown()
  .refine((value) => !Object.hasOwn(Object(value), '__proto__'), 'a member named __proto__')

/** Most entries of each list of a report. */
export const REPORT_LIMITS = {
  marks: 2048,
  peers: 254,
  refusals: 256,
  archives: 255,
  releases: 255,
  retainedDisks: 1024,
} as const

export const nodeReport = z.strictObject({
  agentVersion: z.string().min(1).max(63),
  /** Bundle versions and ops this agent reads. */
  reads: z.strictObject({ bundle: z.array(z.int().min(1)).max(16), ops: z.array(z.int().min(1).max(255)).max(64) }),
  registryHead: z.strictObject({ count, hash: digest }).optional(),
  bundles: z.strictObject({
    applied: heldBundle.optional(),
    staged: heldBundle.optional(),
    reverted: heldBundle.optional(),
  }),
  /** Highest APPLY told. */
  told: z.strictObject({ term, revision: u32 as unknown as z.ZodType<Revision> }).optional(),
  marks: z.array(mark).max(REPORT_LIMITS.marks),
  marksLost: z.boolean(),
  /** A bundle file that could not be read and was set aside. */
  bundleLost: z.boolean(),
  clockSynchronised: z.boolean(),
  wallClockMs: z.int().min(0),
  isolated: z.boolean(),
  interface: z
    .strictObject({
      name: z.string().min(1).max(15),
      publicKey: z.string().length(44),
      address: z.string().max(18),
      listenPort: z.int().min(0).max(65535),
      mtu: count,
    })
    .optional(),
  peers: z.array(peerReport).max(REPORT_LIMITS.peers),
  capacity: z.strictObject({
    memoryMiB: mib,
    cpus: count,
    /** What this machine cannot do, and why. */
    lacks: z
      .array(z.strictObject({ what: z.enum(['CpuWeights', 'MemoryPressure']), reason: z.string().max(256) }))
      .max(16)
      .optional(),
  }),
  usage: z.strictObject({
    memoryFreeMiB: mib,
    pressure: z.enum(['None', 'Low', 'High', 'Emergency']),
    /** Memory of a VM's process beside its guest, as measured here; absent: not yet. */
    vmOverheadMiB: mib.optional(),
  }),
  /** Public halves of keys that REKEY made and that are not in use yet. */
  pendingKeys: z.strictObject({
    commandPublicKey: z.string().length(44).optional(),
    wireguardPublicKey: z.string().length(44).optional(),
  }),
  /** Packets, frames and bundles discarded since the agent started, by reason. */
  refusals: plainMembers.pipe(
    z
      .record(z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,62}$/), count)
      .refine(
        (reasons) => Object.keys(reasons).length <= REPORT_LIMITS.refusals,
        `at most ${REPORT_LIMITS.refusals} reasons`,
      ),
  ),
  archives: z.array(archiveReport).max(REPORT_LIMITS.archives),
  /** Signed records "ppn-release/1": this node gave up archive at epoch. */
  releases: z
    .array(
      z.strictObject({
        archive: id as unknown as z.ZodType<ArchiveId>,
        fencingEpoch: u32 as unknown as z.ZodType<FencingEpoch>,
        signature: z.string().length(88),
        /** Once the disk is to be pushed: what the receiver's bundle must name. */
        chunkListRoot: digest.optional(),
      }),
    )
    .max(REPORT_LIMITS.releases),
  retainedDisks: z
    .array(z.strictObject({ id, namespace: label, name: label, sizeMiB: mib }))
    .max(REPORT_LIMITS.retainedDisks),
})
export type NodeReport = z.output<typeof nodeReport>

/**
 * What a delta takes away, by the key of each list's entries. `fields` are optional members of the report; refusals
 * go by reason.
 */
const removals = z.strictObject({
  fields: z.array(z.enum(['registryHead', 'told', 'interface'])).optional(),
  marks: z.array(z.tuple([z.int(), z.int()])).optional(),
  peers: z.array(id).optional(),
  archives: z.array(z.int()).optional(),
  releases: z.array(z.tuple([id, u32])).optional(),
  retainedDisks: z.array(id).optional(),
  refusals: z.array(z.string()).optional(),
})
export type Removals = z.output<typeof removals>

/**
 * A delta holds only what changed. Entries of a list replace those with the same key: marks (op, slot), peers node
 * id, archives slot, releases (archive, epoch), retained disks id, refusals reason. Any other field replaces its like.
 */
export type NodeReportDelta = Partial<NodeReport> & { removed?: Removals }
export const nodeReportDelta = nodeReport.partial().extend({ removed: removals.optional() })

export const frameHeader = z.strictObject({
  /** 32 hex digits, random per agent process. */
  bootId: id,
  /** Rises with every frame of one boot id. */
  sequence: z.int().min(0),
  /** Process age on a clock that counts suspended time. */
  uptimeMs: z.int().min(0),
})
export type FrameHeader = z.output<typeof frameHeader>
