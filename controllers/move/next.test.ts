import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ArchiveId, FencingEpoch, Sequence, Slot, Term } from '../../protocol/ids.ts'
import type { Placement } from '../ports/allocator.ts'
import { type MoveFacts, type MoveStep, nextStep } from './next.ts'
import type { Move } from './record.ts'

const placed = (node: string, fencingEpoch: number): Placement => ({
  archiveUid: 'uid',
  archiveKey: 'Archive/vault/gateway-orchestration-mail-1',
  id: 'a'.repeat(32) as ArchiveId,
  node,
  slot: 1 as Slot,
  fencingEpoch: fencingEpoch as FencingEpoch,
  minSequence: { term: 0 as Term, sequence: 0 as Sequence },
  floorMiB: 256,
  maxMiB: 512,
  admittedMs: 0,
})
const OLD = placed('old', 1)
const NEW = placed('new', 2)
const ROOT = 'c'.repeat(64)
const move = (phase: Move['phase'], more: Partial<Move> = {}): Move => ({ phase, from: OLD, to: 'new', ...more })
const facts = (over: Partial<MoveFacts> = {}): MoveFacts => ({
  placement: OLD,
  pin: 'new',
  served: true,
  admitted: true,
  noSlot: false,
  stopped: false,
  ready: false,
  asDeclared: false,
  leftoverGone: false,
  ...over,
})

const nothing: MoveStep = { do: 'nothing' }
const record = (to?: Move): MoveStep => ({ do: 'record', move: to })
const wait = (what: (MoveStep & { do: 'wait' })['for']): MoveStep => ({ do: 'wait', for: what })
const stopping = move('stopping')
const releasing = move('releasing')
const copying = move('copying', { root: ROOT })
const landed = move('landed', { root: ROOT })
const returning = move('returning')
const leaving = move('returning', { leftover: NEW })
const cleaning = move('cleaning', { leftover: OLD })

describe('the next step', () => {
  test.each<[string, Partial<MoveFacts>, MoveStep]>([
    ['it is where its pin says', { pin: 'old' }, nothing],
    ['relocation Never', { served: false }, nothing],
    ['the pinned node does not take it', { admitted: false }, nothing],
    ['it is being deleted', { pin: undefined }, nothing],
    ['its pin changed', {}, record(stopping)],

    ['not stopped yet', { move: stopping }, wait('Stopping')],
    ['stopped', { move: stopping, stopped: true }, record(releasing)],
    ['the pin is back while it stops', { move: stopping, pin: 'old' }, record()],
    ['the room is gone while it stops', { move: stopping, admitted: false }, record()],
    ['deleted while it stops', { move: stopping, pin: undefined, stopped: true }, record()],

    ['no release yet', { move: releasing, stopped: true }, wait('Releasing')],
    ['a release, but the disk is not read through', { move: releasing, release: {} }, wait('Releasing')],
    ['a release with its root', { move: releasing, release: { root: ROOT } }, record(copying)],
    ['called off before the release is proved', { move: releasing, pin: 'old' }, wait('Returning')],
    ['called off, release proved', { move: releasing, pin: 'old', release: {} }, record(returning)],
    ['deleted, release proved', { move: releasing, pin: undefined, release: { root: ROOT } }, record(returning)],
    ['another goal', { move: releasing, pin: 'third' }, record({ ...releasing, to: 'third' })],
    ['another goal that has no room', { move: releasing, pin: 'third', admitted: false }, wait('Returning')],

    ['no place on the new node yet', { move: copying }, { do: 'place', node: 'new' }],
    ['no slot there', { move: copying, noSlot: true }, wait('Copying')],
    ['called off before it had a place there', { move: copying, pin: 'old' }, record(returning)],
    ['placed under the old epoch', { move: copying, placement: placed('new', 1) }, { do: 'raise' }],
    ['the disk is on its way', { move: copying, placement: NEW }, wait('Copying')],
    ['the push was cut', { move: copying, placement: NEW, cutAt: 32 }, record({ ...copying, fromChunk: 32 })],
    [
      'the push stands still where it was cut',
      { move: { ...copying, fromChunk: 32 }, placement: NEW, cutAt: 32 },
      wait('Copying'),
    ],
    ['called off while it is copied', { move: copying, placement: NEW, pin: 'old' }, record(leaving)],
    ['called off as it has arrived', { move: copying, placement: NEW, pin: 'old', ready: true }, record(leaving)],
    ['arrived', { move: copying, placement: NEW, ready: true }, record(landed)],

    ['arrived, not started', { move: landed, placement: NEW, ready: true }, wait('Landing')],
    ['as declared there', { move: landed, placement: NEW, ready: true, asDeclared: true }, record(cleaning)],
    ['called off too late', { move: landed, placement: NEW, pin: 'old' }, record(cleaning)],
    ['deleted after it arrived', { move: landed, placement: NEW, pin: undefined }, record(cleaning)],

    ['coming back from a place', { move: leaving, placement: NEW, pin: 'old' }, { do: 'place', node: 'old' }],
    ['back under an epoch that the new node had', { move: leaving, placement: placed('old', 2) }, { do: 'raise' }],
    ['back under the epoch it gave up', { move: returning, pin: 'old' }, { do: 'raise' }],
    ['the old node takes it back', { move: returning, placement: placed('old', 2) }, wait('Returning')],
    ['it is back', { move: returning, placement: placed('old', 2), ready: true }, record()],
    [
      'it is back, and a copy is left',
      { move: leaving, placement: placed('old', 3), ready: true },
      record(move('cleaning', { leftover: NEW })),
    ],
    [
      'the pin changes once more while it comes back',
      { move: returning, placement: placed('old', 2) },
      wait('Returning'),
    ],

    ['the old copy is still there', { move: cleaning, placement: NEW }, wait('Cleaning')],
    ['the old copy is gone', { move: cleaning, placement: NEW, leftoverGone: true }, record()],
  ])('%s', (_, over, step) => {
    expect(nextStep(facts(over))).toEqual(step)
  })
})

/** Everything a move does, over a world in which each fact comes true when it likes. */
const weather = fc.record({
  pin: fc.constantFrom<(string | undefined)[]>('old', 'new', 'new', 'third', undefined),
  admitted: fc.boolean(),
  stopped: fc.boolean(),
  released: fc.boolean(),
  rooted: fc.boolean(),
  ready: fc.boolean(),
  asDeclared: fc.boolean(),
  leftoverGone: fc.boolean(),
})

test('law 7: it is placed elsewhere only after a release, starts only above every epoch given up, and always ends', () => {
  fc.assert(
    fc.property(fc.array(weather, { maxLength: 40 }), fc.constantFrom('old', 'new'), (days, last) => {
      let now: Move | undefined
      let placement = OLD
      let epoch = 1
      let released = 0
      const live = (day: (typeof days)[number]) => {
        if (day.released && (now?.phase === 'releasing' || now?.phase === 'copying')) released = now.from.fencingEpoch
        const step = nextStep({
          ...facts(),
          ...(now && { move: now }),
          ...day,
          placement,
          ...(now && released >= now.from.fencingEpoch && { release: day.rooted ? { root: ROOT } : {} }),
        })
        if (step.do === 'record') {
          // There is no way back once it may have been started there.
          if (now?.phase === 'landed') expect(step.move?.phase).toBe('cleaning')
          now = step.move
        }
        if (step.do === 'place') {
          expect(released).toBeGreaterThanOrEqual(now?.from.fencingEpoch ?? Number.POSITIVE_INFINITY)
          placement = placed(step.node, placement.fencingEpoch)
        }
        if (step.do === 'raise') placement = placed(placement.node, ++epoch)
        if (now?.phase === 'landed') expect(placement.fencingEpoch).toBeGreaterThan(now.from.fencingEpoch)
        if (now === undefined) released = 0
      }
      for (const day of days) live(day)
      const fair = { admitted: true, stopped: true, released: true, rooted: true, ready: true }
      for (let i = 0; i < 40; i++) live({ ...fair, pin: last, asDeclared: true, leftoverGone: true })
      expect(now).toBeUndefined()
      expect(placement.node).toBe(last)
    }),
  )
})
