// Law 11: a release record is verified as it comes in, so that whoever reads the fleet's view sees only what the node's
// own signing key said. What does not verify is left out, and counted.
import type { MeshId } from '../../protocol/ids.ts'
import { fromBase64 } from '../../protocol/keys.ts'
import { verifyRelease } from '../../protocol/release.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import type { RosterEntry } from '../roster.ts'

type Release = NodeReport['releases'][number]

/** Verdicts kept: a record comes again with every snapshot. Forgotten all at once, and then made anew. */
const KEPT = 16_384

/** `forged` is called once for every record that is left out and was not seen before. */
export function releaseCheck(meshId: MeshId, forged: () => void) {
  const known = new Map<string, boolean>()

  const holds = (entry: RosterEntry, { archive, fencingEpoch, signature }: Release): boolean => {
    const { nodeId, signingPublicKey } = entry
    if (signingPublicKey === undefined) return false
    const key = `${nodeId} ${signingPublicKey} ${archive} ${fencingEpoch} ${signature}`
    const before = known.get(key)
    if (before !== undefined) return before
    const genuine = verifyRelease({ meshId, nodeId, archive, fencingEpoch }, signature, fromBase64(signingPublicKey))
    if (known.size >= KEPT) known.clear()
    known.set(key, genuine)
    if (!genuine) forged()
    return genuine
  }
  return (entry: RosterEntry, releases: readonly Release[]): Release[] => releases.filter((one) => holds(entry, one))
}
