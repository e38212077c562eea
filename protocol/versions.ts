// What one program speaks: the table of each channel that has versions. The two move together: whoever writes bundles
// of a version reads telemetry of that version, and of every older one that it still writes bundles of.
import { BUNDLE_VERSIONS, type BundleVersions } from './bundle/versions.ts'
import { OP } from './command/ops.ts'
import { type FrameVersions, TELEMETRY_VERSIONS } from './telemetry/frame.ts'

export interface WireVersions {
  bundle: BundleVersions
  telemetry: FrameVersions
  /** Commands an agent obeys, and says so. */
  ops: readonly number[]
}

export const WIRE_VERSIONS: WireVersions = {
  bundle: BUNDLE_VERSIONS,
  telemetry: TELEMETRY_VERSIONS,
  ops: Object.values(OP),
}

/**
 * The telemetry version an agent writes: the newest it has that is not newer than the bundle it lives by, because
 * whoever signed that one reads it. Nothing flows back on the channel that could say so (law 1).
 */
export function telemetryVersionFor(bundleVersion: number, versions: FrameVersions = TELEMETRY_VERSIONS): number {
  const known = [...versions.keys()]
  const readable = known.filter((version) => version <= bundleVersion)
  return readable.length > 0 ? Math.max(...readable) : Math.min(...known)
}
