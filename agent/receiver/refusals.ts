/** Why something that came in was discarded: one counter a reason, since the agent started (law 13). */
export interface Refusals {
  count(reason: string): void
  all(): Record<string, number>
}

/** `changed` is called after each count. */
export function refusalCounters(changed: () => void = () => {}): Refusals {
  const counts = new Map<string, number>()
  return {
    count(reason) {
      counts.set(reason, (counts.get(reason) ?? 0) + 1)
      changed()
    },
    all: () => Object.fromEntries(counts),
  }
}
