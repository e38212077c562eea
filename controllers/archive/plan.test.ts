// The plan as data: which effects, in which order. What status says is tested in controller.test.ts.
import { expect, test } from 'vitest'
import { ANNOTATION, FINALIZER, type ObjectMeta } from '../../api/meta.ts'
import { archiveSpec } from '../../api/v1alpha1/archive.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { OP } from '../../protocol/command/ops.ts'
import type { ArchiveId, FencingEpoch, Sequence, Slot, Term } from '../../protocol/ids.ts'
import type { Effect } from '../common/effects.ts'
import type { Placement } from '../ports/allocator.ts'
import { ID, KEY, mark, NAME, NODE, SPEC, STARTED, shows, UID } from '../testing/archive-fleet.ts'
import { powerGoal } from './goals.ts'
import type { ArchiveObserved, OpStand } from './observed.ts'
import { planArchive } from './plan.ts'

const T0 = '2026-01-01T00:00:00Z'

function archive(meta: Partial<ObjectMeta> = {}, spec: object = {}): PpnObject<'Archive'> {
  return {
    kind: 'Archive',
    metadata: {
      name: NAME,
      namespace: 'vault',
      uid: UID,
      generation: 1,
      resourceVersion: '1',
      creationTimestamp: T0,
      finalizers: [FINALIZER],
      labels: {},
      annotations: {},
      ...meta,
    },
    spec: archiveSpec.parse({ ...SPEC, ...spec }),
  }
}

const placement: Placement = {
  archiveUid: UID,
  archiveKey: KEY,
  id: ID as ArchiveId,
  node: NODE,
  slot: 1 as Slot,
  fencingEpoch: 1 as FencingEpoch,
  minSequence: { term: 0 as Term, sequence: 0 as Sequence },
  floorMiB: 256,
  maxMiB: 1024,
  admittedMs: 0,
}

function observed(over: Partial<ArchiveObserved> = {}): ArchiveObserved {
  return {
    nowMs: Date.parse(T0),
    deletion: { begun: false, confirmed: false },
    placement,
    verdict: { admitted: true, memory: { floorMiB: 256, maxMiB: 1024 } },
    channel: 'open',
    liveness: 'Fresh',
    bundle: { stage: 'Applied', defined: true },
    report: shows(),
    ops: [],
    ...over,
  }
}

const needed: OpStand = {
  goal: powerGoal('Archived', shows()),
  progress: { state: 'needed' },
  mark: STARTED[0],
  paced: { memory: { value: 0, reissue: 2, sending: true }, send: { reissue: 2 }, againMs: 5000 },
}
const settled: OpStand = {
  goal: powerGoal('Running', shows()),
  progress: { state: 'settled' },
  mark: mark(OP.POWER, 1),
  paced: { memory: { value: 1, reissue: 0, sending: false } },
}

const deleted = { deletionTimestamp: T0 }
const nothingAsked: Effect = { type: 'commands', node: NODE, commands: [] }
/** Status and events stand for themselves: only that they are told, and where in the order. */
const told = expect.objectContaining({ type: 'status' })
const said = (reason: string) => expect.objectContaining({ type: 'event', reason })

const rows: [string, PpnObject<'Archive'>, ArchiveObserved, unknown[]][] = [
  [
    'first the finalizer, and nothing else',
    archive({ finalizers: [] }),
    observed({ placement: undefined, report: undefined }),
    [{ type: 'addFinalizer' }],
  ],
  [
    'admitted: a place is asked for',
    archive(),
    observed({ placement: undefined, report: undefined }),
    [{ type: 'place', node: NODE, floorMiB: 256, maxMiB: 1024 }],
  ],
  [
    'a retained disk is named with it',
    archive({}, { adoptDisk: 'd'.repeat(32) }),
    observed({ placement: undefined, report: undefined }),
    [{ type: 'place', node: NODE, floorMiB: 256, maxMiB: 1024, adoptDisk: 'd'.repeat(32) }],
  ],
  [
    'a place refused is not asked for again in the same breath',
    archive(),
    observed({
      placement: undefined,
      report: undefined,
      refusedPlace: { ok: false, reason: 'DiskInUse', message: 'it is in use' },
    }),
    [told, said('DiskTaken')],
  ],
  [
    'accepted figures that changed go into the placement',
    archive(),
    observed({ verdict: { admitted: true, memory: { floorMiB: 512, maxMiB: 1024 } } }),
    [{ type: 'place', node: NODE, floorMiB: 512, maxMiB: 1024 }],
  ],
  [
    'refused: no place, no command, and the holder is warned',
    archive(),
    observed({
      placement: undefined,
      report: undefined,
      verdict: { admitted: false, reason: 'MemoryFloor', message: 'full', waits: false, holders: ['Archive/a/b'] },
    }),
    [told, said('MemoryFloor'), expect.objectContaining({ reason: 'NewcomerRefused', about: 'Archive/a/b' })],
  ],
  [
    'what is needed is wanted, and looked at again in time',
    archive({}, { runState: 'Archived' }),
    observed({ ops: [needed] }),
    [
      { type: 'commands', node: NODE, commands: [{ op: OP.POWER, slot: 1, value: 0, reissue: 2 }] },
      told,
      said('Commanded'),
      { type: 'again', afterMs: 5000 },
    ],
  ],
  [
    'converged: the wanted set is empty',
    archive(),
    observed({ ops: [settled] }),
    [nothingAsked, told, said('Running')],
  ],
  [
    'unheard: nothing is wanted',
    archive(),
    observed({ liveness: 'Stale', report: undefined, bundle: { stage: 'Pending', defined: false } }),
    [nothingAsked, told, said('Silent')],
  ],
  [
    'paused: what was asked is withdrawn',
    archive({ annotations: { [ANNOTATION.paused]: '' } }),
    observed({ ops: [needed] }),
    [nothingAsked, told, said('Paused')],
  ],
  [
    'held: it lives on',
    archive(deleted),
    observed({
      verdict: undefined,
      deletion: { begun: false, confirmed: false, hold: 'last of its kind' },
      ops: [settled],
    }),
    [nothingAsked, told, said('DeletionHeld')],
  ],
  [
    'not held: committed before anything else, and nothing is asked of the slot any more',
    archive(deleted),
    observed({ verdict: undefined, ops: [needed] }),
    [{ type: 'commitDeletion' }, nothingAsked, told, said('Stopping')],
  ],
  [
    'the retained disk of an unconfirmed Delete is spoken of',
    archive(deleted, { deletionPolicy: 'Delete' }),
    observed({ verdict: undefined }),
    [{ type: 'commitDeletion' }, said('DiskRetained'), nothingAsked, told, said('Stopping')],
  ],
  [
    'committed and shown gone: the place is given up, then the object',
    archive(deleted),
    observed({ verdict: undefined, report: undefined, deletion: { begun: true, confirmed: false } }),
    [nothingAsked, { type: 'releasePlacement' }, { type: 'removeFinalizer' }],
  ],
  [
    'committed but unheard: waited for',
    archive(deleted),
    observed({ verdict: undefined, report: undefined, liveness: 'Stale', deletion: { begun: true, confirmed: false } }),
    [nothingAsked, told, said('NodeUnreachable')],
  ],
  [
    'committed, absent, but the bundle with remove is not applied: waited for',
    archive(deleted),
    observed({
      verdict: undefined,
      report: undefined,
      bundle: { stage: 'Pending', defined: false },
      deletion: { begun: true, confirmed: false },
    }),
    [nothingAsked, told, said('Removing')],
  ],
  [
    'orphaned: forgotten, its place kept for its name',
    archive({ ...deleted, annotations: { [ANNOTATION.deletion]: 'Orphan' } }),
    observed({ verdict: undefined, ops: [needed] }),
    [nothingAsked, { type: 'releasePlacement', orphaned: true }, { type: 'removeFinalizer' }],
  ],
  [
    'a tombstone of others’ finalizers is left to them',
    archive({ ...deleted, finalizers: ['other'] }),
    observed({ verdict: undefined, ops: [needed] }),
    [nothingAsked],
  ],
]

test.each(rows)('%s', (_, object, facts, expected) => {
  expect(planArchive(object, facts)).toEqual(expected)
})

test('planned again on its own status, nothing is left to tell (law 6)', () => {
  const first = planArchive(archive(), observed({ ops: [settled] }))
  const status = first.find((e) => e.type === 'status')
  const again = { ...archive(), status: status?.status as PpnObject<'Archive'>['status'] }
  expect(planArchive(again, observed({ nowMs: Date.parse(T0) + 60_000, ops: [settled] }))).toEqual([nothingAsked])
})

const ready = (facts: Partial<ArchiveObserved>, spec: object = {}) => {
  const status = planArchive(archive({}, spec), observed(facts)).find((e) => e.type === 'status')?.status
  return (status as PpnObject<'Archive'>['status'])?.conditions.find((c) => c.type === 'Ready')
}

test.each([
  ['RestoreUnheard', 'Reconciling', 'edge-3 has not been heard since the restore'],
  ['SlotsExhausted', 'Stalled', 'all 255 slots of edge-3 are taken'],
] as const)('a move that finds no place says which it is: %s', (reason, type, message) => {
  const move = { step: { do: 'wait', for: 'Copying' }, sourceFresh: true } as const
  const record = { phase: 'copying', from: placement, to: 'edge-3' } as const
  const facts = { move: { ...move, record }, refusedPlace: { ok: false, reason, message } as const }
  const found = ready(facts, { nodeName: 'edge-3', relocation: 'OnPinChange' })
  expect(found).toMatchObject({ status: 'False', reason, message: expect.stringContaining(message) })
  const status = planArchive(archive({}, { nodeName: 'edge-3', relocation: 'OnPinChange' }), observed(facts))
  const conditions = status.flatMap((e) => (e.type === 'status' ? e.status.conditions : []))
  expect(conditions.find((c) => c.status === 'True' && c.type === type)?.reason).toBe(reason)
})

test.each([
  ['Held', /ppn describe node\/edge-2/],
  ['Reverted', /tried again/],
  ['Refused', /refuses its bundle: TooBig/],
] as const)('a definition that its node does not run, %s, is told for people', (stage, message) => {
  const found = ready({ bundle: { stage, defined: false, reason: stage === 'Refused' ? 'TooBig' : 'RevertedHeld' } })
  expect(found).toMatchObject({ reason: 'NodeBundleNotApplied', message: expect.stringMatching(message) })
  expect(found?.message).not.toMatch(/RevertedHeld/)
})
