// Which bundles a fake agent takes and when it switches: section 7.2, "Order", and section 7.1, APPLY. A content is
// never on trial here, as there is no tunnel that could fail: what was switched to stays.
import { PpnError } from '../../base/errors.ts'
import { dearmorBundle } from '../../protocol/bundle/armor.ts'
import type { BundleDocument, SignedBundle } from '../../protocol/bundle/document.ts'
import { openSignedBundle, type TrustedAuthority } from '../../protocol/bundle/seal.ts'
import { compareRevision, type RevisionMark } from '../../protocol/ids.ts'
import { fingerprint, fromBase64 } from '../../protocol/keys.ts'
import type { HeldBundle } from '../../protocol/telemetry/report.ts'
import { heldOf, type Memory, raiseFloors } from './memory.ts'

/** protocol/bundle/seal.ts: version, authority id and signature lie in front of the document. */
const DOCUMENT_AT = 81

export type BundleTaken = { ok: true; switched: boolean } | { ok: false; reason: string }

/** Takes a bundle that came by sync or as a file. `byHand`: a severed node joins again. */
export function takeBundle(memory: Memory, raw: Uint8Array, byHand = false): BundleTaken {
  const opened = openSignedBundle(raw, memory.pins?.trusted ?? [])
  if (!opened.ok) return opened
  const { bundle } = opened
  const why = whyNot(memory, bundle)
  if (why !== undefined) return { ok: false, reason: why }
  const { term, registryHead } = bundle.document
  memory.term = Math.max(memory.term, term)
  if (registryHead.count > (memory.registryHead?.count ?? -1)) memory.registryHead = registryHead
  if (byHand) memory.severed = false

  if (memory.applied?.digest === bundle.digest) {
    memory.applied = bundle
    if (memory.staged && compareRevision(heldOf(bundle), heldOf(memory.staged)) > 0) delete memory.staged
    return { ok: true, switched: false }
  }
  memory.staged = bundle
  const now = bundle.document.switch === 'onReceipt' || !memory.applied || isTold(memory, bundle)
  if (now) switchToStaged(memory)
  return { ok: true, switched: now }
}

function whyNot(memory: Memory, bundle: SignedBundle): string | undefined {
  const { pins, applied, staged } = memory
  const { document, digest } = bundle
  if (document.meshId !== pins?.meshId) return 'WrongMesh'
  if (document.nodeId !== pins.nodeId) return 'WrongNode'
  if (document.enrolmentId !== pins.enrolmentId) return 'WrongEnrolment'
  if (document.content.operatorKey !== pins.operatorKey) return 'WrongOperatorKey'
  if (document.term < memory.term) return 'OldTerm'
  // A higher (term, revision), or an equal one with an equal digest. One content in force again may come between.
  for (const held of [applied, staged]) {
    if (!held) continue
    const order = compareRevision(heldOf(bundle), heldOf(held))
    const inForce = held === staged && digest === applied?.digest
    if ((order < 0 && !inForce) || (order === 0 && digest !== held.digest)) return 'NotNewer'
  }
  return undefined
}

function isTold({ told }: Memory, bundle: SignedBundle): boolean {
  return told !== undefined && compareRevision(heldOf(bundle), told) <= 0
}

function switchToStaged(memory: Memory): void {
  const { staged, pins } = memory
  if (!staged || !pins) return
  const { content } = staged.document
  raiseFloors(memory, content)
  memory.applied = staged
  delete memory.staged
  pins.trusted = content.authorities.map((a) => ({ authorityId: a.id, signingPublicKey: a.signingPublicKey }))
  const { wireguard } = memory.pending
  if (wireguard && content.interface.publicKey === Buffer.from(wireguard.publicKey).toString('base64')) {
    memory.keys.wireguard = wireguard
    delete memory.pending.wireguard
  }
}

/** APPLY. True when a staged bundle was switched to. */
export function tell(memory: Memory, mark: RevisionMark): boolean {
  if (!memory.told || compareRevision(mark, memory.told) > 0) memory.told = mark
  if (!memory.staged || !isTold(memory, memory.staged)) return false
  switchToStaged(memory)
  return true
}

/**
 * `ppn agent import`: the first one pins authority and operator key, and demands the fingerprint of the signing key.
 * Throws AuthorityFingerprintNeeded, AuthorityFingerprintDiffers, BundleRefused, BadArmor.
 */
export function importBundle(
  memory: Memory,
  armored: string,
  authorityFingerprint?: string,
): { held: HeldBundle; taken: BundleTaken } {
  const raw = dearmorBundle(armored)
  if (!memory.pins && authorityFingerprint === undefined) throw new PpnError('AuthorityFingerprintNeeded', {})
  const named = memory.pins?.trusted ?? authoritiesIn(raw)
  const trusted = named.filter(
    ({ signingPublicKey: key }) =>
      authorityFingerprint === undefined ||
      fingerprint(typeof key === 'string' ? fromBase64(key) : key) === authorityFingerprint,
  )
  if (trusted.length === 0) throw new PpnError('AuthorityFingerprintDiffers', { expected: authorityFingerprint })
  const opened = openSignedBundle(raw, trusted)
  if (!opened.ok) throw new PpnError('BundleRefused', { reason: opened.reason })
  const { meshId, nodeId, enrolmentId, content } = opened.bundle.document
  memory.pins ??= { meshId, nodeId, enrolmentId, operatorKey: content.operatorKey, trusted }
  return { held: heldOf(opened.bundle), taken: takeBundle(memory, raw, true) }
}

/** Unverified: only to find the one whose fingerprint was given. */
function authoritiesIn(raw: Uint8Array): TrustedAuthority[] {
  try {
    const { content } = JSON.parse(Buffer.from(raw.subarray(DOCUMENT_AT)).toString('utf8')) as BundleDocument
    return content.authorities.map((a) => ({ authorityId: a.id, signingPublicKey: a.signingPublicKey }))
  } catch {
    return []
  }
}
