// Bundle versions. In memory there is one shape, that of document.ts; a codec translates it to and from the JSON of
// one version. The authority writes the newest version that an agent says it reads, and knows the two before its own.
import { type BundleContent, type BundleDocument, bundleDocument } from './document.ts'

export interface BundleCodec {
  /** The document as JSON of this version, its `version` member included. Throws what zod throws when it cannot be said. */
  write(document: BundleDocument): { version: number; content: unknown }
  /** The member `content` alone, as `write` has it: what is digested. Throws when it cannot be said. */
  content(content: BundleContent): unknown
  /** Strict: throws for anything this version does not know. */
  read(json: unknown): BundleDocument
}

/** By version number. */
export type BundleVersions = ReadonlyMap<number, BundleCodec>

const version1: BundleCodec = {
  write: (document) => bundleDocument.parse({ ...document, version: 1 }),
  content: (content) => content,
  read: (json) => bundleDocument.parse(json),
}

export const BUNDLE_VERSIONS: BundleVersions = new Map([[1, version1]])

/** The newest of our versions. */
export function newestVersion(versions: BundleVersions = BUNDLE_VERSIONS): number {
  return Math.max(...versions.keys())
}

/** The version to write for an agent that says it reads these; undefined when there is none in common. */
export function versionFor(reads: readonly number[], versions: BundleVersions = BUNDLE_VERSIONS): number | undefined {
  const common = reads.filter((version) => versions.has(version))
  return common.length > 0 ? Math.max(...common) : undefined
}

/** Read by every agent that can read anything of ours: for one that has not said yet what it reads. */
export function oldestVersion(versions: BundleVersions = BUNDLE_VERSIONS): number {
  return Math.min(...versions.keys())
}
