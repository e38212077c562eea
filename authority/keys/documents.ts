// Documents of the operator key that this authority has to tell its nodes: `keys/operator-documents`, canonical JSON of
// base64 texts, oldest first. None of it is secret; it lies with the keys so that it goes where they go.
import { z } from 'zod'
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import { canonicalBytes, parseCanonical } from '../../protocol/canonical.ts'
import { toBase64 } from '../../protocol/keys.ts'
import {
  type AuthorityDocument,
  type OperatorDocument,
  openOperatorDocument,
} from '../../protocol/operator/document.ts'
import type { Keys } from './keys.ts'

const FILE = 'operator-documents'
const KEPT = 32
const stored = z.array(z.base64()).max(KEPT)

/** `files`: the folder `keys/`. Throws KeysUnreadable. */
export async function readDocuments(files: Files): Promise<Uint8Array[]> {
  const bytes = await files.read(FILE)
  if (!bytes) return []
  try {
    return stored.parse(parseCanonical(bytes)).map((text) => new Uint8Array(Buffer.from(text, 'base64')))
  } catch (cause) {
    throw new PpnError('KeysUnreadable', { file: FILE, why: 'it is not what was written' }, { cause })
  }
}

/** Durable when resolved. A new authority ends what was said of authorities before it. */
export async function addDocument(files: Files, raw: Uint8Array, document: OperatorDocument): Promise<void> {
  const before = await readDocuments(files)
  const text = toBase64(raw)
  const kept = before.filter((one) => document.type !== 'authority' || typeOf(one) !== 'authority')
  const all = [...kept.map(toBase64).filter((one) => one !== text), text]
  await files.write(FILE, canonicalBytes(all.slice(-KEPT)))
}

/** Unverified: our own file. */
function typeOf(raw: Uint8Array): unknown {
  return (JSON.parse(Buffer.from(raw.subarray(65)).toString('utf8')) as { type?: unknown }).type
}

/** The document that put this very authority in place. */
export function ownReplacement(documents: readonly Uint8Array[], keys: Keys): AuthorityDocument | undefined {
  const signingPublicKey = toBase64(keys.signing.publicKey)
  for (const raw of documents.toReversed()) {
    const opened = openOperatorDocument(raw, keys.operator.publicKey)
    if (!opened.ok || opened.document.type !== 'authority') continue
    if (opened.document.authority.signingPublicKey === signingPublicKey) return opened.document
  }
  return undefined
}
