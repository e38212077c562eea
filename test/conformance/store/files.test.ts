import fs from 'node:fs'
import path from 'node:path'
import { storeConformance } from './conformance.ts'
import { folderFixture } from './folder.ts'
import type { MakeSubject } from './subject.ts'

const make: MakeSubject = async () => {
  const f = folderFixture()
  const away = path.join(f.dir, 'away')
  let store = await f.open()
  const here = () => (fs.existsSync(away) ? away : f.root)
  const at = (place: string) => path.join(here(), place.endsWith('.yaml') ? place : `${place}.yaml`)
  return {
    store: () => store,
    async declare(place, documents) {
      f.write(at(place), documents)
      await f.seen()
    },
    async garble(place) {
      f.write(at(place), 'a: [1, 2\nb: }')
      await f.seen()
    },
    async drop(place) {
      fs.rmSync(at(place))
      await f.seen()
    },
    async setUnreadable(unreadable) {
      if (unreadable) fs.renameSync(f.root, away)
      else fs.renameSync(away, f.root)
      await f.seen()
    },
    start: () => f.start(store),
    async reopen() {
      await f.stop(store)
      store = await f.open()
    },
    end: f.end,
  }
}

storeConformance('the folder store', make)
