// Law 7: before an archive starts elsewhere, the node that had it says, signed, that it gave it up.
import { canonicalBytes } from '../base/canonical-json.ts'
import type { ArchiveId, FencingEpoch, MeshId, NodeId } from './ids.ts'
import { fromBase64, toBase64 } from './keys.ts'
import { signDomain, verifyDomain } from './sign.ts'

/** This node has stopped the archive for good at this fencing epoch and will not start it at or below it again. */
export interface ReleaseRecord {
  meshId: MeshId
  nodeId: NodeId
  archive: ArchiveId
  fencingEpoch: FencingEpoch
}

/** Canonical JSON {archive, fencingEpoch, meshId, nodeId}: what is signed. */
function releaseBytes(record: ReleaseRecord): Uint8Array {
  const { archive, fencingEpoch, meshId, nodeId } = record
  return canonicalBytes({ archive, fencingEpoch, meshId, nodeId })
}

/** The node's signature under "ppn-release/1", base64, as telemetry carries it. */
export function signRelease(record: ReleaseRecord, signingSecret: Uint8Array): string {
  return toBase64(signDomain('ppn-release/1', releaseBytes(record), signingSecret))
}

/** Never throws: whatever is malformed is false. */
export function verifyRelease(record: ReleaseRecord, signature: string, signingPublicKey: Uint8Array): boolean {
  try {
    return verifyDomain('ppn-release/1', releaseBytes(record), fromBase64(signature, 64), signingPublicKey)
  } catch {
    return false
  }
}
