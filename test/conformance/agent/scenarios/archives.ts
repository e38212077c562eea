// Archives end by saying so; fences and floors.
import { OP, POWER } from '../../../../protocol/command/ops.ts'
import { anArchive } from '../../../../testing/bundle-fixtures.ts'
import { archive, lifecycle, marks, now, power, refusals, type Scenario } from './look.ts'

export const ARCHIVES: Scenario[] = [
  {
    name: 'an archive ends by saying so, and its disk is kept',
    async run(b) {
      await power(b, POWER.start)
      await b.push({
        revision: 2,
        switch: 'onReceipt',
        content: { archives: [anArchive({ slot: 1, remove: 'Retain' })] },
      })
      await b.clock.advance(120_000)
      const removed = lifecycle(b)
      await b.authority.send(OP.POWER, { slot: 1, value: POWER.start })
      await b.settle()
      const { releases, retainedDisks } = b.report()
      return [
        removed,
        lifecycle(b),
        refusals(b),
        releases.map((r) => [r.archive, r.fencingEpoch]),
        retainedDisks.map((d) => d.name),
      ]
    },
    outcome: ['Removed', 'Removed', { NotAllowed: 1 }, [[anArchive({ slot: 1 }).id, 1]], [anArchive({ slot: 1 }).name]],
  },
  {
    name: 'remove: Delete leaves no disk',
    async run(b) {
      await b.push({
        revision: 2,
        switch: 'onReceipt',
        content: { archives: [anArchive({ slot: 1, remove: 'Delete' })] },
      })
      await b.clock.advance(120_000)
      return [lifecycle(b), b.report().retainedDisks]
    },
    outcome: ['Removed', []],
  },
  {
    name: 'an archive given up at an epoch is not started at it again, and is at the next',
    async run(b) {
      const defined = async (revision: number, more: object) => {
        const archives = [anArchive({ slot: 1, ...more })]
        await b.push({ revision, switch: 'onReceipt', content: { archives } })
        await b.clock.advance(120_000)
      }
      await defined(2, { remove: 'Delete' })
      await defined(3, {})
      const refused = [await power(b, POWER.start), archive(b)?.errorCode]
      await defined(4, { fencingEpoch: 2 })
      return [refused, lifecycle(b), archive(b)?.fencingEpoch]
    },
    outcome: [['Failed', 'FenceRefused'], 'Running', 2],
  },
  {
    name: 'a running archive that the bundle no longer lists is left as it is and reported',
    async run(b) {
      await power(b, POWER.start)
      await b.push({ revision: 2, switch: 'onReceipt', content: { archives: [] } })
      await b.settle()
      return b.report().archives.map(({ slot, lifecycle: state, unlisted }) => [slot, state, unlisted])
    },
    outcome: [[1, 'Running', true]],
  },
  {
    name: 'a mark below the minSequence of its slot is void, and so is a packet below it',
    async run(b) {
      await b.authority.send(OP.WEIGHT, { slot: 1, value: 300 })
      await b.settle()
      const floor = now(b) + 100
      const archives = [anArchive({ slot: 1, minSequence: { term: 1, sequence: floor } })]
      await b.push({ revision: 2, switch: 'onReceipt', content: { archives } })
      await b.clock.advance(1_000)
      await b.authority.send(OP.POWER, { slot: 1, value: POWER.start, sequence: floor - 1 })
      await b.settle()
      const under = [marks(b), refusals(b), lifecycle(b)]
      await b.authority.send(OP.POWER, { slot: 1, value: POWER.start, sequence: floor })
      await b.settle()
      return [under, marks(b), lifecycle(b)]
    },
    outcome: [[[], { Stale: 1 }, 'Stopped'], [[OP.POWER, 1, POWER.start, 1, 'done']], 'Running'],
  },
]
