// A process dies right after one of its writes and is started again: it finds that fact, and nothing that was to follow.
import type { Fleet } from './harness.ts'

const LOOK_MS = 100
const DOWN_MS = 300

export interface KillAfterWrite {
  /** `authority`, or a node. */
  victim: string
  writes: number
  /** It has written what it will by then: nobody dies later. */
  withinMs: number
  /** Lets so much virtual time pass. */
  advance?(ms: number): Promise<void>
}

/** Resolves when it runs again, or was never killed. */
export async function killAfterWrite(fleet: Fleet, options: KillAfterWrite): Promise<void> {
  const { victim, writes, withinMs, advance = fleet.clock.advance } = options
  fleet.killAfter(victim, writes)
  for (let passed = 0; fleet.alive(victim) && passed < withinMs; passed += LOOK_MS) await advance(LOOK_MS)
  if (fleet.alive(victim)) return fleet.killAfter(victim, Number.POSITIVE_INFINITY)
  await advance(DOWN_MS)
  await fleet.revive(victim)
}
