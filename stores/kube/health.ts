// How fresh and whole the copies of all collections are, as one answer.
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../base/clock.ts'
import type { SourceProblem, StoreHealth } from '../../controllers/ports/store.ts'

export interface KubeHealth {
  now(): StoreHealth
  lastEventMs(): number
  /** Clock.monotonic() of the last word of each collection; 0 before the first. */
  heard(): ReadonlyMap<string, number>
  /** The server said something about this collection. */
  fresh(name: string): void
  /** These return what is to be told: the health after a change that a reader would see. */
  trouble(name: string, why: string | undefined, problems: readonly SourceProblem[]): StoreHealth | undefined
  problems(problems: readonly SourceProblem[]): StoreHealth | undefined
  synced(problems: readonly SourceProblem[]): StoreHealth | undefined
}

export function kubeHealth(clock: Clock, collections: readonly string[]): KubeHealth {
  const troubles = new Map<string, string>()
  const heard = new Map<string, number>(collections.map((name) => [name, 0]))
  let synced = false
  let told: StoreHealth = { synced: false, lastReadMs: 0, watching: 'events', problems: [] }

  const lastEventMs = () => Math.min(...heard.values())
  const settle = (problems: readonly SourceProblem[]): StoreHealth | undefined => {
    const [first] = troubles
    const next: StoreHealth = {
      ...{ synced, lastReadMs: told.lastReadMs, watching: 'events', problems },
      ...(first && { unreadable: `${first[0]}: ${first[1]}` }),
    }
    // Which of many troubles is named first is no news.
    const seen = ({ unreadable, ...rest }: StoreHealth) => ({ ...rest, unreadable: unreadable !== undefined })
    const changed = !isDeepStrictEqual(seen(next), seen(told))
    told = next
    return changed ? next : undefined
  }
  return {
    now: () => ({ ...told, lastReadMs: lastEventMs() }),
    lastEventMs,
    heard: () => heard,
    fresh: (name) => void heard.set(name, clock.monotonic()),
    trouble(name, why, problems) {
      if (why === undefined) {
        troubles.delete(name)
        heard.set(name, clock.monotonic())
      } else troubles.set(name, why)
      return settle(problems)
    },
    problems: settle,
    synced(problems) {
      synced = true
      return settle(problems)
    },
  }
}
