// What cpu.weight does: processors are shared by weight among those who want them, and what one does not use goes
// to the others.

export interface CpuDemand {
  weight: number
  /** Processors it would use if it were alone. */
  processors: number
}

/** Processors each gets: never more than it asks for, together never more than `cpus`, by weight where they are short. */
export function cpuShares(demands: readonly CpuDemand[], cpus: number): number[] {
  const shares = demands.map(() => 0)
  let left = cpus
  // Those who ask least for their weight are served in full first, and the rest is shared anew.
  const order = demands
    .map((demand, index) => ({ ...demand, index }))
    .sort((a, b) => a.processors / a.weight - b.processors / b.weight)
  let weights = order.reduce((sum, one) => sum + one.weight, 0)
  for (const one of order) {
    const share = Math.min(one.processors, (left * one.weight) / weights)
    shares[one.index] = share
    left -= share
    weights -= one.weight
  }
  return shares
}
