import { expect, test } from 'vitest'
import { FINALIZER } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { PpnError } from '../../base/errors.ts'
import { controllerWorld } from '../controller-world.ts'
import { fakeDurable, fakeIdentity, fakeWorld } from '../testing/fake-world.ts'
import { asks, type Effect } from './effects.ts'
import { perform } from './perform.ts'
import { teardownBegun } from './teardown.ts'

function fixture() {
  const durable = fakeDurable()
  const fake = fakeWorld(durable)
  const ran: string[] = []
  const { world } = controllerWorld(fake, (controller, key) => ran.push(`${controller} ${key}`))
  fake.node('office')
  const object = (): PpnObject => fake.store.get('Node', 'office')!
  return { durable, fake, world, ran, object }
}

const CLAIM: Effect = {
  type: 'claimAddress',
  node: { uid: 'uid-office', name: 'office', hub: false },
  cidr: '10.8.0.0/24',
  avoid: ['10.8.0.1'],
}

test('what was asked comes back as answers', async () => {
  const { world, object } = fixture()
  const { answers } = await perform([CLAIM, { type: 'enrol', identity: fakeIdentity('office') }], world, object())
  expect(answers).toMatchObject({ claim: { ok: true, address: '10.8.0.2' }, enrol: { ok: true } })
})

test('an answer about another object is not this object’s', async () => {
  const { world, object } = fixture()
  const other = { uid: 'uid-x', name: 'x', hub: false }
  const { answers } = await perform([{ ...CLAIM, node: other } as Effect], world, object())
  expect(answers).toEqual({})
})

test('the network is fixed before its first address is given out', async () => {
  const { fake, world, object } = fixture()
  fake.allocator.claimAddress = async () => {
    expect(fake.store.records.get('mesh/cidr')?.value).toBe('10.8.0.0/24')
    return { ok: false, reason: 'Exhausted', message: '' }
  }
  await perform([CLAIM], world, object())
  expect(fake.store.records.get('mesh/cidr')?.value).toBe('10.8.0.0/24')
})

test('two nodes that fix the network at the same time both go on', async () => {
  const { fake, world, object } = fixture()
  const put = fake.store.records.put
  // The other one's write comes in between.
  fake.store.records.put = async (key, value) => {
    await put(key, value, 0)
    throw new PpnError('Conflict', { key })
  }
  const { answers } = await perform([CLAIM], world, object())
  expect(answers).toMatchObject({ claim: { ok: true } })
})

test('a network that another one fixed differently is no such thing', async () => {
  const { fake, world, object } = fixture()
  const put = fake.store.records.put
  fake.store.records.put = async (key) => {
    await put(key, '10.9.0.0/24', 0)
    throw new PpnError('Conflict', { key })
  }
  await expect(perform([CLAIM], world, object())).rejects.toMatchObject({ code: 'Conflict' })
})

test('a failure ends it: nothing after it is done', async () => {
  const { fake, world, object } = fixture()
  fake.registry.retire = async () => {
    throw new Error('disk full')
  }
  await fake.store.addFinalizer('Node/office', 'uid-office', FINALIZER)
  const effects: Effect[] = [{ type: 'retire', reason: 'deleted' }, { type: 'removeFinalizer' }]
  await expect(perform(effects, world, object())).rejects.toThrow('disk full')
  expect(object().metadata.finalizers).toEqual([FINALIZER])
})

test('a committed deletion is remembered until the finalizer is gone, and doing it twice is harmless', async () => {
  const { fake, world, object } = fixture()
  const commit: Effect[] = [{ type: 'addFinalizer' }, { type: 'commitDeletion' }, { type: 'commitDeletion' }]
  await perform(commit, world, object())
  expect(fake.store.isCommitted('uid-office')).toBe(true)
  expect(teardownBegun(fake.store.records, 'uid-office')).toBe(true)
  await perform([{ type: 'removeFinalizer' }], world, object())
  expect(teardownBegun(fake.store.records, 'uid-office')).toBe(false)
})

test('facts that no store event tells run those who depend on them', async () => {
  const { fake, world, object, ran } = fixture()
  fake.node('hub-1', { role: 'hub', endpoint: 'h:1' })
  const { world: later } = controllerWorld(fake, (controller, key) => ran.push(`${controller} ${key}`))
  await perform([CLAIM], later, object())
  expect(ran).toContain('node Node/hub-1')
  expect(world).toBeDefined()
})

test('the soonest `again` counts', async () => {
  const { world, object } = fixture()
  const effects: Effect[] = [
    { type: 'again', afterMs: 500 },
    { type: 'again', afterMs: 100 },
  ]
  expect(await perform(effects, world, object())).toMatchObject({ requeueAfterMs: 100 })
  expect(await perform([], world, object())).toEqual({ answers: {} })
})

test('an event about another object goes to that one; one that is gone hears nothing', async () => {
  const { fake, world, object } = fixture()
  fake.node('holder')
  const event = { type: 'event', eventType: 'Warning', reason: 'R', message: 'm' } as const
  await perform([event, { ...event, about: 'Node/holder' }, { ...event, about: 'Node/ghost' }], world, object())
  expect(fake.recorded.map((entry) => entry.object)).toEqual(['Node/office', 'Node/holder'])
})

test('the questions are claimAddress, enrol and place', () => {
  const place: Effect = { type: 'place', node: 'office', floorMiB: 16, maxMiB: 16 }
  expect([CLAIM, place, { type: 'removeFinalizer' } as Effect].map(asks)).toEqual([true, true, false])
})
