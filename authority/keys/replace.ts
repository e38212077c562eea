// A new authority for a fleet whose own is lost or stolen (section 7.6): other keys in the state folder, and the document
// by which every node obeys them. Done while no authority runs on it.

import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import type { RandomBytes } from '../../base/random.ts'
import { canonicalBytes } from '../../protocol/canonical.ts'
import type { Term } from '../../protocol/ids.ts'
import { fingerprint, type KeyPair, toBase64 } from '../../protocol/keys.ts'
import { type AuthorityDocument, sealOperatorDocument } from '../../protocol/operator/document.ts'
import { RESTORED_FILE } from '../backup/snapshot.ts'
import { addDocument } from './documents.ts'
import { type FleetCard, identityIn } from './fleet-card.ts'
import { type FleetIdentity, makeKeys, readKeys } from './keys.ts'

export const CARD_FILE = 'fleet-card'
/** Above whatever the old authority, or its thief, has reigned under since the last term that is known. */
export const TERM_LEAP = 2 ** 16

export interface ReplaceOptions {
  /** The state folder: an authority's, or an empty one with `card`. */
  files: Files
  clock: Pick<Clock, 'now'>
  random: RandomBytes
  operator: KeyPair
  /** The last term known. */
  term: Term
  /** Where the new authority will speak from, mesh addresses. */
  addresses: readonly string[]
  card?: FleetCard
}

/**
 * Keys first, then the document that names them, then the mark by which the next start goes carefully and takes what
 * nodes report above its own state. A crash in between: do it again. Throws OperatorKeyDiffers, KeysMissing.
 */
export async function replaceAuthority(
  options: ReplaceOptions,
): Promise<{ raw: Uint8Array; document: AuthorityDocument }> {
  const { files, clock, random, operator, card } = options
  const folder = files.sub('keys')
  const fleet = card ? identityIn(card) : await identityHere(folder)
  if (toBase64(operator.publicKey) !== toBase64(fleet.operatorPublicKey)) {
    const [given, pinned] = [fingerprint(operator.publicKey), fingerprint(fleet.operatorPublicKey)]
    throw new PpnError('OperatorKeyDiffers', { given, pinned })
  }
  if (card) await files.write(CARD_FILE, canonicalBytes(card))
  const keys = await makeKeys(folder, random, fleet)
  const document: AuthorityDocument = {
    version: 1,
    type: 'authority',
    meshId: keys.meshId,
    issuedMs: clock.now(),
    term: options.term + TERM_LEAP,
    authority: {
      id: keys.authorityId,
      commandPublicKey: toBase64(keys.command.publicKey),
      signingPublicKey: toBase64(keys.signing.publicKey),
      addresses: [...options.addresses],
    },
  }
  const raw = sealOperatorDocument(document, operator.secretKey)
  await addDocument(folder, raw, document)
  const nowMs = clock.now()
  await files.write(RESTORED_FILE, canonicalBytes({ complete: true, restoredMs: nowMs, createdMs: nowMs }))
  return { raw, document }
}

async function identityHere(folder: Files): Promise<FleetIdentity> {
  const { meshId, operator, signing, formerSigning, meshEpochMs } = await readKeys(folder)
  return {
    meshId,
    operatorPublicKey: operator.publicKey,
    formerSigning: [signing.publicKey, ...formerSigning],
    meshEpochMs,
  }
}
