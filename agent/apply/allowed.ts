// A command only triggers what the applied bundle allows (section 7.1). Pure.
import { BALLOON_UNIT_MIB, OP } from '../../protocol/command/ops.ts'
import type { InForce } from '../bundles/manager.ts'
import type { AcceptedCommand } from '../receiver/receiver.ts'

/** Why not; undefined: it is allowed. */
export function forbidden(
  command: Pick<AcceptedCommand, 'op' | 'slot' | 'value'>,
  inForce: InForce | undefined,
): string | undefined {
  const { op, slot, value } = command
  if (!inForce) return 'NoBundle'
  const { content } = inForce.bundle
  if (slot === 0) {
    const leaves = (op === OP.ISOLATE || op === OP.SEVER) && value === 1
    return leaves && isAnchor(content) ? 'NotAllowed' : undefined
  }
  if (inForce.from !== 'applied') return 'NoBundle'
  const archive = content.archives.find((a) => a.slot === slot)
  if (!archive) return 'UnknownSlot'
  if (archive.remove) return 'NotAllowed'
  if (op === OP.BALLOON) {
    const target = value * BALLOON_UNIT_MIB
    const within = target >= archive.floorMiB && target <= archive.maxMiB
    if (content.pool.balloon.policy !== 'Manual' || !within) return 'NotAllowed'
  }
  return undefined
}

/** The hub and an authority's node cannot be isolated or severed (section 5). */
function isAnchor(content: InForce['bundle']['content']): boolean {
  const { role, address } = content.node
  return role === 'hub' || content.authorities.some((a) => a.addresses.includes(address))
}
