// The PING to 255 at the beginning of a reign, and to whom another is owed after it (section 7.1, Start). A whole fleet
// answers it at once, and its snapshots take their time to be read: who is asked again before that was asked twice for
// nothing.
import type { Clock, Timer } from '../../base/clock.ts'

/** Answers are still coming while somebody answered within so many looks ... */
const LOOK_MS = 500
const QUIET_LOOKS = 4
/** ... but no longer than this. Looks are counted, not milliseconds: who did not get to read has not waited. */
const LOOKS_MAX = 60

export interface FirstPingsOptions {
  clock: Clock
  /** Every node that can be asked. */
  nodes(): string[]
  isHeard(node: string): boolean
  /** PING to all of them. */
  pingAll(nodes: readonly string[]): Promise<unknown>
  /** PING to one, repeated until it is heard. */
  ping(node: string): void
}

export interface FirstPings {
  /** Asks everybody; those who stay silent are asked alone afterwards. Resolves when the first PING is out. */
  ask(): Promise<void>
  /** The node needs a PING: at once, or when the answers to the one to all are in. */
  draw(node: string): void
  /** The node was heard under the last PING. */
  settle(node: string): void
  stop(): void
}

export function firstPings({ clock, nodes, isHeard, pingAll, ping }: FirstPingsOptions): FirstPings {
  /** Nodes that a PING is owed to; undefined: nothing is under way, ask at once. Before the first `ask` nobody is asked. */
  let owed: Set<string> | undefined = new Set()
  let answered = false
  let timer: Timer | undefined

  const askAlone = (): void => {
    timer?.cancel()
    const still = owed ?? []
    owed = undefined
    for (const node of still) ping(node)
  }
  const look = (looks: number, quiet: number): void => {
    if (owed?.size === 0 || quiet >= QUIET_LOOKS || looks >= LOOKS_MAX) askAlone()
    else
      timer = clock.after(LOOK_MS, () => {
        const now = answered ? 0 : quiet + 1
        answered = false
        look(looks + 1, now)
      })
  }
  return {
    async ask() {
      timer?.cancel()
      const all = nodes()
      owed = new Set(all)
      await pingAll(all)
      for (const node of all) if (isHeard(node)) owed.delete(node)
      answered = false
      look(0, 0)
    },
    draw(node) {
      if (owed) owed.add(node)
      else ping(node)
    },
    settle(node) {
      if (owed?.delete(node)) answered = true
    },
    stop: () => timer?.cancel(),
  }
}
