import { createHash } from 'node:crypto'
import { canonicalBytes, withoutUndefined } from '../../base/canonical-json.ts'
import type { Digest } from '../ids.ts'
import type { BundleContent } from './document.ts'
import type { BundleVersions } from './versions.ts'

/** SHA-256 of the canonical JSON of a bundle's content as it travels. */
export function wireDigest(content: unknown): Digest {
  return createHash('sha256')
    .update(canonicalBytes(withoutUndefined(content)))
    .digest('hex')
}

/**
 * The digest two nodes compare contents by. Of a version-1 content it is the digest of the content itself; for a
 * bundle that was received or sealed, `SignedBundle.digest` has it in the version it travels in.
 */
export function contentDigest(content: BundleContent): Digest {
  return wireDigest(content)
}

/** The same content as each version says it, newest first. A version that cannot say it is left out. */
export function digestsOf(content: BundleContent, versions: BundleVersions): { version: number; digest: Digest }[] {
  const newestFirst = [...versions].sort(([a], [b]) => b - a)
  return newestFirst.flatMap(([version, codec]) => {
    try {
      return [{ version, digest: wireDigest(codec.content(content)) }]
    } catch {
      return []
    }
  })
}
