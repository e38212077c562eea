import { expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts'
import type { KubeAnswer, KubeApi } from './api.ts'
import { type Leadership, lead } from './lease.ts'

/** One Lease with test-and-set, as far as an election sees the API server. */
function oneLease() {
  let held: { metadata: { resourceVersion: string }; spec: Record<string, unknown> } | undefined
  let version = 0
  const broken = new Set<string>()
  const answer = (status: number): KubeAnswer => ({ status, body: structuredClone(held) ?? {} })
  const api = (replica: string): KubeApi => ({
    async request({ method, body }) {
      if (broken.has(replica)) throw new Error('no answer')
      if (method === 'GET') return answer(held ? 200 : 404)
      const { metadata, spec } = body as { metadata: { resourceVersion?: string }; spec: Record<string, unknown> }
      if (metadata.resourceVersion !== held?.metadata.resourceVersion) return answer(409)
      held = { metadata: { resourceVersion: String(++version) }, spec: structuredClone(spec) }
      return answer(method === 'POST' ? 201 : 200)
    },
    watch: () => Promise.reject(new Error('an election watches nothing')),
  })
  return {
    api,
    cut: (replica: string) => void broken.add(replica),
    mend: (replica: string) => void broken.delete(replica),
    holder: () => held?.spec.holderIdentity,
    transitions: () => held?.spec.leaseTransitions,
    writes: () => version,
  }
}

function replica(lease: ReturnType<typeof oneLease>, identity: string, clock: VirtualClock) {
  const stop = new AbortController()
  const got: Leadership[] = []
  const options = { api: lease.api(identity), namespace: 'n', name: 'ppn', identity, clock }
  void lead({ ...options, random01: () => 0, log: silentLogger() }, stop.signal).then(
    (leadership) => got.push(leadership),
    () => {},
  )
  return { stop, leads: () => got[0]?.holds() ?? false, leadership: () => got[0] }
}

test('of two replicas one leads, and goes on leading', async () => {
  const [lease, clock] = [oneLease(), virtualClock()]
  const [a, b] = [replica(lease, 'a', clock), replica(lease, 'b', clock)]
  await clock.advance(60_000)
  expect([a.leads(), b.leads()]).toEqual([true, false])
  expect(lease.writes()).toBeGreaterThan(25)
  expect(lease.writes()).toBeLessThan(33)
})

test('a Lease given back is taken at the next look; the signal of the old leader has aborted', async () => {
  const [lease, clock] = [oneLease(), virtualClock()]
  const a = replica(lease, 'a', clock)
  await clock.advance(5_000)
  const b = replica(lease, 'b', clock)
  await clock.advance(5_000)
  await a.leadership()?.release()
  expect(a.leads()).toBe(false)
  expect(a.leadership()?.signal.aborted).toBe(true)
  await clock.advance(2_500)
  expect(b.leads()).toBe(true)
  expect(lease.transitions()).toBe(1)
})

test('a leader that cannot renew stops after 10 s, and 5 s pass before another leads', async () => {
  const [lease, clock] = [oneLease(), virtualClock()]
  const a = replica(lease, 'a', clock)
  await clock.advance(5_000)
  const b = replica(lease, 'b', clock)
  await clock.advance(5_000)
  lease.cut('a')
  let [stopped, took] = [-1, -1]
  for (let at = 0; at < 30_000 && took < 0; at += 100) {
    await clock.advance(100)
    expect(a.leads() && b.leads()).toBe(false)
    if (stopped < 0 && !a.leads()) stopped = at
    if (b.leads()) took = at
  }
  expect(stopped).toBeGreaterThan(7_500)
  expect(stopped).toBeLessThanOrEqual(10_000)
  expect(took - stopped).toBeGreaterThan(2_500)
  expect(took).toBeLessThanOrEqual(18_000)
})

test('an answer that was lost costs no leadership', async () => {
  const [lease, clock] = [oneLease(), virtualClock()]
  const api = lease.api('a')
  let loseNext = false
  const lossy: KubeApi = {
    ...api,
    async request(request) {
      const answer = await api.request(request)
      if (loseNext && request.method === 'PUT') {
        loseNext = false
        throw new Error('the connection broke after the write')
      }
      return answer
    },
  }
  const got = await lead(
    { api: lossy, namespace: 'n', name: 'ppn', identity: 'a', clock, random01: () => 0, log: silentLogger() },
    new AbortController().signal,
  )
  loseNext = true
  await clock.advance(30_000)
  expect(got.holds()).toBe(true)
})

test('a leader whose Lease another has taken stops as soon as it sees it, and does not take it back', async () => {
  const [lease, clock] = [oneLease(), virtualClock()]
  const a = replica(lease, 'a', clock)
  await clock.advance(5_000)
  const thief = lease.api('thief')
  const { body } = await thief.request({ method: 'GET', path: '' })
  const { metadata, spec } = body as { metadata: object; spec: object }
  await thief.request({ method: 'PUT', path: '', body: { metadata, spec: { ...spec, holderIdentity: 'thief' } } })
  await clock.advance(2_500)
  expect(a.leads()).toBe(false)
  await clock.advance(60_000)
  expect(lease.holder()).toBe('thief')
})

test('after a suspension a leader does not hold before anything else has run', async () => {
  const [lease, clock] = [oneLease(), virtualClock()]
  let asleepMs = 0
  const sleepy: VirtualClock = { ...clock, monotonic: () => clock.monotonic() + asleepMs }
  const a = replica(lease, 'a', sleepy)
  await clock.advance(5_000)
  expect(a.leads()).toBe(true)
  asleepMs = 60_000
  expect(a.leads()).toBe(false)
})

test('waiting for leadership ends with its signal', async () => {
  const [lease, clock] = [oneLease(), virtualClock()]
  replica(lease, 'a', clock)
  await clock.advance(1_000)
  const stop = new AbortController()
  const options = { api: lease.api('b'), namespace: 'n', name: 'ppn', identity: 'b', clock }
  const waiting = lead({ ...options, random01: () => 0, log: silentLogger() }, stop.signal)
  const ended = expect(waiting).rejects.toThrow('enough')
  await clock.advance(3_000)
  stop.abort(new Error('enough'))
  await ended
})
