// What a cluster does in its own way, where the conformance suite has a test about documents instead, and what the
// store does while the API server misbehaves.
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { UNSEEN_STATUS } from '../../api/crd/status.ts'
import { createPath, objectPath } from '../../stores/kube/resources.ts'
import { archive, node, pairing, withMeta } from '../conformance/store/documents.ts'
import { heard } from '../conformance/store/subject.ts'
import { freshCluster } from './fresh-cluster.ts'
import { type KubeSubject, kubeSubject } from './subject.ts'

const cluster = freshCluster()
const open: KubeSubject[] = []
const fresh = async () => {
  const subject = await kubeSubject(cluster())
  open.push(subject)
  return subject
}
afterEach(async () => {
  for (const subject of open.splice(0)) await subject.end()
})

const FINALIZER = 'ppn.dev/teardown'
const KEY = 'Node/edge-1'
/** Generous: the machine is shared. */
const WITHIN_MS = 60_000

async function until(what: string, done: () => boolean): Promise<void> {
  const deadline = Date.now() + WITHIN_MS
  while (!done()) {
    if (Date.now() > deadline) throw new Error(`not within ${WITHIN_MS / 1000} s: ${what}`)
    await wait(10)
  }
}

test('the server refuses a misspelt field, an unknown value and a change of what never changes', async () => {
  const s = await fresh()
  await s.declare('a', [archive('cluster-totebox-a-1')])
  await s.start()
  await expect(s.declare('b', [node('edge-2', { site: 'onprm' })])).rejects.toThrow(/spec\.site/)
  const other = { source: 'https://images.example/other.raw', sha256: 'cd'.repeat(32), format: 'raw' }
  await expect(s.declare('a', [archive('cluster-totebox-a-1', { image: other })])).rejects.toThrow(/image is immutable/)
  const path = `${createPath('Node')}?fieldValidation=Strict`
  const { status, text } = await cluster().request('POST', path, node('edge-3', { sitee: 'onprem' }))
  expect([status, text]).toEqual([400, expect.stringContaining('sitee')])
  expect(s.store().get('Archive', 'cluster-totebox-a-1', 'office')?.spec.image.format).toBe('qcow2')
  expect(s.store().list('Node')).toEqual([])
})

test('what is set once can be added, and then neither changed nor taken away', async () => {
  const s = await fresh()
  await s.declare('a', [pairing('p')])
  await s.start()
  await s.declare('a', [pairing('p', { decision: 'Deny' })])
  await expect(s.declare('a', [pairing('p', { decision: 'Approve' })])).rejects.toThrow(/decision is set once/)
  await expect(s.declare('a', [pairing('p')])).rejects.toThrow(/decision is set once/)
  expect(s.store().get('Pairing', 'p')?.spec.decision).toBe('Deny')
})

test('generation counts after defaulting: the default written out is no change', async () => {
  const s = await fresh()
  await s.declare('a', [node('edge-1')])
  await s.start()
  await s.declare('a', [node('edge-1', { isolated: false })])
  expect(s.store().getByKey(KEY)?.metadata.generation).toBe(1)
  await s.declare('a', [node('edge-1', { isolated: true })])
  expect(s.store().getByKey(KEY)?.metadata.generation).toBe(2)
})

test('no deletion is taken back: what returns is a new object, once the old one is gone', async () => {
  const s = await fresh()
  await s.declare('a', [node('edge-1')])
  await s.start()
  const uid = s.store().getByKey(KEY)?.metadata.uid as string
  await s.store().addFinalizer(KEY, uid, FINALIZER)
  await s.declare('a', [])
  await s.declare('a', [node('edge-1', { isolated: true })])
  expect(s.store().getByKey(KEY)?.metadata).toMatchObject({ uid, deletionTimestamp: expect.any(String) })
  await s.store().removeFinalizer(KEY, uid, FINALIZER)
  expect(s.store().getByKey(KEY)).toBeUndefined()
  await s.declare('a', [node('edge-1')])
  expect(s.store().getByKey(KEY)?.metadata.uid).not.toBe(uid)
})

test('a tombstone and its finalizers are found again by another process', async () => {
  const s = await fresh()
  await s.declare('a', [node('edge-1')])
  await s.start()
  const uid = s.store().getByKey(KEY)?.metadata.uid as string
  await s.store().addFinalizer(KEY, uid, FINALIZER)
  await s.declare('a', [])
  await s.reopen()
  await s.start()
  expect(s.store().getByKey(KEY)?.metadata).toMatchObject({ uid, deletionTimestamp: expect.any(String) })
})

test('a whole list that replaces what was held is in before anybody hears of a part of it', async () => {
  const s = await fresh()
  await s.declare('a', [node('edge-1')])
  await s.start()
  const seen: number[] = []
  s.store().subscribe((event) => {
    if (event.type === 'upsert') seen.push(s.store().list('Node').length)
  })
  let gone = 0
  // Down while three objects come; then the watches that would go on are told that their place is lost.
  await s.setUnreadable(true)
  await s.declare('b', [node('edge-2'), node('edge-3'), node('edge-4')])
  s.proxy.set({
    refuse: (_, url) =>
      url.includes('watch=1') && url.includes('/nodes?') && gone++ === 0 ? { status: 410 } : undefined,
  })
  await s.settled()
  expect(gone).toBeGreaterThan(0)
  expect(seen).toEqual([4, 4, 4])
})

test('fields of another manager stay; a status of ours replaces only ours', async () => {
  const s = await fresh()
  await s.declare('a', [withMeta(node('edge-1'), { labels: { team: 'a' } })])
  await s.start()
  const edge = s.store().get('Node', 'edge-1')!
  await s.store().updateStatus(edge, { observedGeneration: 1, conditions: [], address: '10.8.0.2' })
  await s.store().updateStatus(edge, { observedGeneration: 1, conditions: [] })
  const { json } = await cluster().request('GET', objectPath('Node', { name: 'edge-1' }))
  const raw = json() as { status: object; metadata: { labels: object; managedFields: { manager: string }[] } }
  expect(raw.status).toEqual({ observedGeneration: 1, conditions: [] })
  expect(raw.metadata.labels).toEqual({ team: 'a' })
  expect(raw.metadata.managedFields.map(({ manager }) => manager).sort()).toEqual(['ppn-authority', 'tester'])
})

test('a status never lands on a namesake, although the store has not heard of the change', async () => {
  const s = await fresh()
  await s.declare('a', [node('edge-1')])
  await s.start()
  const old = s.store().get('Node', 'edge-1')!
  s.proxy.set({ refuse: (_, url) => (url.includes('watch=1') ? { status: 503 } : undefined) })
  s.proxy.cutWatches()
  await cluster().request('DELETE', objectPath('Node', { name: 'edge-1' }))
  await cluster().request('POST', createPath('Node'), node('edge-1'))
  await s.store().updateStatus(old, { observedGeneration: 1, conditions: [] })
  const { json } = await cluster().request('GET', objectPath('Node', { name: 'edge-1' }))
  expect((json() as { status?: object }).status).toEqual(UNSEEN_STATUS.Node)
  await s.store().addFinalizer(KEY, old.metadata.uid, FINALIZER)
  s.proxy.set({})
  await s.settled()
  expect(s.store().getByKey(KEY)?.metadata).toMatchObject({ finalizers: [] })
  expect(s.store().getByKey(KEY)?.metadata.uid).not.toBe(old.metadata.uid)
})

test('finalizers: somebody else’s, set and taken in between, stay as they left them', async () => {
  const s = await fresh()
  await s.declare('a', [node('edge-1')])
  await s.start()
  const uid = s.store().getByKey(KEY)?.metadata.uid as string
  const theirs = (finalizers: string[]) =>
    cluster().request(
      'PATCH',
      objectPath('Node', { name: 'edge-1' }),
      { metadata: { finalizers } },
      'application/merge-patch+json',
    )
  // The store cannot have heard of it when it writes: its watches are down.
  s.proxy.set({ refuse: (_, url) => (url.includes('watch=1') ? { status: 503 } : undefined) })
  s.proxy.cutWatches()
  await theirs(['example.com/theirs'])
  await s.store().addFinalizer(KEY, uid, FINALIZER)
  expect(s.store().getByKey(KEY)?.metadata.finalizers).toEqual(['example.com/theirs', FINALIZER])
  await theirs(['example.com/theirs', FINALIZER, 'example.com/more'])
  await s.store().removeFinalizer(KEY, uid, FINALIZER)
  expect(s.store().getByKey(KEY)?.metadata.finalizers).toEqual(['example.com/theirs', 'example.com/more'])
})

test('cut watches, 410, 429 and latency: nothing is lost, nothing is told twice, nothing goes', async () => {
  const s = await fresh()
  await s.declare('a', [node('edge-1'), node('edge-2')])
  await s.start()
  const lines = heard(s.store())
  const change = (name: string, address: string) =>
    cluster().request('PATCH', objectPath('Node', { name }), { spec: { address } }, 'application/merge-patch+json')
  const shows = (name: string, address: string) => () => s.store().get('Node', name)?.spec.address === address
  const told = () => lines.splice(0).filter((line) => line !== 'health')

  s.proxy.cutWatches()
  await change('edge-1', '10.8.0.11')
  await until('a change after a cut', shows('edge-1', '10.8.0.11'))
  expect(told()).toEqual(['upsert Node/edge-1'])

  let gone = 0
  s.proxy.set({ refuse: (_, url) => (url.includes('watch=1') && gone++ < 7 ? { status: 410 } : undefined) })
  s.proxy.cutWatches()
  await change('edge-2', '10.8.0.12')
  await until('a change over 410', shows('edge-2', '10.8.0.12'))
  expect(told()).toEqual(['upsert Node/edge-2'])

  let busy = 0
  const storm = { status: 429, headers: { 'retry-after': '1' } }
  s.proxy.set({ refuse: () => (busy++ < 20 ? storm : undefined) })
  s.proxy.cutWatches()
  await change('edge-1', '10.8.0.13')
  await until('a change over 429', shows('edge-1', '10.8.0.13'))
  expect(told()).toEqual(['upsert Node/edge-1'])

  s.proxy.set({ latencyMs: 500 })
  s.proxy.cutWatches()
  await change('edge-2', '10.8.0.14')
  await until('a change over latency', shows('edge-2', '10.8.0.14'))
  expect(told()).toEqual(['upsert Node/edge-2'])
  expect(s.store().list('Node')).toHaveLength(2)
})

test('a CRD that is gone is no reason to believe that its objects are', async () => {
  const s = await fresh()
  await s.declare('a', [node('edge-1')])
  await s.start()
  const lines = heard(s.store())
  s.proxy.set({ refuse: (_, url) => (url.includes('/nodes?') ? { status: 404 } : undefined) })
  s.proxy.cutWatches()
  await until('this kind alone is unreadable', () => /^Node: 404/.test(s.store().health().unreadable ?? ''))
  expect(s.store().list('Node')).toHaveLength(1)
  s.proxy.set({})
  await s.settled()
  expect(lines).toEqual(['health', 'health'])
})

test('the API server restarts: held meanwhile, and whole again by itself', async () => {
  const s = await fresh()
  await s.declare('a', [node('edge-1'), node('edge-2')])
  await s.start()
  const lines = heard(s.store())
  await cluster().restartApiServer()
  await s.declare('a', [node('edge-1'), node('edge-2', { isolated: true })])
  await until('the change after the restart', () => s.store().get('Node', 'edge-2')?.spec.isolated === true)
  expect(lines.filter((line) => line !== 'health')).toEqual(['upsert Node/edge-2'])
})

test('etcd frozen for a while: no object goes, records fail and succeed again', async () => {
  const s = await fresh()
  await s.declare('a', [node('edge-1')])
  await s.start()
  const lines = heard(s.store())
  cluster().etcd.freeze()
  const during = s
    .store()
    .records.put('term', 1, 0)
    .catch(() => undefined)
  await wait(3_000)
  expect(s.store().list('Node')).toHaveLength(1)
  cluster().etcd.thaw()
  await during
  await until('the store is whole again', () => s.store().health().unreadable === undefined)
  const again = await s.store().records.put('term', 2, s.store().records.get('term')?.version ?? 0)
  expect(again.value).toBe(2)
  expect(lines.filter((line) => line !== 'health')).toEqual([])
})
