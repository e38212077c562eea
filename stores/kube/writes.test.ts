import { expect, test } from 'vitest'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { scriptedApi } from './testing/scripted-api.ts'
import { kubeWrites } from './writes.ts'

const KEY = 'Archive/office/cluster-totebox-a-1'
const seen = { resourceVersion: '5', finalizers: ['f'] }
const answerOf = (metadata: object) => ({ status: 200, body: { metadata } })

function setup() {
  const api = scriptedApi()
  return { api, writes: kubeWrites(api), clock: virtualClock() }
}

test('a status is applied whole, by one stable manager, to this very object', () => {
  const { api, writes } = setup()
  void writes.status('Node', { name: 'edge-1', uid: 'u' }, { conditions: [] })
  expect(api.requests()).toMatchObject([
    {
      method: 'PATCH',
      path: '/apis/ppn.dev/v1alpha1/nodes/edge-1/status?fieldManager=ppn-authority&force=true',
      contentType: 'application/apply-patch+yaml',
      body: { kind: 'Node', metadata: { name: 'edge-1', uid: 'u' }, status: { conditions: [] } },
    },
  ])
})

test('a status for what is gone, or is another object by now, is dropped; a refusal is an error', async () => {
  for (const status of [404, 409]) {
    const { api, writes } = setup()
    const put = writes.status('Node', { name: 'edge-1', uid: 'u' }, {})
    api.answer({ status, body: {} })
    expect(await put).toBeUndefined()
  }
  const { api, writes } = setup()
  const put = writes.status('Node', { name: 'edge-1', uid: 'u' }, {})
  api.answer({ status: 403, body: {} })
  await expect(put).rejects.toMatchObject({ code: 'KubeRefused' })
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
