// A telemetry frame (section 7.3), without the length in front:
//   0      version (u8)
//   1-4    term (u32 big-endian), in clear, so that the receiver knows which key to try
//   5-     canonical JSON {body, header, part, parts, type}
//   last 16 bytes: HMAC-SHA-256 under the telemetry key of that term, cut to 16, over everything before
import { timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { canonicalBytes, parseCanonical, withoutUndefined } from '../../base/canonical-json.ts'
import { PpnError } from '../../base/errors.ts'
import { concat, u32 } from '../bytes.ts'
import { hmacSha256 } from '../hmac.ts'
import type { Term } from '../ids.ts'
import { type FrameHeader, frameHeader, type NodeReportDelta, nodeReport, nodeReportDelta } from './report.ts'

const TELEMETRY_VERSION = 1
/** Of one frame, without its length. */
export const FRAME_LIMIT = 64 * 1024
/** A whole report with every list at its bound fits in fewer. */
const MAX_PARTS = 64
const TAG_BYTES = 16
const AT = { version: 0, term: 1, json: 5 } as const
/** Left of a frame for its body, after the bytes above and the longest header, type and numbering. */
export const BODY_LIMIT = FRAME_LIMIT - AT.json - TAG_BYTES - 256

export interface TelemetryFrame {
  term: Term
  header: FrameHeader
  /** full: one part of a snapshot; delta: what changed, whole in itself (part 1 of 1). */
  type: 'full' | 'delta'
  /** From 1. */
  part: number
  parts: number
  body: NodeReportDelta
}

/** What a version says inside the frame. */
export interface FrameCodec {
  write(frame: Omit<TelemetryFrame, 'term'>): unknown
  /** Strict: throws for anything this version does not know. */
  read(json: unknown): Omit<TelemetryFrame, 'term'>
}
export type FrameVersions = ReadonlyMap<number, FrameCodec>

const numbering = { header: frameHeader, part: z.int().min(1).max(MAX_PARTS), parts: z.int().min(1).max(MAX_PARTS) }
const schema1 = z
  .discriminatedUnion('type', [
    z.strictObject({ ...numbering, type: z.literal('full'), body: nodeReport.partial() }),
    z.strictObject({ ...numbering, type: z.literal('delta'), body: nodeReportDelta }),
  ])
  .refine((frame) => frame.part <= frame.parts && (frame.type === 'full' || frame.parts === 1), 'numbering')

export const TELEMETRY_VERSIONS: FrameVersions = new Map([
  [TELEMETRY_VERSION, { write: (frame) => schema1.parse(frame), read: (json) => schema1.parse(json) }],
])

const tagOf = (bytes: Uint8Array, key: Uint8Array): Uint8Array => hmacSha256(key, bytes).subarray(0, TAG_BYTES)

/** The bytes of a frame. Throws FrameInvalid for what no receiver of that version would take, FrameTooLong over 64 KiB. */
export function sealFrame(
  frame: TelemetryFrame,
  key: Uint8Array,
  options: { version?: number; versions?: FrameVersions } = {},
): Uint8Array {
  const version = options.version ?? TELEMETRY_VERSION
  const codec = (options.versions ?? TELEMETRY_VERSIONS).get(version)
  if (!codec) throw new PpnError('FrameInvalid', { why: `unknown version ${version}` })
  const { term, ...inside } = frame
  const json = canonicalBytes(withoutUndefined(written(() => codec.write(inside))))
  const untagged = concat(Uint8Array.of(version), u32(term), json)
  const bytes = concat(untagged, tagOf(untagged, key))
  if (bytes.length > FRAME_LIMIT) throw new PpnError('FrameTooLong', { length: bytes.length, limit: FRAME_LIMIT })
  return bytes
}

function written<T>(write: () => T): T {
  try {
    return write()
  } catch (cause) {
    throw new PpnError('FrameInvalid', { why: cause instanceof Error ? cause.message : String(cause) }, { cause })
  }
}

/** Version and term, of which nothing is proved yet; undefined when the bytes cannot be a frame. */
export function readFrameHead(bytes: Uint8Array): { version: number; term: Term } | undefined {
  if (bytes.length <= AT.json + TAG_BYTES || bytes.length > FRAME_LIMIT) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { version: view.getUint8(AT.version), term: view.getUint32(AT.term) }
}

type FrameFault = 'FrameLength' | 'FrameVersion' | 'FrameTag' | 'FrameMalformed'
export type OpenedFrame = { ok: true; frame: TelemetryFrame } | { ok: false; reason: FrameFault }

/** Opens a frame under the telemetry key of the term it names. Nothing of its JSON is read before the tag holds. */
export function openFrame(
  bytes: Uint8Array,
  key: Uint8Array,
  versions: FrameVersions = TELEMETRY_VERSIONS,
): OpenedFrame {
  const head = readFrameHead(bytes)
  if (!head) return { ok: false, reason: 'FrameLength' }
  const codec = versions.get(head.version)
  if (!codec) return { ok: false, reason: 'FrameVersion' }
  const untagged = bytes.subarray(0, bytes.length - TAG_BYTES)
  const tag = bytes.subarray(bytes.length - TAG_BYTES)
  if (!timingSafeEqual(tag, tagOf(untagged, key))) return { ok: false, reason: 'FrameTag' }
  try {
    const inside = codec.read(parseCanonical(untagged.subarray(AT.json)))
    return { ok: true, frame: { term: head.term, ...inside } }
  } catch {
    return { ok: false, reason: 'FrameMalformed' }
  }
}
