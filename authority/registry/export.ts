// The registry as a file for others: one line that says whose it is, then `nodes.jsonl` as it stands, byte for byte.
import { z } from 'zod'
import { canonicalBytes, parseCanonical } from '../../protocol/canonical.ts'
import { toBase64 } from '../../protocol/keys.ts'
import type { Keys } from '../keys/keys.ts'

const id = z.string().regex(/^[0-9a-f]{32}$/)
const header = z.strictObject({
  format: z.literal('ppn-registry-export/1'),
  meshId: id,
  authorityId: id,
  /** Base64. Only a claim, until somebody compares its fingerprint with the authority's. */
  signingPublicKey: z.string().length(44),
})
export type ExportHeader = z.output<typeof header>

export function exportRegistry(registry: Uint8Array, keys: Keys): Uint8Array {
  const { meshId, authorityId, signing } = keys
  const first: ExportHeader = {
    format: 'ppn-registry-export/1',
    meshId,
    authorityId,
    signingPublicKey: toBase64(signing.publicKey),
  }
  return Buffer.concat([canonicalBytes(first), Buffer.from('\n'), registry])
}

/** The registry in an export, or in a plain `nodes.jsonl`, which has no header. */
export function readExport(file: Uint8Array): { header: ExportHeader | undefined; registry: Uint8Array } {
  const newline = file.indexOf(0x0a)
  try {
    const found = header.parse(parseCanonical(file.subarray(0, newline)))
    return { header: found, registry: file.subarray(newline + 1) }
  } catch {
    return { header: undefined, registry: file }
  }
}
