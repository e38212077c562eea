// Has the node's bundle got this very definition, and does the node run it? (law 2)
//
// Every change on the node makes a new bundle, and most of them leave the archive's entry alone. So an entry once seen
// applied stays so for as long as the node runs the bundle it was seen in, whatever else is on its way: adding a
// peer unsettles no archive (law 6).
import { isDeepStrictEqual } from 'node:util'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { BundleArchive } from '../../protocol/bundle/document.ts'
import type { Digest } from '../../protocol/ids.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import { archiveEntry } from '../bundle/entry.ts'
import type { Placement } from '../ports/allocator.ts'
import type { BundleState, WantedContent } from '../ports/bundles.ts'
import type { Removal } from './removal.ts'

/** The entry that was seen applied, and in which bundle. */
export interface SeenDefinition {
  entry: string
  digest: Digest
}

/** The archive's entry of the wanted bundle, if it is the one that its object and placement ask for now. */
export function wantedEntry(
  content: WantedContent | undefined,
  archive: PpnObject<'Archive'>,
  placement: Placement,
  removal: Removal | undefined,
  asked = archiveEntry(archive, placement, removal === 'Orphan' ? undefined : removal),
): BundleArchive | undefined {
  const entry = content?.archives.find((a) => a.id === placement.id)
  return isDeepStrictEqual(entry, asked) ? entry : undefined
}

/** The definition as seen applied now; undefined: not (yet) in force. */
export function seenDefinition(
  entry: BundleArchive | undefined,
  state: BundleState,
  report: NodeReport,
  before: SeenDefinition | undefined,
): SeenDefinition | undefined {
  const running = report.bundles.applied?.digest
  if (!entry || running === undefined) return undefined
  const text = JSON.stringify(entry)
  if (running === state.digest) return { entry: text, digest: running }
  return before?.entry === text && before.digest === running ? before : undefined
}
