import { expect, test } from 'vitest'
import { FINALIZER } from '../../api/meta.ts'
import { archiveSpec } from '../../api/v1alpha1/archive.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { BundleArchive } from '../../protocol/bundle/document.ts'
import type { ArchiveId, Digest, FencingEpoch, Sequence, Slot, Term } from '../../protocol/ids.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import { archiveEntry } from '../bundle/entry.ts'
import type { Placement } from '../ports/allocator.ts'
import type { WantedContent } from '../ports/bundles.ts'
import { ID, KEY, NAME, NODE, SPEC, UID } from '../testing/archive-fleet.ts'
import { seenDefinition, wantedEntry } from './definition.ts'

function archive(spec: object = {}): PpnObject<'Archive'> {
  return {
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
const content = (entry: BundleArchive) => ({ archives: [entry] }) as unknown as WantedContent
const published = content(archiveEntry(archive(), placement))

test('the wanted bundle has the definition when it says what object and placement say', () => {
  expect(wantedEntry(published, archive(), placement, undefined)).toEqual(published.archives[0])
  expect(wantedEntry(undefined, archive(), placement, undefined)).toBeUndefined()
})

test.each([
  ['another processor count', archive({ cpu: { vcpus: 2 } }), placement, undefined],
  ['another restart policy', archive({ restartPolicy: 'Never' }), placement, undefined],
  ['another accepted floor', archive(), { ...placement, floorMiB: 512 }, undefined],
  ['another fencing epoch', archive(), { ...placement, fencingEpoch: 2 as FencingEpoch }, undefined],
  ['remove', archive(), placement, 'Retain' as const],
])('a wanted bundle made before %s was declared does not have it', (_, object, place, removal) => {
  expect(wantedEntry(published, object, place, removal)).toBeUndefined()
})

const A = 'a'.repeat(64) as Digest
const B = 'b'.repeat(64) as Digest
const runs = (digest?: Digest) =>
  ({ bundles: digest ? { applied: { term: 1, revision: 1, digest } } : {} }) as unknown as NodeReport
const entry = published.archives[0] as BundleArchive
const wants = (digest: Digest) => ({ digest, stage: 'Pending' as const, held: false })

test('it is in force when telemetry shows the wanted bundle applied', () => {
  expect(seenDefinition(entry, wants(A), runs(A), undefined)).toMatchObject({ digest: A })
  expect(seenDefinition(entry, wants(A), runs(B), undefined)).toBeUndefined()
  expect(seenDefinition(entry, wants(A), runs(), undefined)).toBeUndefined()
  expect(seenDefinition(undefined, wants(A), runs(A), undefined)).toBeUndefined()
})

test('and stays so while another bundle with the same entry is on its way, until the node runs something else', () => {
  const seen = seenDefinition(entry, wants(A), runs(A), undefined)
  expect(seenDefinition(entry, wants(B), runs(A), seen)).toEqual(seen)
  expect(seenDefinition({ ...entry, vcpus: 2 }, wants(B), runs(A), seen)).toBeUndefined()
  expect(seenDefinition(entry, wants(B), runs('c'.repeat(64) as Digest), seen)).toBeUndefined()
  expect(seenDefinition(entry, wants(B), runs(B), seen)).toMatchObject({ digest: B })
})
