// The sentences on deletion and refusal of DESIGN.md section 5, over the real fleet.
import { afterEach, expect, test } from 'vitest'
import { ANNOTATION } from '../../api/meta.ts'
import { type Fleet, startFleet } from './harness.ts'
import { archive, hub, pool, spoke } from './objects.ts'
import { addressOf, forge, refusals } from './wire.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

const name = (n: number) => `cluster-totebox-test-${n}`
const report = (node: string) => fleet.nodes.get(node)?.report()
const machine = (node: string, n: number) => report(node)?.archives.find((a) => a.name === name(n))
const marksOf = (node: string) => report(node)?.marks
const gone = (kind: 'Node' | 'Archive' | 'ResourcePool', named: string) =>
  !fleet.store.list(kind).some((o) => o.metadata.name === named)
const peers = (node: string) => report(node)?.peers.map((p) => p.name)

test('a deleted Node goes when the hub shows its peer gone: a dead one is never needed', async () => {
  fleet = await startFleet([hub('relay'), spoke('edge-1'), spoke('edge-2'), spoke('edge-3')])
  await fleet.untilReady()
  expect(peers('relay')).toContain('edge-2')
  await fleet.nodes.get('edge-2')?.kill('machine')
  fleet.withdraw('Node', 'edge-2')
  await fleet.until(() => gone('Node', 'edge-2'))
  expect(peers('relay')).toEqual(['edge-1', 'edge-3'])
  // Its address is in quarantine.
  fleet.declare(spoke('edge-4'))
  await fleet.until(() => fleet.condition('Node', 'edge-4')?.status === 'True')
  expect(addressOf(fleet, 'edge-4')).toBe('10.8.0.5')
})

test('a deleted Node that an Archive names stays as it is, and says so', async () => {
  fleet = await startFleet([hub('relay'), spoke('edge-1'), spoke('edge-2'), spoke('edge-3'), archive(1, 'edge-2')])
  await fleet.untilReady()
  fleet.withdraw('Node', 'edge-2')
  await fleet.clock.advance(5 * 60_000)
  expect(fleet.condition('Node', 'edge-2', 'Deleting')).toEqual({ status: 'True', reason: 'ArchivesPresent' })
  expect(machine('edge-2', 1)?.lifecycle).toBe('Running')
  expect(peers('relay')).toContain('edge-2')
})

test('a deleted Archive is stopped and its disk kept', async () => {
  fleet = await startFleet([hub('relay'), spoke('edge-1'), ...[1, 2, 3, 4].map((n) => archive(n, 'edge-1'))])
  await fleet.untilReady()
  const id = machine('edge-1', 1)?.id
  fleet.withdraw('Archive', name(1), 'default')
  await fleet.until(() => gone('Archive', name(1)))
  expect(machine('edge-1', 1)).toBeUndefined()
  expect(report('edge-1')?.retainedDisks.map((d) => d.id)).toEqual([id])
})

test('a disk is deleted only when spec and a confirmation say so', async () => {
  const vault = (n: number) => archive(n, 'edge-1', { deletionPolicy: 'Delete' })
  fleet = await startFleet([hub('relay'), spoke('edge-1'), ...[1, 2, 3, 4, 5, 6].map(vault)])
  await fleet.untilReady()
  const id = machine('edge-1', 1)?.id
  const confirmed = vault(2)
  const annotations = { [ANNOTATION.confirmDelete]: name(2) }
  fleet.declare({ ...confirmed, metadata: { ...confirmed.metadata, annotations } })
  fleet.withdraw('Archive', name(1), 'default')
  fleet.withdraw('Archive', name(2), 'default')
  await fleet.until(() => gone('Archive', name(1)) && gone('Archive', name(2)))
  // Of one only the spec said so.
  expect(report('edge-1')?.retainedDisks.map((d) => d.id)).toEqual([id])
})

test('an orphan runs on untouched, and the same name applied again has its identity and slot back', async () => {
  fleet = await startFleet([hub('relay'), spoke('edge-1'), ...[1, 2, 3, 4].map((n) => archive(n, 'edge-1'))])
  await fleet.untilReady()
  const before = machine('edge-1', 2)
  const orphan = archive(2, 'edge-1')
  fleet.declare({ ...orphan, metadata: { ...orphan.metadata, annotations: { 'ppn.dev/deletion': 'Orphan' } } })
  fleet.withdraw('Archive', name(2), 'default')
  await fleet.until(() => gone('Archive', name(2)) && machine('edge-1', 2)?.unlisted === true)
  expect(machine('edge-1', 2)).toMatchObject({ id: before?.id, slot: before?.slot, lifecycle: 'Running' })
  fleet.declare(archive(9, 'edge-1'))
  await fleet.until(() => machine('edge-1', 9)?.lifecycle === 'Running')
  expect(machine('edge-1', 9)?.slot).not.toBe(before?.slot)
  fleet.declare(archive(2, 'edge-1'))
  await fleet.untilReady()
  const after = machine('edge-1', 2)
  expect(after).toMatchObject({
    id: before?.id,
    slot: before?.slot,
    lifecycle: 'Running',
    unlisted: false,
    restarts: 0,
  })
  expect(after?.cpuTimeMs).toBeGreaterThan(before?.cpuTimeMs ?? Number.POSITIVE_INFINITY)
})

test('a deleted ResourcePool leaves its node with the defaults', async () => {
  const nodes = ['edge-1', 'edge-2', 'edge-3', 'edge-4'].map((n) => spoke(n))
  const pools = ['edge-1', 'edge-2', 'edge-3', 'edge-4'].map((n) => pool(n, { overcommitPercent: 300 }))
  fleet = await startFleet([hub('relay'), ...nodes, ...pools])
  await fleet.untilReady()
  const policy = (node: string) => fleet.authority.publisher.state(node).content?.pool
  const [own, others] = [policy('edge-1'), policy('relay')]
  expect(own).not.toEqual(others)
  fleet.withdraw('ResourcePool', 'edge-1')
  await fleet.until(() => gone('ResourcePool', 'edge-1'))
  await fleet.untilReady()
  expect(policy('edge-1')).toEqual(others)
})

test('a duplicate address: the newcomer is refused, the holder keeps it, and both are told', async () => {
  fleet = await startFleet([hub('relay'), spoke('edge-1', { address: '10.8.0.7' })])
  await fleet.untilReady()
  fleet.declare(spoke('edge-2', { address: '10.8.0.7' }))
  await fleet.clock.advance(60_000)
  expect(fleet.condition('Node', 'edge-2', 'Accepted')).toMatchObject({ status: 'False' })
  expect(fleet.condition('Node', 'edge-1')?.status).toBe('True')
  expect(addressOf(fleet, 'edge-1')).toBe('10.8.0.7')
  const told = fleet.events.filter((e) => e.reason === 'AddressTaken').map((e) => e.key)
  expect(new Set(told)).toEqual(new Set(['Node/edge-1', 'Node/edge-2']))
  const audited = Buffer.from(fleet.files.get('audit.jsonl') ?? []).toString()
  expect(audited.match(/"AddressTaken"/g)).toHaveLength(2)
})

test('a packet of a wrong length, op, target, slot or tag does nothing, and is counted by its reason, the tag before the rest', async () => {
  fleet = await startFleet([hub('relay'), spoke('edge-1'), archive(1, 'edge-1')])
  await fleet.untilReady()
  await fleet.clock.advance(5_000)
  const to = addressOf(fleet, 'edge-1')
  const own = Number(to.split('.')[3])
  const power = fleet.network.datagrams.find((d) => d.port === 8090 && d.to === to && d.bytes[0] === 4)?.bytes
  const changed = (at: number, value: number) => Uint8Array.from(power ?? [], (b, i) => (i === at ? value : b))
  const [marks, before] = [marksOf('edge-1'), refusals(fleet, 'edge-1')]
  await forge(
    fleet,
    to,
    Uint8Array.of(...changed(0, 4), 0),
    changed(0, 0x7f),
    changed(1, 0),
    changed(1, 255),
    changed(2, 0),
    changed(15, (power?.[15] ?? 0) ^ 1),
  )
  // For another node of the mesh: no fault of anybody's, hence not counted, and never obeyed.
  await forge(fleet, to, changed(1, own + 1))
  await fleet.clock.advance(1_000)
  const counted = Object.fromEntries(
    Object.entries(refusals(fleet, 'edge-1'))
      .map(([reason, n]) => [reason, n - (before[reason] ?? 0)])
      .filter(([, n]) => n !== 0),
  )
  expect(counted).toEqual({ BadLength: 1, BadTarget: 1, BadTag: 4 })
  expect(marksOf('edge-1')).toEqual(marks)
  expect(machine('edge-1', 1)?.lifecycle).toBe('Running')
})

test('a slot is given again only after telemetry showed a bundle without it', async () => {
  fleet = await startFleet([hub('relay'), spoke('edge-1'), ...[1, 2, 3, 4].map((n) => archive(n, 'edge-1'))])
  await fleet.untilReady()
  const slot = machine('edge-1', 1)?.slot
  fleet.withdraw('Archive', name(1), 'default')
  fleet.declare(archive(5, 'edge-1'))
  await fleet.until(() => machine('edge-1', 5)?.lifecycle === 'Running')
  expect(machine('edge-1', 5)?.slot).not.toBe(slot)
  await fleet.until(() => gone('Archive', name(1)))
  await fleet.untilReady()
  fleet.declare(archive(6, 'edge-1'))
  await fleet.untilReady()
  // What was obeyed for the last holder of the slot counts for nothing.
  expect(machine('edge-1', 6)).toMatchObject({ slot, lifecycle: 'Running', weight: 100 })
})
