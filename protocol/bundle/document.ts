// The signed document that says what may exist on one node (section 7.2).
// `content` alone is digested: term, revision, switch and registry head are outside it, so that a new leader
// republishes nothing.
import { z } from 'zod'
import type {
  ArchiveId,
  AuthorityId,
  Digest,
  EnrolmentId,
  FencingEpoch,
  MeshId,
  MiB,
  NodeId,
  Revision,
  Sequence,
  Slot,
  Term,
} from '../ids.ts'

const id = z.string().regex(/^[0-9a-f]{32}$/)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const key = z.string().length(44)
const u32 = z.int().min(0).max(0xffff_ffff)
const port = z.int().min(1).max(65535)

const bundlePeer = z.strictObject({
  nodeId: id as unknown as z.ZodType<NodeId>,
  name: z.string().min(1).max(63),
  publicKey: key,
  /** host:port; only peers that have a fixed one (hubs). */
  endpoint: z.string().min(1).max(261).optional(),
  /** CIDRs, the peer's own /32 first. On a spoke only the first hub also carries the mesh's CIDR. */
  allowedIPs: z.array(z.string().max(18)).max(256),
  keepaliveSeconds: z.int().min(0).max(65535),
  /** A hub that this node may fall back to, in list order. */
  hub: z.boolean(),
})
export type BundlePeer = z.output<typeof bundlePeer>

const minSequence = z.strictObject({
  term: u32 as unknown as z.ZodType<Term>,
  sequence: u32 as unknown as z.ZodType<Sequence>,
})

const bundleArchive = z.strictObject({
  id: id as unknown as z.ZodType<ArchiveId>,
  name: z.string().min(1).max(63),
  namespace: z.string().min(1).max(63),
  slot: z.int().min(1).max(255) as unknown as z.ZodType<Slot>,
  fencingEpoch: u32 as unknown as z.ZodType<FencingEpoch>,
  /** A mark below this pair is void, value included. */
  minSequence,
  image: z.strictObject({
    source: z.string().min(1).max(2048),
    sha256: sha256 as unknown as z.ZodType<Digest>,
    format: z.enum(['raw', 'qcow2']),
    architecture: z.enum(['amd64', 'arm64']),
  }),
  floorMiB: z.int().min(16) as unknown as z.ZodType<MiB>,
  maxMiB: z.int().min(16) as unknown as z.ZodType<MiB>,
  vcpus: z.int().min(1).max(64),
  restartPolicy: z.enum(['Always', 'OnFailure', 'Never']),
  adoptDisk: id.optional(),
  chunkListRoot: (sha256 as unknown as z.ZodType<Digest>).optional(),
  /** Mesh address of the node that pushes the disk here; with chunkListRoot. */
  receiveFrom: z.string().max(15).optional(),
  /** The archive ends: stays until telemetry shows it done. */
  remove: z.enum(['Retain', 'Delete']).optional(),
})
export type BundleArchive = z.output<typeof bundleArchive>

const bundlePool = z.strictObject({
  reservedMiB: z.int().min(0) as unknown as z.ZodType<MiB>,
  overcommitPercent: z.int().min(100).max(400),
  balloon: z.strictObject({
    policy: z.enum(['Auto', 'Manual']),
    lowWatermarkPercent: z.int().min(1).max(99),
    highWatermarkPercent: z.int().min(1).max(99),
    emergencyPercent: z.int().min(1).max(99),
  }),
  reservedWeight: z.int().min(1).max(10000),
})
export type BundlePool = z.output<typeof bundlePool>

export const bundleAuthority = z.strictObject({
  id: id as unknown as z.ZodType<AuthorityId>,
  /** X25519, base64. */
  commandPublicKey: key,
  /** Ed25519, base64. */
  signingPublicKey: key,
  /** Mesh addresses commands come from and telemetry is dialled at, in order. */
  addresses: z.array(z.string().max(15)).min(1).max(3),
})
export type BundleAuthority = z.output<typeof bundleAuthority>

export const bundleContent = z.strictObject({
  /** The second entry only during a key change. */
  authorities: z.array(bundleAuthority).min(1).max(2),
  /** Ed25519, base64. */
  operatorKey: key,
  /** The instant from which sequences count, milliseconds since 1970. */
  meshEpochMs: z.int().min(0),
  mesh: z.strictObject({
    name: z.string().min(1).max(63),
    cidr: z.string().max(18),
    ports: z.strictObject({
      wireguard: port,
      command: port,
      telemetry: port,
      sync: port,
      pairing: port,
      holding: port,
    }),
  }),
  node: z.strictObject({
    name: z.string().min(1).max(63),
    role: z.enum(['hub', 'spoke']),
    address: z.string().max(15),
  }),
  interface: z.strictObject({
    name: z.string().min(1).max(15),
    mtu: z.int().min(1280).max(9000),
    listenPort: port,
    /** The node's own key to use, of those it made: after REKEY 2, the pending one. Absent: the one in use. */
    publicKey: key.optional(),
  }),
  peers: z.array(bundlePeer).max(254),
  pool: bundlePool,
  /** Rises when a reverted content is tried again. */
  attempt: z.int().min(0).max(255),
  /** Node-wide: marks below it are void. Set to repair lost marks. */
  minSequence: minSequence.optional(),
  archives: z.array(bundleArchive).max(255),
  /** Which disk to push to whom. */
  pushes: z
    .array(
      z.strictObject({
        archive: id as unknown as z.ZodType<ArchiveId>,
        toNode: id as unknown as z.ZodType<NodeId>,
        /** Mesh address of that node: a spoke's peers name hubs alone. Without it nothing is pushed yet. */
        toAddress: z.string().max(15).optional(),
        /** What the receiver's telemetry shows as held: a cut push goes on from there. */
        fromChunk: z.int().min(0).optional(),
      }),
    )
    .max(255),
})
export type BundleContent = z.output<typeof bundleContent>

export const bundleDocument = z.strictObject({
  version: z.literal(1),
  meshId: id as unknown as z.ZodType<MeshId>,
  nodeId: id as unknown as z.ZodType<NodeId>,
  enrolmentId: id as unknown as z.ZodType<EnrolmentId>,
  term: u32 as unknown as z.ZodType<Term>,
  revision: u32 as unknown as z.ZodType<Revision>,
  switch: z.enum(['onApply', 'onReceipt']),
  registryHead: z.strictObject({ count: z.int().min(0), hash: sha256 }),
  content: bundleContent,
})
export type BundleDocument = z.output<typeof bundleDocument>

/** What travels and what lies on disk: the canonical bytes and the signature over "ppn-bundle/1" and them. */
export interface SignedBundle {
  document: BundleDocument
  /** Canonical JSON (RFC 8785) of the document, UTF-8: the bytes that were signed. */
  bytes: Uint8Array
  /** Ed25519, 64 bytes. */
  signature: Uint8Array
  /** Which authority key signed: its id. */
  authorityId: AuthorityId
  /** The version the bytes are written in. */
  version: number
  /** Content digest, in that version: what two nodes compare. */
  digest: Digest
}
