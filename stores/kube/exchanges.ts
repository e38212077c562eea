// Which open requests and watches are still believed in. A connection that died without a word, as behind a router that
// forgot it, looks like a quiet one: a watch has nothing to say for a minute, and a write may take its time. So what is
// asked often and answered fast stands for all: when it gets no answer in time, everything that has been silent since
// it was asked is cut off, to be asked anew on another connection.
import type { Clock } from '../../base/clock.ts'

export interface Exchange {
  /** Bytes came. */
  heard(): void
  end(): void
}

export interface Exchanges {
  begin(cut: (why: Error) => void): Exchange
  /** What was asked at `sinceMs` (Clock.monotonic()) got no answer. */
  distrust(sinceMs: number, why: Error): void
}

export function exchanges(clock: Pick<Clock, 'monotonic'>): Exchanges {
  const open = new Set<{ heardMs: number; cut: (why: Error) => void }>()
  return {
    begin(cut) {
      const one = { heardMs: clock.monotonic(), cut }
      open.add(one)
      return {
        heard() {
          one.heardMs = clock.monotonic()
        },
        end: () => void open.delete(one),
      }
    },
    distrust(sinceMs, why) {
      for (const one of [...open]) if (one.heardMs <= sinceMs) one.cut(why)
    },
  }
}
