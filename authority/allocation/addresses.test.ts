import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StoredRecord } from '../../controllers/ports/store.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { ADDRESS_QUARANTINE_MS } from './addresses.ts'
import { createAllocator } from './allocator.ts'
import { memoryRecords } from './testing/memory-records.ts'

const CIDR = '10.8.0.0/24'
const hub = { uid: 'u-hub', name: 'hub-1', hub: true }
const edge = { uid: 'u-edge', name: 'edge-1', hub: false }
const other = { uid: 'u-other', name: 'edge-2', hub: false }

function world(facts = new Map<string, StoredRecord>(), clock = virtualClock()) {
  let made = 0
  const random = (n: number) => new Uint8Array(n).fill(++made)
  const records = memoryRecords(facts)
  const allocator = createAllocator({ records, clock, random, ceiling: () => ({ term: 3, sequence: 70 }) })
  return { facts, clock, records, allocator }
}

test('the hub gets .1 and others the lowest free address above it', async () => {
  const { allocator } = world()
  expect(await allocator.claimAddress(edge, CIDR)).toEqual({ ok: true, address: '10.8.0.2' })
  expect(await allocator.claimAddress(hub, CIDR)).toEqual({ ok: true, address: '10.8.0.1' })
  expect(await allocator.claimAddress(other, CIDR)).toEqual({ ok: true, address: '10.8.0.3' })
  expect(allocator.addressOf('u-edge')).toBe('10.8.0.2')
  expect(allocator.holderOf('10.8.0.1')).toEqual({ nodeUid: 'u-hub', nodeName: 'hub-1' })
})

test('a second hub takes the lowest free address', async () => {
  const { allocator } = world()
  await allocator.claimAddress(hub, CIDR)
  expect(await allocator.claimAddress({ ...other, hub: true }, CIDR)).toEqual({ ok: true, address: '10.8.0.2' })
})

test('asking again gives the same address and writes nothing', async () => {
  const { allocator, records } = world()
  await allocator.claimAddress(edge, CIDR)
  const writes: string[] = []
  records.onWrite((key) => void writes.push(key))
  expect(await allocator.claimAddress(edge, CIDR)).toEqual({ ok: true, address: '10.8.0.2' })
  expect(await allocator.claimAddress(edge, CIDR, '10.8.0.2')).toEqual({ ok: true, address: '10.8.0.2' })
  expect(writes).toEqual([])
})

test('an address that another node declares is not given by choice', async () => {
  const { allocator } = world()
  expect(await allocator.claimAddress(edge, CIDR, undefined, new Set(['10.8.0.2']))).toMatchObject({
    address: '10.8.0.3',
  })
})

test.each([
  ['10.8.1.9', CIDR, 'OutsideMesh'],
  ['10.8.0.0', CIDR, 'AddressReserved'],
  ['10.8.0.255', CIDR, 'AddressReserved'],
  ['10.8.0.63', '10.8.0.0/26', 'AddressReserved'],
  ['10.8.0.64', '10.8.0.0/26', 'OutsideMesh'],
  ['010.8.0.9', CIDR, 'OutsideMesh'],
  ['10.8.0.9', '10.8.0.0/16', 'OutsideMesh'],
  ['10.8.0.9', '10.8.0.9/24', 'OutsideMesh'],
])('%s in %s is refused: %s', async (wanted, cidr, reason) => {
  const { allocator, facts } = world()
  expect(await allocator.claimAddress(edge, cidr, wanted)).toMatchObject({ ok: false, reason })
  expect(facts.size).toBe(0)
})

test('the holder keeps a taken address and the newcomer is told whose it is', async () => {
  const { allocator } = world()
  await allocator.claimAddress(edge, CIDR, '10.8.0.9')
  expect(await allocator.claimAddress(other, CIDR, '10.8.0.9')).toMatchObject({
    ok: false,
    reason: 'AddressTaken',
    holder: 'edge-1',
  })
  expect(allocator.addressOf('u-edge')).toBe('10.8.0.9')
})

test('a freed address is kept from others for a day, but not from the name that held it', async () => {
  const { allocator, clock } = world()
  await allocator.claimAddress(edge, CIDR, '10.8.0.9')
  await allocator.releaseAddress('u-edge')
  expect(allocator.addressOf('u-edge')).toBeUndefined()
  expect(await allocator.claimAddress(other, CIDR, '10.8.0.9')).toMatchObject({ reason: 'AddressQuarantined' })
  await clock.advance(ADDRESS_QUARANTINE_MS - 1)
  expect(await allocator.claimAddress(other, CIDR, '10.8.0.9')).toMatchObject({ reason: 'AddressQuarantined' })
  expect(await allocator.claimAddress({ ...edge, uid: 'u-again' }, CIDR, '10.8.0.9')).toMatchObject({ ok: true })
  await allocator.releaseAddress('u-again')
  await clock.advance(ADDRESS_QUARANTINE_MS)
  expect(await allocator.claimAddress(other, CIDR, '10.8.0.9')).toMatchObject({ ok: true })
})

test('a node that changes its address frees the old one into quarantine', async () => {
  const { allocator } = world()
  await allocator.claimAddress(edge, CIDR, '10.8.0.9')
  expect(await allocator.claimAddress(edge, CIDR, '10.8.0.10')).toEqual({ ok: true, address: '10.8.0.10' })
  expect(allocator.holderOf('10.8.0.9')).toBeUndefined()
  expect(await allocator.claimAddress(other, CIDR, '10.8.0.9')).toMatchObject({ reason: 'AddressQuarantined' })
})

test('an orphaned node declared again has its address and its id back', async () => {
  const { allocator } = world()
  const id = await allocator.nodeId('u-edge', 'edge-1')
  await allocator.claimAddress(edge, CIDR, '10.8.0.9')
  const again = { ...edge, uid: 'u-again' }
  expect(await allocator.nodeId('u-again', 'edge-1')).toBe(id)
  expect(await allocator.claimAddress(again, CIDR)).toEqual({ ok: true, address: '10.8.0.9' })
  expect(allocator.addressOf('u-again')).toBe('10.8.0.9')
})

test('a full mesh says so, and .1 goes last to a spoke', async () => {
  const { allocator } = world()
  const given: unknown[] = []
  for (let i = 0; i < 7; i++)
    given.push(await allocator.claimAddress({ uid: `u${i}`, name: `n${i}`, hub: false }, '10.8.0.0/29'))
  const addresses = given.map((g) => (g as { address?: string }).address)
  expect(addresses).toEqual([2, 3, 4, 5, 6, 1].map((n) => `10.8.0.${n}`).concat([undefined as unknown as string]))
  expect(given.at(-1)).toMatchObject({ ok: false, reason: 'Exhausted' })
})

test('no address has two holders and no node two addresses, whatever crashes and whoever writes at the same time', async () => {
  const op = fc.record({
    writer: fc.integer({ min: 0, max: 1 }),
    node: fc.integer({ min: 0, max: 4 }),
    act: fc.constantFrom('claim', 'claim', 'wanted', 'release'),
    octet: fc.integer({ min: 0, max: 7 }),
    /** Crash before this write of the step. */
    crash: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
    alone: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(op, { maxLength: 30 }), async (ops) => {
      const facts = new Map<string, StoredRecord>()
      const clock = virtualClock()
      const writers = [world(facts, clock), world(facts, clock)]
      let running: Promise<unknown>[] = []
      for (const { writer, node, act, octet, crash, alone } of ops) {
        let left = crash ?? Number.POSITIVE_INFINITY
        const { allocator, records } = writers[writer] as ReturnType<typeof world>
        records.onWrite(async () => {
          await Promise.resolve()
          if (left-- <= 0) throw new Error('crash')
        })
        const who = { uid: `u${node}`, name: `n${node}`, hub: node === 0 }
        const wanted = act === 'wanted' ? `10.8.0.${octet}` : undefined
        running.push(
          (act === 'release'
            ? allocator.releaseAddress(who.uid)
            : allocator.claimAddress(who, '10.8.0.0/29', wanted)
          ).catch((error) => expect(error.message).toBe('crash')),
        )
        if (alone) await Promise.all(running.splice(0))
        if (crash !== undefined) {
          await Promise.all(running.splice(0))
          writers[writer] = world(facts, clock)
        }
      }
      await Promise.all(running)
      running = []

      const fresh = world(facts, clock).allocator
      const held = new Map<string, string>()
      for (let node = 0; node < 5; node++) {
        const result = await fresh.claimAddress({ uid: `u${node}`, name: `n${node}`, hub: node === 0 }, '10.8.0.0/29')
        if (!result.ok) continue
        expect(held.get(result.address)).toBeUndefined()
        held.set(result.address, `u${node}`)
        expect(fresh.addressOf(`u${node}`)).toBe(result.address)
      }
      for (const [address, uid] of held) expect(fresh.holderOf(address)?.nodeUid).toBe(uid)
      const heldFacts = [...facts.values()].filter((f) => (f.value as { state?: string }).state === 'Held')
      expect(heldFacts.length).toBe(held.size)
    }),
    { numRuns: 200 },
  )
})
