// The table of entries.ts, node by node.
import { expect, test } from 'vitest'
import { FINALIZER } from '../../api/meta.ts'
import { archiveSpec } from '../../api/v1alpha1/archive.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { ArchiveId, FencingEpoch, NodeId, Sequence, Slot, Term } from '../../protocol/ids.ts'
import type { Placement } from '../ports/allocator.ts'
import { NAME, SPEC, UID } from '../testing/archive-fleet.ts'
import { moveEntry, pushOrder } from './entries.ts'
import type { Move } from './record.ts'

const archive: PpnObject<'Archive'> = {
  kind: 'Archive',
  metadata: {
    name: NAME,
    namespace: 'vault',
    uid: UID,
    generation: 1,
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    finalizers: [FINALIZER],
    labels: {},
    annotations: {},
  },
  spec: archiveSpec.parse(SPEC),
}
const ID = 'a'.repeat(32) as ArchiveId
const placed = (node: string, fencingEpoch: number, slot = 1): Placement => ({
  archiveUid: UID,
  archiveKey: `Archive/vault/${NAME}`,
  id: ID,
  node,
  slot: slot as Slot,
  fencingEpoch: fencingEpoch as FencingEpoch,
  minSequence: { term: 0 as Term, sequence: 0 as Sequence },
  floorMiB: 256,
  maxMiB: 1024,
  admittedMs: 0,
})
const OLD = placed('old', 1)
const NEW = placed('new', 2, 7)
const ROOT = 'c'.repeat(64)
const move = (phase: Move['phase'], more: Partial<Move> = {}): Move => ({ phase, from: OLD, to: 'new', ...more })
const copying = move('copying', { root: ROOT })
const retain = { slot: 1, fencingEpoch: 1, remove: 'Retain' }
const arriving = { slot: 7, fencingEpoch: 2, chunkListRoot: ROOT, receiveFrom: '10.8.0.2' }

test.each<[string, Placement, Move, unknown, unknown]>([
  ['stopping', OLD, move('stopping'), 'ordinary', 'none'],
  ['releasing', OLD, move('releasing'), retain, 'none'],
  ['copying, before it has a place', OLD, copying, retain, 'none'],
  ['copying, before its epoch is raised', placed('new', 1), copying, retain, 'none'],
  ['copying', NEW, copying, retain, arriving],
  ['landed', NEW, move('landed', { root: ROOT }), retain, arriving],
  ['returning, before its epoch is raised', OLD, move('returning'), retain, 'none'],
  ['returning', placed('old', 2), move('returning'), { fencingEpoch: 2, adoptDisk: ID }, 'none'],
  ['returning, still placed there', NEW, move('returning', { leftover: NEW }), retain, { slot: 7, remove: 'Delete' }],
  [
    'returning from a place',
    placed('old', 3, 2),
    move('returning', { leftover: NEW }),
    { slot: 2, fencingEpoch: 3, adoptDisk: ID },
    { slot: 7, fencingEpoch: 2, remove: 'Delete' },
  ],
  ['cleaning', NEW, move('cleaning', { leftover: OLD }), { slot: 1, fencingEpoch: 1, remove: 'Delete' }, 'ordinary'],
])('%s', (_, placement, given, old, fresh) => {
  for (const [node, expected] of [
    ['old', old],
    ['new', fresh],
  ] as const) {
    const entry = moveEntry(archive, placement, given, node, '10.8.0.2')
    if (typeof expected === 'string') expect(entry).toBe(expected)
    else expect(entry).toMatchObject(expected as object)
  }
})

test('until its disk has landed, no node but the old one has an entry from which a disk could be made', () => {
  const entry = moveEntry(archive, NEW, copying, 'new', undefined)
  expect(entry).toHaveProperty('chunkListRoot', ROOT)
  expect(entry).not.toHaveProperty('receiveFrom')
})

test('the push order names an address only once the new node is placed under a higher epoch, and goes when it landed', () => {
  const receiver = { nodeId: 'b'.repeat(32) as NodeId, address: '10.8.0.3' }
  const bare = { archive: ID, toNode: receiver.nodeId }
  expect(pushOrder(move('stopping'), OLD, receiver)).toBeUndefined()
  expect(pushOrder(move('releasing'), OLD, receiver)).toEqual(bare)
  expect(pushOrder(copying, OLD, receiver)).toEqual(bare)
  expect(pushOrder(copying, placed('new', 1), receiver)).toEqual(bare)
  expect(pushOrder(copying, NEW, receiver)).toEqual({ ...bare, toAddress: '10.8.0.3' })
  expect(pushOrder({ ...copying, fromChunk: 5 }, NEW, receiver)).toEqual({
    ...bare,
    toAddress: '10.8.0.3',
    fromChunk: 5,
  })
  expect(pushOrder(move('landed'), NEW, receiver)).toBeUndefined()
})
