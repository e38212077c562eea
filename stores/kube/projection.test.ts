import { describe, expect, test } from 'vitest'
import { UNSEEN_STATUS } from '../../api/crd/status.ts'
import { KINDS } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
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

describe('what is held already', () => {
  const spec = { nodeName: 'edge-1', memory: { reservedForHost: '1Gi' } }
  const held = (generation: number) => {
    const { metadata } = project('ResourcePool', raw('ResourcePool', undefined))
    return { kind: 'ResourcePool', metadata: { ...metadata, generation }, spec } as unknown as AnyObject
  }
  const specNow = (before: AnyObject, change: object = {}) => {
    const plain = raw('ResourcePool', { observedGeneration: 1 })
    return project('ResourcePool', { ...plain, metadata: { ...plain.metadata, ...change } }, () => before).spec
  }

  test('serves while only the status moves', () => expect(specNow(held(1))).toBe(spec))
  test.each([
    ['generation', { generation: 2 }],
    ['uid: a namesake', { uid: 'other' }],
    ['label', { labels: { a: 'b' } }],
    ['annotation', { annotations: { 'ppn.dev/paused': 'true' } }],
  ])('does not with another %s', (_, change) => expect(specNow(held(1), change)).not.toBe(spec))
  test('does not when it is older than what is declared, as of an object refused since', () =>
    expect(specNow(held(0))).not.toBe(spec))
})
