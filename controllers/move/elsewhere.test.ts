import { describe, expect, test } from 'vitest'
import type { ArchiveId, FencingEpoch, Sequence, Slot, Term } from '../../protocol/ids.ts'
import type { ArchiveReport, NodeReport } from '../../protocol/telemetry/report.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { Placement } from '../ports/allocator.ts'
import { ID, KEY, shows, UID } from '../testing/archive-fleet.ts'
import { foundElsewhere } from './elsewhere.ts'
import type { Move } from './record.ts'

const placement: Placement = {
  archiveUid: UID,
  archiveKey: KEY,
  id: ID as ArchiveId,
  node: 'old',
  slot: 1 as Slot,
  fencingEpoch: 1 as FencingEpoch,
  minSequence: { term: 0 as Term, sequence: 0 as Sequence },
  floorMiB: 256,
  maxMiB: 1024,
  admittedMs: 0,
}

interface Shown {
  releases?: number[]
  archive?: Partial<ArchiveReport>
  liveness?: 'Fresh' | 'Stale' | 'Unheard'
}

const there = { archive: { slot: 3 as Slot, fencingEpoch: 2 as FencingEpoch } }
const gone = { releases: [1] }

function look(nodes: Record<string, Shown>, more: { move?: Partial<Move>; taken?: number } = {}) {
  const view = (node: string) => {
    const { releases = [], archive, liveness = 'Fresh' } = nodes[node] ?? { liveness: 'Unheard' }
    const report = {
      releases: releases.map((fencingEpoch) => ({ archive: ID, fencingEpoch })),
      archives: archive ? [shows(archive)] : [],
    } as unknown as NodeReport
    return { liveness, report }
  }
  const move = more.move && { phase: 'stopping', from: placement, to: 'new', ...more.move }
  return foundElsewhere(
    {
      fleet: { view, superseded: () => false },
      authority: { brake: () => ({ set: false }) },
      index: { nodes: () => Object.keys(nodes).map((name) => ({ metadata: { name } })) },
      allocator: {
        placementsOn: () => (more.taken === undefined ? [] : [{ slot: more.taken }]),
        releasedSlots: () => [],
      },
      store: { records: { get: () => move && { value: move } } },
    } as unknown as ControllerWorld,
    placement,
  )
}

describe('an archive is taken for being elsewhere', () => {
  test('when its old node shows the release and another the whole disk under a higher epoch', () => {
    expect(look({ old: gone, new: there })).toEqual({ node: 'new', slot: 3, fencingEpoch: 2 })
  })

  test('also when a move of the old record has begun', () => {
    expect(look({ old: gone, new: there }, { move: {} })).toMatchObject({ node: 'new' })
    expect(look({ old: gone, new: there }, { move: { phase: 'copying' } })).toMatchObject({ node: 'new' })
  })

  test('at the highest epoch, when it went on from there', () => {
    const last = { archive: { slot: 5 as Slot, fencingEpoch: 3 as FencingEpoch } }
    expect(look({ old: gone, new: there, last })).toMatchObject({ node: 'last' })
    expect(look({ old: gone, last, new: there })).toMatchObject({ node: 'last' })
  })
})

describe('it is not', () => {
  test.each<[string, Record<string, Shown>, { move?: Partial<Move>; taken?: number }?]>([
    ['by one node’s claim alone', { old: {}, new: there }],
    ['by an old node that is not heard', { old: { ...gone, liveness: 'Unheard' }, new: there }],
    ['by what an old node showed before it fell silent', { old: { ...gone, liveness: 'Stale' }, new: there }],
    ['by a release of an epoch before the present one', { old: { releases: [0] }, new: there }],
    ['by a node that has fallen silent', { old: gone, new: { ...there, liveness: 'Stale' } }],
    ['by a copy of the epoch that was released', { old: gone, new: { archive: { fencingEpoch: 1 as FencingEpoch } } }],
    ['by a disk that is not whole', { old: gone, new: { archive: { ...there.archive, imageReady: false } } }],
    ['by a copy that is removed', { old: gone, new: { archive: { ...there.archive, lifecycle: 'Removed' } } }],
    ['by a node that has given it up since', { old: gone, new: { ...there, releases: [2] } }],
    ['where another archive has the slot', { old: gone, new: there }, { taken: 3 }],
    ['while our own move is on its way back', { old: gone, new: there }, { move: { phase: 'returning' } }],
    ['by the copy that our own move left behind', { old: gone, new: there }, { move: { phase: 'cleaning' } }],
  ])('%s', (_, nodes, more) => {
    expect(look(nodes, more)).toBeUndefined()
  })
})
