import { expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { KubeRequest } from './api.ts'
import { kubeEvents } from './events.ts'

const edge = { kind: 'Node', name: 'edge-1', uid: 'u1', generation: 1 }
const vault = { kind: 'Archive', name: 'a', namespace: 'office', uid: 'u2', generation: 1 }

function setup(answer: () => Promise<{ status: number; body: Record<string, unknown> }>) {
  const clock = virtualClock()
  const requests: KubeRequest[] = []
  const stop = new AbortController()
  const api = {
    request: (request: KubeRequest) => {
      requests.push(request)
      return answer()
    },
  }
  const events = kubeEvents({ api, clock, log: silentLogger(), instance: 'one' }, stop.signal)
  return { clock, requests, stop, events }
}
const taken = () => Promise.resolve({ status: 201, body: {} })

test('an event lies beside its object; that of a cluster-scoped one in default', async () => {
  const { clock, requests, events } = setup(taken)
  events.record(edge, 'Warning', 'Refused', 'why')
  events.record(vault, 'Normal', 'Started', 'it runs')
  await clock.settle()
  expect(requests).toMatchObject([
    {
      method: 'POST',
      path: '/apis/events.k8s.io/v1/namespaces/default/events',
      body: { reason: 'Refused', type: 'Warning', note: 'why', regarding: { kind: 'Node', name: 'edge-1', uid: 'u1' } },
    },
    { path: '/apis/events.k8s.io/v1/namespaces/office/events', body: { regarding: { namespace: 'office' } } },
  ])
})

test('what is said again raises the series, written once in five minutes', async () => {
  const { clock, requests, events } = setup(taken)
  for (let i = 0; i < 100; i++) events.record(edge, 'Warning', 'Refused', 'why')
  await clock.settle()
  expect(requests).toHaveLength(1)
  await clock.advance(5 * 60_000)
  expect(requests.slice(1)).toMatchObject([{ method: 'PATCH', body: { series: { count: 100 } } }])
  await clock.advance(60 * 60_000)
  expect(requests).toHaveLength(2)
})

test('the series of a whole fleet that has come to rest are written one after the other, six a minute', async () => {
  const { clock, requests, events } = setup(taken)
  for (let n = 0; n < 100; n++)
    for (let times = 0; times < 2; times++) events.record({ ...edge, uid: `u${n}` }, 'Normal', 'Converged', 'x')
  await clock.advance(4 * 60_000)
  const before = requests.length
  await clock.advance(60_000)
  for (let minute = 1; minute <= 10; minute++) {
    await clock.advance(60_000)
    expect(requests.length - before).toBeLessThanOrEqual(6 * minute + 1)
  }
  await clock.advance(10 * 60_000)
  expect(requests.length - before).toBe(100)
})

test('another reason or generation is another event', async () => {
  const { clock, requests, events } = setup(taken)
  events.record(edge, 'Warning', 'Refused', 'why')
  events.record(edge, 'Warning', 'Stuck', 'why')
  events.record({ ...edge, generation: 2 }, 'Warning', 'Refused', 'why')
  await clock.settle()
  expect(new Set(requests.map(({ body }) => (body as { metadata: { name: string } }).metadata.name)).size).toBe(3)
})

test('a server that does not answer is not flooded, and costs nobody anything', async () => {
  const { clock, requests, events, stop } = setup(() => new Promise(() => {}))
  for (let i = 0; i < 5_000; i++) events.record({ ...edge, uid: `u${i}` }, 'Normal', 'Seen', 'x')
  await clock.settle()
  expect(requests).toHaveLength(1)
  stop.abort()
  events.record(edge, 'Normal', 'Late', 'x')
})

test('a refusal is no error, and the next event goes out', async () => {
  const { clock, requests, events } = setup(() => Promise.reject(new Error('no')))
  events.record(edge, 'Normal', 'A', 'x')
  events.record(edge, 'Normal', 'B', 'x')
  await clock.settle()
  expect(requests).toHaveLength(2)
})

test('at the end nothing is waited for: a timer would hold the process for minutes', async () => {
  const { clock, events, stop } = setup(taken)
  events.record(edge, 'Warning', 'Refused', 'why')
  events.record(edge, 'Warning', 'Refused', 'why')
  await clock.settle()
  expect(clock.pending()).toBe(1)
  stop.abort(new Error('the process ends'))
  events.record(edge, 'Warning', 'Refused', 'why')
  expect(clock.pending()).toBe(0)
})
