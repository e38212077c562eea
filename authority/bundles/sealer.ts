import { PpnError } from '../../base/errors.ts'
import type { Registry } from '../../controllers/ports/registry.ts'
import type { BundleContent } from '../../protocol/bundle/document.ts'
import { encodeSignedBundle, sealBundle } from '../../protocol/bundle/seal.ts'
import type { BundleVersions } from '../../protocol/bundle/versions.ts'
import type { Revision, Term } from '../../protocol/ids.ts'
import type { Keys } from '../keys/keys.ts'

interface SealOptions {
  node: string
  revision: Revision
  content: BundleContent
  switch: 'onApply' | 'onReceipt'
  version: number
}

/** Signs a content with what is true now: term and registry head are outside its digest. */
export type SealContent = (options: SealOptions) => Uint8Array

/** Throws NothingWanted for a node that is not enrolled, and what `sealBundle` throws. */
export function bundleSealer(options: {
  registry: Pick<Registry, 'of' | 'head'>
  keys: Pick<Keys, 'authorityId' | 'meshId' | 'signing'>
  term: () => Term
  versions: BundleVersions
}): SealContent {
  const { registry, keys, term, versions } = options
  return ({ node, revision, content, switch: how, version }) => {
    const enrolment = registry.of(node)
    if (!enrolment) throw new PpnError('NothingWanted', { node })
    const document = {
      version: 1 as const,
      meshId: keys.meshId,
      nodeId: enrolment.nodeId,
      enrolmentId: enrolment.enrolmentId,
      term: term(),
      revision,
      switch: how,
      registryHead: registry.head(),
      content,
    }
    const authority = { id: keys.authorityId, signingSecret: keys.signing.secretKey }
    return encodeSignedBundle(sealBundle(document, authority, { version, versions }))
  }
}
