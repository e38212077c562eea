// What a sync connection (section 7.2) carries: length-framed, each frame a type (u8) and a body. Only the side that
// pushes ever writes.
//   1 bundle      the sealed bundle
//   2 disk offer  canonical JSON {archive, fencingEpoch, root, sizeBytes}
//   3 disk chunk  index (u32), hashes in the proof (u8), the proof (32 bytes each), up to 1 MiB of the disk
//   4 disk end    nothing
//   5 operator    a document signed with the operator key
import { z } from 'zod'
import { canonicalBytes, parseCanonical } from '../../base/canonical-json.ts'
import { PpnError } from '../../base/errors.ts'
import { BUNDLE_LIMIT } from '../bundle/seal.ts'
import { concat, u32 } from '../bytes.ts'
import type { ArchiveId, Digest, FencingEpoch } from '../ids.ts'
import { OPERATOR_LIMIT } from '../operator/document.ts'

const SYNC_TYPE = { bundle: 1, offer: 2, chunk: 3, end: 4, operator: 5 } as const
export const CHUNK_BYTES = 1024 * 1024
/** A proof for 2^32 chunks. */
const MAX_PROOF = 32
const HASH_BYTES = 32
const CHUNK_HEAD = 5
/** Of one frame, type included, without its length. */
export const SYNC_FRAME_LIMIT = 1 + Math.max(BUNDLE_LIMIT, CHUNK_HEAD + MAX_PROOF * HASH_BYTES + CHUNK_BYTES)

const diskOffer = z.strictObject({
  archive: z.string().regex(/^[0-9a-f]{32}$/) as unknown as z.ZodType<ArchiveId>,
  fencingEpoch: z.int().min(0).max(0xffff_ffff) as unknown as z.ZodType<FencingEpoch>,
  /** Root of the chunk list, 64 hex digits: what the receiver's bundle must name. */
  root: z.string().regex(/^[0-9a-f]{64}$/) as unknown as z.ZodType<Digest>,
  sizeBytes: z.int().min(1),
})
type DiskOffer = z.output<typeof diskOffer>

export type SyncFrame =
  | { type: 'bundle'; bundle: Uint8Array }
  | { type: 'offer'; offer: DiskOffer }
  /** `proof` leads from the chunk to the root: see chunk-list.ts. */
  | { type: 'chunk'; index: number; proof: Uint8Array[]; bytes: Uint8Array }
  | { type: 'end' }
  | { type: 'operator'; document: Uint8Array }

/** The bytes of a frame, without its length. Throws FrameTooLong and FrameInvalid for what a receiver would refuse. */
export function encodeSyncFrame(frame: SyncFrame): Uint8Array {
  const bytes = concat(Uint8Array.of(SYNC_TYPE[frame.type]), bodyOf(frame))
  if (bytes.length > SYNC_FRAME_LIMIT)
    throw new PpnError('FrameTooLong', { length: bytes.length, limit: SYNC_FRAME_LIMIT })
  if (!decodeSyncFrame(bytes)) throw new PpnError('FrameInvalid', { why: `sync frame of type ${frame.type}` })
  return bytes
}

function bodyOf(frame: SyncFrame): Uint8Array {
  switch (frame.type) {
    case 'bundle':
      return frame.bundle
    case 'offer':
      return canonicalBytes(frame.offer)
    case 'chunk':
      return concat(u32(frame.index), Uint8Array.of(frame.proof.length), ...frame.proof, frame.bytes)
    case 'end':
      return new Uint8Array()
    case 'operator':
      return frame.document
  }
}

/** The frame, or undefined for anything that is none: an unknown type, a field too many, a chunk too long. */
export function decodeSyncFrame(bytes: Uint8Array): SyncFrame | undefined {
  const body = bytes.subarray(1)
  switch (bytes[0]) {
    case SYNC_TYPE.bundle:
      return body.length > 0 && body.length <= BUNDLE_LIMIT ? { type: 'bundle', bundle: body } : undefined
    case SYNC_TYPE.offer:
      return decodeOffer(body)
    case SYNC_TYPE.chunk:
      return decodeChunk(body)
    case SYNC_TYPE.end:
      return body.length === 0 ? { type: 'end' } : undefined
    case SYNC_TYPE.operator:
      return body.length > 0 && body.length <= OPERATOR_LIMIT ? { type: 'operator', document: body } : undefined
    default:
      return undefined
  }
}

function decodeOffer(body: Uint8Array): SyncFrame | undefined {
  try {
    return { type: 'offer', offer: diskOffer.parse(parseCanonical(body)) }
  } catch {
    return undefined
  }
}

function decodeChunk(body: Uint8Array): SyncFrame | undefined {
  if (body.length < CHUNK_HEAD) return undefined
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const hashes = view.getUint8(4)
  const from = CHUNK_HEAD + hashes * HASH_BYTES
  const length = body.length - from
  if (hashes > MAX_PROOF || length < 1 || length > CHUNK_BYTES) return undefined
  const proof = Array.from({ length: hashes }, (_, i) =>
    body.subarray(CHUNK_HEAD + i * HASH_BYTES, CHUNK_HEAD + (i + 1) * HASH_BYTES),
  )
  return { type: 'chunk', index: view.getUint32(0), proof, bytes: body.subarray(from) }
}
