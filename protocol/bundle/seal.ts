// A signed bundle as it travels and as it lies on a disk:
//   0      version of the document (u8)
//   1-16   id of the authority that signed
//   17-80  Ed25519 signature, domain "ppn-bundle/1", over the document's bytes
//   81-    the document, canonical JSON
import { canonicalBytes, parseCanonical, withoutUndefined } from '../../base/canonical-json.ts'
import { PpnError } from '../../base/errors.ts'
import { concat, idBytes } from '../bytes.ts'
import type { AuthorityId } from '../ids.ts'
import { fromBase64 } from '../keys.ts'
import { signDomain, verifyDomain } from '../sign.ts'
import { wireDigest } from './digest.ts'
import type { BundleDocument, SignedBundle } from './document.ts'
import { BUNDLE_VERSIONS, type BundleVersions, newestVersion } from './versions.ts'

/** Of the whole encoding. */
export const BUNDLE_LIMIT = 1024 * 1024
const AT = { version: 0, authority: 1, signature: 17, document: 81 } as const

export interface SealOptions {
  /** The version to write; the newest when absent. */
  version?: number
  versions?: BundleVersions
}

/**
 * Signs a document. Whatever an agent of that version would refuse is refused here: BundleInvalid, BundleTooLong,
 * BundleVersionUnknown.
 */
export function sealBundle(
  document: BundleDocument,
  authority: { id: AuthorityId; signingSecret: Uint8Array },
  options: SealOptions = {},
): SignedBundle {
  const versions = options.versions ?? BUNDLE_VERSIONS
  const version = options.version ?? newestVersion(versions)
  const codec = versions.get(version)
  if (!codec) throw new PpnError('BundleVersionUnknown', { version })
  const json = withoutUndefined(written(() => codec.write(document)))
  const bytes = canonicalBytes(json)
  const length = AT.document + bytes.length
  if (length > BUNDLE_LIMIT) throw new PpnError('BundleTooLong', { length, limit: BUNDLE_LIMIT })
  const signature = signDomain('ppn-bundle/1', bytes, authority.signingSecret)
  return { document, bytes, signature, authorityId: authority.id, version, digest: wireDigest(json.content) }
}

function written<T>(write: () => T): T {
  try {
    return write()
  } catch (cause) {
    throw new PpnError('BundleInvalid', { why: cause instanceof Error ? cause.message : String(cause) }, { cause })
  }
}

export function encodeSignedBundle(bundle: SignedBundle): Uint8Array {
  return concat(Uint8Array.of(bundle.version), idBytes(bundle.authorityId), bundle.signature, bundle.bytes)
}

/** An authority key an agent has pinned. */
export interface TrustedAuthority {
  authorityId: AuthorityId
  /** Ed25519: raw, or base64 as bundles carry it. */
  signingPublicKey: Uint8Array | string
}

export type BundleFault = 'BundleTooLong' | 'BundleMalformed' | 'BundleUnsigned' | 'BundleVersion'
export type OpenedBundle = { ok: true; bundle: SignedBundle } | { ok: false; reason: BundleFault }

const refused = (reason: BundleFault): OpenedBundle => ({ ok: false, reason })

/**
 * Opens a bundle that one of `trusted` has signed. Nothing of the document is looked at before its signature holds;
 * then it must be canonical, of a version we read, and without a field that version does not know.
 */
export function openSignedBundle(
  bytes: Uint8Array,
  trusted: readonly TrustedAuthority[],
  versions: BundleVersions = BUNDLE_VERSIONS,
): OpenedBundle {
  if (bytes.length > BUNDLE_LIMIT) return refused('BundleTooLong')
  if (bytes.length <= AT.document) return refused('BundleMalformed')
  const authorityId = Buffer.from(bytes.subarray(AT.authority, AT.signature)).toString('hex')
  const signature = new Uint8Array(bytes.subarray(AT.signature, AT.document))
  const signed = new Uint8Array(bytes.subarray(AT.document))
  const genuine = trusted.some(
    (one) =>
      one.authorityId === authorityId && verifyDomain('ppn-bundle/1', signed, signature, rawKey(one.signingPublicKey)),
  )
  if (!genuine) return refused('BundleUnsigned')
  const version = bytes[AT.version] as number
  const codec = versions.get(version)
  if (!codec) return refused('BundleVersion')
  try {
    const json = parseCanonical(signed) as { version?: unknown; content?: unknown }
    const document = codec.read(json)
    // The byte in front is not signed; the member is.
    if (json.version !== version) return refused('BundleMalformed')
    const digest = wireDigest(json.content)
    return { ok: true, bundle: { document, bytes: signed, signature, authorityId, version, digest } }
  } catch {
    return refused('BundleMalformed')
  }
}

function rawKey(key: Uint8Array | string): Uint8Array {
  return typeof key === 'string' ? fromBase64(key) : key
}
