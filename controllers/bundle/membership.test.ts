import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keyOf } from '../../api/meta.ts'
import { controllerWorld } from '../controller-world.ts'
import { fakeIdentity, fakeWorld } from '../testing/fake-world.ts'
import { hubsOf, membersOf, orphanRecord } from './members.ts'

const NODES = ['a', 'b']

const step = fc.record({
  do: fc.constantFrom('put', 'asHub', 'status', 'bury', 'claim', 'release', 'enrol', 'retire', 'orphan', 'adopt'),
  node: fc.constantFrom(...NODES),
})

test('after any history it is what a look at everything gives, and the same object while nothing changed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const fake = fakeWorld()
      const { world, index } = controllerWorld(fake, () => {})
      fake.store.subscribe(index.take)
      const joined = NODES.flatMap((node) => ['put', 'claim', 'enrol'].map((what) => ({ do: what, node })))
      for (const { do: what, node: name } of [...joined, ...steps]) {
        const key = keyOf('Node', name)
        const object = fake.store.get('Node', name)
        const uid = object?.metadata.uid ?? name
        const record = fake.store.records.get(orphanRecord(name))
        if (what === 'put')
          fake.node(name, name === 'hub' ? { role: 'hub', site: 'cloud', endpoint: 'h.example:1' } : {})
        if (what === 'status' && object) await fake.store.updateStatus(object, { observedGeneration: 1 } as never)
        if (what === 'bury' && object) fake.store.bury(key)
        if (what === 'claim') await world.allocator.claimAddress({ uid, name, hub: false }, '10.8.0.0/24')
        if (what === 'release') await world.allocator.releaseAddress(uid)
        if (what === 'enrol')
          await world.registry.enrol(name, await world.allocator.nodeId(uid, name), fakeIdentity(name), 'declared')
        if (what === 'retire') await world.registry.retire(name, 'gone')
        if (what === 'orphan' && !record) {
          const member = membersOf(world).find((one) => one.name === name)
          if (member) await fake.store.records.put(orphanRecord(name), member, 0)
        }
        if (what === 'adopt' && record) await fake.store.records.delete(record.key, record.version)

        const { members, hubs, byName } = world.membership()
        expect(members).toEqual(membersOf(world))
        expect(hubs).toEqual(hubsOf(members))
        expect([...byName.values()]).toEqual(members)
        const steady = index.leavingNodes().length === 0 && fake.store.records.list('orphan/').length === 0
        if (steady) expect(world.membership().members).toBe(members)
      }
    }),
  )
})
