import { expect, test } from 'vitest'
import { UNSEEN_STATUS } from '../../api/crd/status.ts'
import { KINDS } from '../../api/meta.ts'
import { minimalObject } from '../../test/objects/base.ts'
import { project } from './projection.ts'

const raw = (kind: (typeof KINDS)[number], status: unknown) => {
  const { metadata, ...object } = minimalObject(kind)
  const stored = { uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' }
  return { ...object, metadata: { ...metadata, ...stored }, status }
}

test('the default status of the CRD is none: nobody has looked yet', () => {
  for (const kind of KINDS) expect(project(kind, raw(kind, UNSEEN_STATUS[kind])).status, kind).toBeUndefined()
})

test('a condition of somebody else is not ours to compare or to take away', () => {
  const ready = { type: 'Ready', status: 'True' }
  const theirs = { type: 'example.com/Audited', status: 'True' }
  const { status } = project('Node', raw('Node', { observedGeneration: 1, conditions: [theirs, ready], address: 'a' }))
  expect(status).toEqual({ observedGeneration: 1, conditions: [ready], address: 'a' })
})
