// A bundle given as a file: the first one of a node provisioned by hand, and the way back when no hub answers.

import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import { dearmorBundle } from '../../protocol/bundle/armor.ts'
import type { BundleDocument } from '../../protocol/bundle/document.ts'
import { BUNDLE_VERSIONS, type BundleVersions } from '../../protocol/bundle/versions.ts'
import { fingerprint, fromBase64 } from '../../protocol/keys.ts'
import type { HeldBundle } from '../../protocol/telemetry/report.ts'
import { initFence } from '../fence/fence.ts'
import { loadPins, type Pins, savePins } from '../keys/pins.ts'
import { initMarks } from '../marks/journal.ts'
import { openBundle } from './store.ts'

/** Where an import waits for the agent: taken by a running one within a second, else at its next start. */
export const IMPORTED = 'imported'
/** protocol/bundle/seal.ts: in front of the document lie version, authority id and signature. */
const DOCUMENT_AT = 81

/** The authorities a bundle names, unverified: only to find the one whose fingerprint a person typed. */
function namedAuthorities(raw: Uint8Array, versions: BundleVersions): Pins['trusted'] {
  try {
    const json = JSON.parse(Buffer.from(raw.subarray(DOCUMENT_AT)).toString('utf8'))
    const document = versions.get(raw[0] as number)?.read(json)
    return (document?.content.authorities ?? []).map((a) => {
      fromBase64(a.signingPublicKey, 32)
      return { authorityId: a.id, signingPublicKey: a.signingPublicKey }
    })
  } catch {
    return []
  }
}

/**
 * Verifies an armoured bundle and leaves it for the agent. On a node without pins the authority's fingerprint is
 * demanded and the authority, the operator key and the node's ids are pinned; later ones must come from a pinned
 * authority. Throws AuthorityFingerprintNeeded, AuthorityFingerprintDiffers, BundleRefused, BadArmor.
 */
export async function importBundle(
  files: Files,
  text: string,
  options: { authorityFingerprint?: string; versions?: BundleVersions } = {},
): Promise<HeldBundle> {
  const { versions = BUNDLE_VERSIONS } = options
  const raw = dearmorBundle(text)
  const expected = options.authorityFingerprint
  const pinned = await loadPins(files)
  if (!pinned && expected === undefined) throw new PpnError('AuthorityFingerprintNeeded', {})

  const candidates = pinned?.trusted ?? namedAuthorities(raw, versions)
  const trusted = candidates.filter(
    (a) => expected === undefined || fingerprint(fromBase64(a.signingPublicKey)) === expected,
  )
  if (trusted.length === 0) throw new PpnError('AuthorityFingerprintDiffers', { expected })
  const opened = openBundle(raw, trusted, versions)
  if (!opened.ok) throw new PpnError('BundleRefused', { reason: opened.reason })
  if (!pinned) await pin(files, opened.bundle.signed.document, trusted)
  await files.write(IMPORTED, raw)
  return opened.bundle.held
}

/** Marks and fence before pins: a node with pins and without them has lost them. */
async function pin(files: Files, document: BundleDocument, trusted: Pins['trusted']): Promise<void> {
  await initMarks(files)
  await initFence(files)
  await savePins(files, {
    meshId: document.meshId,
    nodeId: document.nodeId,
    enrolmentId: document.enrolmentId,
    operatorKey: document.content.operatorKey,
    trusted,
  })
}
