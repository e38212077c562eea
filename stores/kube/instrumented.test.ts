import { expect, test } from 'vitest'
import type { KubeAnswer, KubeApi } from './api.ts'
import { countedApi, leaderApi, writtenBy } from './instrumented.ts'

const answering = (answer: KubeAnswer | Error): KubeApi & { asked: string[] } => {
  const asked: string[] = []
  return {
    asked,
    async request({ method, path }) {
      asked.push(`${method} ${path}`)
      if (answer instanceof Error) throw answer
      return answer
    },
    async watch(_path, on) {
      on.open()
      return { status: 200, body: {} }
    },
  }
}

test('who does not lead reads, and writes nothing; the question is asked at the moment of the write', async () => {
  const api = answering({ status: 200, body: {} })
  let leads = false
  const own = leaderApi(api, () => leads)
  await own.request({ method: 'GET', path: '/a' })
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const)
    await expect(own.request({ method, path: '/a' })).rejects.toMatchObject({ code: 'NotLeading' })
  expect(api.asked).toEqual(['GET /a'])
  leads = true
  await own.request({ method: 'PUT', path: '/a' })
  leads = false
  await expect(own.request({ method: 'PUT', path: '/a' })).rejects.toMatchObject({ code: 'NotLeading' })
  expect(api.asked).toEqual(['GET /a', 'PUT /a'])
})

test('every request is counted by its code, silence too; a write only when it went through', async () => {
  const counted: string[] = []
  const counts = {
    request: (method: string, code: string) => void counted.push(`${method} ${code}`),
    written: (what: string) => void counted.push(what),
  }
  const write = { method: 'PATCH', path: '/apis/ppn.dev/v1alpha1/nodes/a/status?fieldManager=x' } as const
  await countedApi(answering({ status: 200, body: {} }), counts).request(write)
  await countedApi(answering({ status: 409, body: {} }), counts).request(write)
  const dead = countedApi(answering(new Error('reset')), counts)
  await expect(dead.request(write)).rejects.toThrow('reset')
  const on = { open: () => {}, event: () => {} }
  await countedApi(answering({ status: 200, body: {} }), counts).watch('/w', on, new AbortController().signal)
  expect(counted).toEqual(['PATCH 200', 'status', 'PATCH 409', 'PATCH <error>', 'GET 200'])
})

test.each([
  ['PATCH', '/apis/ppn.dev/v1alpha1/nodes/a/status?x=1', 'status'],
  ['PATCH', '/apis/ppn.dev/v1alpha1/nodes/a', 'finalizers'],
  ['POST', '/apis/ppn.dev/v1alpha1/pairings', 'objects'],
  ['DELETE', '/apis/ppn.dev/v1alpha1/pairings/p', 'objects'],
  ['PUT', '/apis/internal.ppn.dev/v1alpha1/namespaces/n/records/r-1', 'records'],
  ['POST', '/apis/internal.ppn.dev/v1alpha1/namespaces/n/registrylines', 'registry'],
  ['PUT', '/apis/coordination.k8s.io/v1/namespaces/n/leases/ppn-authority', 'lease'],
  ['POST', '/apis/events.k8s.io/v1/namespaces/n/events', 'events'],
  ['GET', '/apis/ppn.dev/v1alpha1/nodes', undefined],
] as const)('%s %s writes %s', (method, path, what) => {
  expect(writtenBy({ method, path })).toBe(what)
})
