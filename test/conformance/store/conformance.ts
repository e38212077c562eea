// What every store does, whatever its source. One function a chapter; each test is a sentence of the design.
import { afterEach, describe } from 'vitest'
import { declaring } from './declaring.ts'
import { deleting } from './deleting.ts'
import { holding } from './holding.ts'
import { listening } from './listening.ts'
import { outliving } from './outliving.ts'
import { recording } from './recording.ts'
import type { MakeSubject, SourceKind, StoreSubject } from './subject.ts'

/** Registers the suite. `make` gives a fresh subject with an empty source each time. */
export function storeConformance(name: string, make: MakeSubject, source: SourceKind = 'documents'): void {
  describe(name, () => {
    const open: StoreSubject[] = []
    afterEach(async () => {
      for (const subject of open.splice(0)) await subject.end()
    })
    const fresh: MakeSubject = async () => {
      const subject = await make()
      open.push(subject)
      return subject
    }
    describe('declaring', () => declaring(fresh, source))
    describe('holding', () => holding(fresh, source))
    describe('deleting', () => deleting(fresh, source))
    describe('listening', () => listening(fresh, source))
    describe('recording', () => recording(fresh))
    describe('outliving', () => outliving(fresh, source))
  })
}
