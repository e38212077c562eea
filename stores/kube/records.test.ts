import { expect, test } from 'vitest'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { kubeRecords, recordName } from './records.ts'
import { scriptedApi } from './testing/scripted-api.ts'

const raw = (key: string, value: unknown, version: number) => ({
  metadata: { name: recordName(key), resourceVersion: String(version) },
  key,
  value: JSON.stringify(value),
})
const observed = (key: string, value: unknown, version: number) => ({
  key,
  value: JSON.stringify(value),
  resourceVersion: String(version),
})

function setup() {
  const api = scriptedApi()
  return { api, records: kubeRecords(api, 'ppn-system'), clock: virtualClock() }
}

test('a record is an object named by the digest of its key, with the key and its JSON in it', async () => {
  const { api, records } = setup()
  const put = records.put('address/10.8.0.5', { n: null }, 0)
  const [request] = api.requests()
  expect(request).toMatchObject({
    method: 'POST',
    path: '/apis/internal.ppn.dev/v1alpha1/namespaces/ppn-system/records',
    body: { metadata: { name: recordName('address/10.8.0.5') }, key: 'address/10.8.0.5', value: '{"n":null}' },
  })
  expect(records.get('address/10.8.0.5')).toBeUndefined()
  api.answer({ status: 201, body: raw('address/10.8.0.5', { n: null }, 7) })
  expect(await put).toEqual({ key: 'address/10.8.0.5', value: { n: null }, version: 7 })
  expect(records.get('address/10.8.0.5')).toEqual(await put)
})

test('a lost race is a Conflict, and a retry sees what it lost to', async () => {
  const { api, records, clock } = setup()
  records.observe(observed('term', 1, 3))
  const put = records.put('term', 2, 3)
  const lost = expect(put).rejects.toMatchObject({ code: 'Conflict' })
  api.answer({ status: 409, body: {} })
  await clock.settle()
  api.answer({ status: 200, body: raw('term', 9, 5) })
  await lost
  expect(records.get('term')).toEqual({ key: 'term', value: 9, version: 5 })
})

test('a write with a version that is not the one seen is refused without asking the server', async () => {
  const { api, records } = setup()
  records.observe(observed('term', 1, 3))
  await expect(records.put('term', 2, 2)).rejects.toMatchObject({ code: 'Conflict' })
  await expect(records.delete('term', 2)).rejects.toMatchObject({ code: 'Conflict' })
  expect(api.requests()).toEqual([])
})

test('a removed record is not brought back by what a watch tells late', async () => {
  const { api, records } = setup()
  records.observe(observed('slot/1', 'a', 3))
  const gone = records.delete('slot/1', 3)
  expect(api.requests()[0]).toMatchObject({ method: 'DELETE', body: { preconditions: { resourceVersion: '3' } } })
  api.answer({ status: 200, body: {} })
  await gone
  records.observe(observed('slot/1', 'a', 3))
  expect(records.get('slot/1')).toBeUndefined()
  expect(records.list('slot/')).toEqual([])
  records.observe(observed('slot/1', 'b', 9))
  expect(records.get('slot/1')?.value).toBe('b')
})

test('a refusal of the server is no conflict, and nothing is remembered of the write', async () => {
  const { api, records } = setup()
  const put = records.put('term', 1, 0)
  api.answer({ status: 403, body: { message: 'no' } })
  await expect(put).rejects.toMatchObject({ code: 'KubeRefused', message: expect.stringContaining('403 no') })
  expect(records.get('term')).toBeUndefined()
})

test('a full list takes away what is gone and keeps what was written after it was made', () => {
  const { records } = setup()
  records.observe(observed('a', 1, 3))
  records.observe(observed('b', 1, 30))
  records.replace([observed('c', 1, 4)], '20')
  expect(records.list('').map(({ key }) => key)).toEqual(['b', 'c'])
})
