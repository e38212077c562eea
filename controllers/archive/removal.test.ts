import { expect, test } from 'vitest'
import type { Condition } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { type Removal, removalOf } from './removal.ts'

interface Row {
  says: string
  deleted: boolean
  policy: 'Retain' | 'Delete'
  annotations?: Record<string, string>
  deleting?: Condition['status']
  expected: Removal | undefined
}

const confirm = { 'ppn.dev/confirm-delete': 'gateway-orchestration-x-1' }
const orphan = { 'ppn.dev/deletion': 'Orphan' }

const rows: Row[] = [
  {
    says: 'a living archive is not removed',
    deleted: false,
    policy: 'Delete',
    annotations: confirm,
    expected: undefined,
  },
  {
    says: 'a living archive is not orphaned',
    deleted: false,
    policy: 'Retain',
    annotations: orphan,
    expected: undefined,
  },
  { says: 'a tombstone not yet committed is an ordinary entry', deleted: true, policy: 'Retain', expected: undefined },
  {
    says: 'a held deletion is an ordinary entry',
    deleted: true,
    policy: 'Delete',
    deleting: 'False',
    expected: undefined,
  },
  { says: 'the disk is retained by default', deleted: true, policy: 'Retain', deleting: 'True', expected: 'Retain' },
  { says: 'the policy alone deletes no disk', deleted: true, policy: 'Delete', deleting: 'True', expected: 'Retain' },
  {
    says: 'a confirmation alone deletes no disk',
    deleted: true,
    policy: 'Retain',
    annotations: confirm,
    deleting: 'True',
    expected: 'Retain',
  },
  {
    says: 'a confirmation naming another object deletes no disk',
    deleted: true,
    policy: 'Delete',
    annotations: { 'ppn.dev/confirm-delete': 'true' },
    deleting: 'True',
    expected: 'Retain',
  },
  {
    says: 'policy and confirmation together delete the disk',
    deleted: true,
    policy: 'Delete',
    annotations: confirm,
    deleting: 'True',
    expected: 'Delete',
  },
  { says: 'an orphan needs no commit', deleted: true, policy: 'Delete', annotations: orphan, expected: 'Orphan' },
  {
    says: 'an orphan keeps its disk whatever else is said',
    deleted: true,
    policy: 'Delete',
    annotations: { ...orphan, ...confirm },
    deleting: 'True',
    expected: 'Orphan',
  },
]

function archive(row: Row): PpnObject<'Archive'> {
  return {
    kind: 'Archive',
    metadata: {
      name: 'gateway-orchestration-x-1',
      namespace: 'vault',
      uid: 'u',
      generation: 1,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(row.deleted && { deletionTimestamp: '2026-01-02T00:00:00Z' }),
      finalizers: [],
      labels: {},
      annotations: row.annotations ?? {},
    },
    spec: { deletionPolicy: row.policy } as PpnObject<'Archive'>['spec'],
    status: {
      observedGeneration: 1,
      phase: 'Deleting',
      conditions: row.deleting
        ? [
            {
              type: 'Deleting',
              status: row.deleting,
              reason: 'X',
              message: '',
              observedGeneration: 1,
              lastTransitionTime: '2026-01-02T00:00:00Z',
            },
          ]
        : [],
    },
  }
}

test.each(rows)('$says', (row) => {
  expect(removalOf(archive(row))).toBe(row.expected)
})
