// Which open requests and watches are still believed in. A connection that died without a word, as behind a router that
// forgot it, looks like a quiet one: a watch has nothing to say for a minute, and a write may take its time. So what is
// asked often and answered fast stands for all: when it gets no answer in time, everything that has been silent since
// it was asked is cut off, to be asked anew on another connection. What was begun after that, and before anything was
// answered again, may hang just as well: it gets as long from then on.
import type { Clock } from '../../base/clock.ts'

export interface Exchange {
  /** Bytes came. */
  heard(): void
  end(): void
}

export interface Exchanges {
  begin(cut: (why: Error) => void): Exchange
  /** What was asked at `sinceMs` (Clock.monotonic()) got no answer within `patienceMs`. */
  distrust(sinceMs: number, patienceMs: number, why: Error): void
  /** Something was answered: whoever is there answers again. */
  answered(): void
}

interface Open {
  heardMs: number
  /** Nothing has come since it was begun. */
  mute: boolean
  cut(why: Error): void
}

export function exchanges(clock: Pick<Clock, 'monotonic' | 'after'>): Exchanges {
  const open = new Set<Open>()
  let doubt: { patienceMs: number; why: Error } | undefined
  return {
    begin(cut) {
      const one: Open = { heardMs: clock.monotonic(), mute: true, cut }
      open.add(one)
      return {
        heard() {
          one.heardMs = clock.monotonic()
          one.mute = false
        },
        end: () => void open.delete(one),
      }
    },
    distrust(sinceMs, patienceMs, why) {
      doubt = { patienceMs, why }
      for (const one of [...open]) if (one.heardMs <= sinceMs) one.cut(why)
    },
    answered() {
      if (!doubt) return
      const { patienceMs, why } = doubt
      doubt = undefined
      const asked = [...open].filter(({ mute }) => mute)
      if (asked.length === 0) return
      clock.after(patienceMs, () => {
        for (const one of asked) if (one.mute && open.has(one)) one.cut(why)
      })
    },
  }
}
