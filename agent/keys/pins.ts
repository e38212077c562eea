// Whom this node obeys: fixed at its first bundle, changed by a bundle it trusts and by the operator key.
import { z } from 'zod'
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import { bundleAuthority } from '../../protocol/bundle/document.ts'
import type {
  ArchiveId,
  AuthorityId,
  Digest,
  EnrolmentId,
  FencingEpoch,
  MeshId,
  NodeId,
  Term,
} from '../../protocol/ids.ts'
import { openJson, sealJson } from '../durable/sealed-json.ts'

const FILE = 'pins'
const id = z.string().regex(/^[0-9a-f]{32}$/)

const trusted = z.strictObject({
  authorityId: id as unknown as z.ZodType<AuthorityId>,
  signingPublicKey: z.string().length(44),
})
const u32 = z.int().min(0).max(0xffff_ffff)

const pins = z.strictObject({
  meshId: id as unknown as z.ZodType<MeshId>,
  nodeId: id as unknown as z.ZodType<NodeId>,
  enrolmentId: id as unknown as z.ZodType<EnrolmentId>,
  /** Ed25519, base64. */
  operatorKey: z.string().length(44),
  /** Whose signature makes a bundle: of the applied bundle, and of the previous one while it is on trial. */
  trusted: z.array(trusted).min(1).max(4),
  /** Signed what lies on this disk from before an authority was replaced; trusted for nothing that comes in. */
  stored: z.array(trusted).max(16).optional(),
  /** Put in force by the operator key, until a bundle of that authority is applied. */
  replacement: z.strictObject({ authority: bundleAuthority, term: u32 as unknown as z.ZodType<Term> }).optional(),
  /** SHA-256 of the operator documents taken, oldest first. */
  documents: z
    .array(z.string().regex(/^[0-9a-f]{64}$/) as unknown as z.ZodType<Digest>)
    .max(64)
    .optional(),
  /** Archives whose disk may start here under this epoch, whatever disk and fence say (law 7). */
  overrides: z
    .array(
      z.strictObject({
        archive: id as unknown as z.ZodType<ArchiveId>,
        fencingEpoch: u32 as unknown as z.ZodType<FencingEpoch>,
      }),
    )
    .max(255)
    .optional(),
})
export type Pins = z.output<typeof pins>

/** The pins, or undefined before the first bundle. Throws PinsUnreadable: without them nobody can be trusted. */
export async function loadPins(files: Files): Promise<Pins | undefined> {
  const bytes = await files.read(FILE)
  if (!bytes) return undefined
  const read = openJson(bytes, pins)
  if (!read) throw new PpnError('PinsUnreadable', {})
  return read
}

export async function savePins(files: Files, value: Pins): Promise<void> {
  await files.write(FILE, sealJson(value))
}
