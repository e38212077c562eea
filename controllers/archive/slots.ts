// When a slot may be given again (section 7.1, Slots). Pure.
import type { Slot } from '../../protocol/ids.ts'
import type { BundleState } from '../ports/bundles.ts'
import type { NodeView } from '../ports/fleet.ts'

/**
 * Of the released slots those that are free: fresh telemetry shows the wanted bundle applied, which does not list the
 * slot, and nothing reported in it. An orphan that runs on, Unlisted, keeps its slot.
 */
export function freeSlots(
  released: readonly { slot: Slot }[],
  state: Pick<BundleState, 'digest' | 'content'>,
  { liveness, report }: Pick<NodeView, 'liveness' | 'report'>,
): Slot[] {
  const { digest, content } = state
  if (liveness !== 'Fresh' || !report || !content || report.bundles.applied?.digest !== digest) return []
  const taken = new Set(content.archives.map((a) => a.slot))
  for (const { slot, lifecycle } of report.archives) if (lifecycle !== 'Removed') taken.add(slot)
  return released.map(({ slot }) => slot).filter((slot) => !taken.has(slot))
}
