import { expect, test } from 'vitest'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { type Removal, removalOf } from './removal.ts'

interface Row {
  says: string
  deleted: boolean
  policy: 'Retain' | 'Delete'
  annotations?: Record<string, string>
  begun?: boolean
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
    begun: false,
    expected: undefined,
  },
  { says: 'the disk is retained by default', deleted: true, policy: 'Retain', begun: true, expected: 'Retain' },
  { says: 'the policy alone deletes no disk', deleted: true, policy: 'Delete', begun: true, expected: 'Retain' },
  {
    says: 'a confirmation alone deletes no disk',
    deleted: true,
    policy: 'Retain',
    annotations: confirm,
    begun: true,
    expected: 'Retain',
  },
  {
    says: 'a confirmation naming another object deletes no disk',
    deleted: true,
    policy: 'Delete',
    annotations: { 'ppn.dev/confirm-delete': 'true' },
    begun: true,
    expected: 'Retain',
  },
  {
    says: 'policy and confirmation together delete the disk',
    deleted: true,
    policy: 'Delete',
    annotations: confirm,
    begun: true,
    expected: 'Delete',
  },
  { says: 'an orphan needs no commit', deleted: true, policy: 'Delete', annotations: orphan, expected: 'Orphan' },
  {
    says: 'an orphan keeps its disk whatever else is said',
    deleted: true,
    policy: 'Delete',
    annotations: { ...orphan, ...confirm },
    begun: true,
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
  }
}

test.each(rows)('$says', (row) => {
  expect(removalOf(archive(row), row.begun ?? false)).toBe(row.expected)
})
