// Whom this node obeys: fixed at its first bundle, changed only by a bundle it trusts.
import { z } from 'zod'
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import type { AuthorityId, EnrolmentId, MeshId, NodeId } from '../../protocol/ids.ts'
import { openJson, sealJson } from '../durable/sealed-json.ts'

const FILE = 'pins'
const id = z.string().regex(/^[0-9a-f]{32}$/)

const pins = z.strictObject({
  meshId: id as unknown as z.ZodType<MeshId>,
  nodeId: id as unknown as z.ZodType<NodeId>,
  enrolmentId: id as unknown as z.ZodType<EnrolmentId>,
  /** Ed25519, base64. */
  operatorKey: z.string().length(44),
  /** Whose signature makes a bundle: of the applied bundle, and of the previous one while it is on trial. */
  trusted: z
    .array(
      z.strictObject({ authorityId: id as unknown as z.ZodType<AuthorityId>, signingPublicKey: z.string().length(44) }),
    )
    .min(1)
    .max(4),
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
