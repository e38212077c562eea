import { expect, test } from 'vitest'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { scriptedApi } from './testing/scripted-api.ts'
import { kubeWrites } from './writes.ts'

const KEY = 'Archive/office/cluster-totebox-a-1'
const seen = { resourceVersion: '5', finalizers: ['f'] }
const answerOf = (metadata: object) => ({
  status: 200,
  body: { metadata: { name: 'x', creationTimestamp: '2026-01-01T00:00:00Z', ...metadata } },
})

function setup() {
  const api = scriptedApi()
  return { api, writes: kubeWrites(api), clock: virtualClock() }
}

const edge = { name: 'edge-1', uid: 'u', resourceVersion: '5' }

test('a status is applied whole, by one stable manager, to the object as it was seen', () => {
  const { api, writes } = setup()
  void writes.status('Node', edge, { conditions: [] })
  expect(api.requests()).toMatchObject([
    {
      method: 'PATCH',
      path: '/apis/ppn.dev/v1alpha1/nodes/edge-1/status?fieldManager=ppn-authority&force=true',
      contentType: 'application/apply-patch+yaml',
      body: { kind: 'Node', metadata: { name: 'edge-1', resourceVersion: '5' }, status: { conditions: [] } },
    },
  ])
})

test('a status for what is gone, or is another object by now, is dropped; a refusal is an error', async () => {
  const gone = setup()
  const late = gone.writes.status('Node', edge, {})
  gone.api.answer({ status: 404, body: {} })
  expect(await late).toBeUndefined()

  const other = setup()
  const astray = other.writes.status('Node', edge, {})
  other.api.answer({ status: 409, body: {} })
  await other.clock.settle()
  other.api.answer(answerOf({ uid: 'another', resourceVersion: '9' }))
  expect(await astray).toBeUndefined()
  expect(other.api.requests()).toHaveLength(2)

  const { api, writes } = setup()
  const put = writes.status('Node', edge, {})
  api.answer({ status: 403, body: {} })
  await expect(put).rejects.toMatchObject({ code: 'KubeRefused' })
})

test('a status that lost to a change of the same object is applied to what that left', async () => {
  const { api, writes, clock } = setup()
  const put = writes.status('Node', edge, {})
  api.answer({ status: 409, body: {} })
  await clock.settle()
  api.answer(answerOf({ uid: 'u', resourceVersion: '6' }))
  await clock.settle()
  expect(api.requests()[2]?.body).toMatchObject({ metadata: { resourceVersion: '6' } })
  api.answer({ status: 200, body: { kind: 'Node' } })
  expect(await put).toEqual({ kind: 'Node' })
})

test('a finalizer is taken by test-and-set, and again from what somebody else left meanwhile', async () => {
  const { api, writes, clock } = setup()
  const done = writes.finalizers(KEY, 'u', seen, (all) => all.filter((one) => one !== 'f'))
  expect(api.requests()[0]).toMatchObject({
    path: '/apis/ppn.dev/v1alpha1/namespaces/office/archives/cluster-totebox-a-1?fieldManager=ppn-authority',
    body: { metadata: { uid: 'u', resourceVersion: '5', finalizers: [] } },
  })
  api.answer({ status: 409, body: {} })
  await clock.settle()
  api.answer(answerOf({ uid: 'u', resourceVersion: '6', finalizers: ['f', 'theirs'] }))
  await clock.settle()
  expect(api.requests()[2]?.body).toMatchObject({ metadata: { resourceVersion: '6', finalizers: ['theirs'] } })
  api.answer(answerOf({ resourceVersion: '7' }))
  expect(await done).toMatchObject({ metadata: { resourceVersion: '7' } })
})

test('finalizers of another object by the same name are left alone', async () => {
  const { api, writes, clock } = setup()
  const done = writes.finalizers(KEY, 'u', seen, () => [])
  api.answer({ status: 409, body: {} })
  await clock.settle()
  api.answer(answerOf({ uid: 'another', resourceVersion: '9', finalizers: ['f'] }))
  expect(await done).toBeUndefined()
  expect(api.requests()).toHaveLength(2)
})

test('a list of finalizers that changes all the time is a Conflict, for another day', async () => {
  const { api, writes, clock } = setup()
  const done = expect(writes.finalizers(KEY, 'u', seen, () => [])).rejects.toMatchObject({ code: 'Conflict' })
  for (let i = 0; i < 5; i++) {
    api.answer({ status: 409, body: {} })
    await clock.settle()
    api.answer(answerOf({ uid: 'u', resourceVersion: String(6 + i), finalizers: ['f'] }))
    await clock.settle()
  }
  await done
})

test('a removal tells what is left: nothing, a tombstone, or somebody else’s object', async () => {
  for (const [answer, left] of [
    [{ status: 200, body: { kind: 'Status' } }, 'gone'],
    [
      { status: 200, body: { kind: 'Node', metadata: {} } },
      { kind: 'Node', metadata: {} },
    ],
    [{ status: 409, body: {} }, undefined],
    [{ status: 404, body: {} }, undefined],
  ] as const) {
    const { api, writes } = setup()
    const done = writes.remove('Node/edge-1', 'u')
    api.answer(answer)
    expect(await done).toEqual(left)
  }
})
