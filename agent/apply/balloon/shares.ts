// Memory among VMs by weight, within floor and max: water-filling. Pure.
import { BALLOON_UNIT_MIB } from '../../../protocol/command/ops.ts'

export interface Claim {
  floorMiB: number
  maxMiB: number
  weight: number
}

/**
 * Everyone gets the floor; what `budgetMiB` leaves is shared by weight, nobody above the maximum. Floors bind: they
 * are given although the budget is too small. Results are whole units of 16 MiB, in the order of `claims`.
 */
export function shareMemory(budgetMiB: number, claims: readonly Claim[]): number[] {
  const given = claims.map((c) => c.floorMiB)
  let left = budgetMiB - given.reduce((sum, g) => sum + g, 0)
  let open = claims.map((c, i) => ({ ...c, i })).filter((c) => c.maxMiB > c.floorMiB)
  while (left > 0 && open.length > 0) {
    const weights = open.reduce((sum, c) => sum + c.weight, 0)
    const level = Math.min(left / weights, ...open.map((c) => (c.maxMiB - given[c.i]!) / c.weight))
    for (const c of open) given[c.i] = given[c.i]! + level * c.weight
    left -= level * weights
    open = open.filter((c) => c.maxMiB - given[c.i]! > 1e-6)
    if (level * weights < 1e-6) break
  }
  return claims.map((c, i) => {
    const units = Math.floor((given[i]! + 1e-6) / BALLOON_UNIT_MIB) * BALLOON_UNIT_MIB
    return Math.min(c.maxMiB, Math.max(c.floorMiB, units))
  })
}
