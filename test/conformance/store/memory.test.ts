import { memoryState } from '../../../stores/memory/state.ts'
import { memoryStore } from '../../../stores/memory/store.ts'
import { virtualClock } from '../../../testing/virtual-clock.ts'
import { storeConformance } from './conformance.ts'
import { seededRandom } from './random.ts'
import type { MakeSubject } from './subject.ts'

const make: MakeSubject = async () => {
  const clock = virtualClock()
  const state = memoryState()
  const random = seededRandom()
  const places = new Map<string, readonly unknown[] | 'garbled'>()
  let unreadable = false
  let life = new AbortController()
  let store = memoryStore({ clock, state, random })

  const put = (place: string, documents: readonly unknown[] | 'garbled') => {
    if (documents === 'garbled') store.garble(place)
    else store.declare(place, documents)
  }
  return {
    store: () => store,
    async declare(place, documents) {
      places.set(place, documents)
      put(place, documents)
    },
    async garble(place) {
      places.set(place, 'garbled')
      put(place, 'garbled')
    },
    async drop(place) {
      places.delete(place)
      store.drop(place)
    },
    async setUnreadable(now) {
      unreadable = now
      store.setUnreadable(now ? 'out of sight' : undefined)
    },
    async start() {
      let done = false
      void store.start(life.signal).then(
        () => {
          done = true
        },
        () => {},
      )
      await clock.settle()
      return done
    },
    async reopen() {
      life.abort()
      await store.close()
      life = new AbortController()
      store = memoryStore({ clock, state, random })
      if (unreadable) store.setUnreadable('out of sight')
      for (const [place, documents] of places) put(place, documents)
    },
    async end() {
      life.abort()
      await store.close()
    },
  }
}

storeConformance('the memory store', make)
