import { expect, test } from 'vitest'
import type { Enrolment } from '../controllers/ports/registry.ts'
import { rosterOf, targetOf } from './roster.ts'

function setUp() {
  const enrolled = new Map<string, Enrolment>()
  const addresses = new Map<string, string>()
  const hubs = new Set<string>()
  const listeners = new Set<(node: string) => void>()
  const enrol = (node: string, enrolmentId = 'e'.repeat(32)) => {
    const key = `${node}${'A'.repeat(44)}`.slice(0, 44)
    const identity = { wireguardPublicKey: key, commandPublicKey: key, signingPublicKey: key }
    enrolled.set(node, { node, nodeId: 'f'.repeat(32), enrolmentId, identity, how: 'declared' })
    for (const listener of listeners) listener(node)
  }
  const retire = (node: string) => {
    enrolled.delete(node)
    for (const listener of listeners) listener(node)
  }
  addresses.set('uid-a', '10.8.0.7')
  enrol('a')
  const roster = rosterOf({
    registry: {
      of: (node) => enrolled.get(node),
      list: () => [...enrolled.values()],
      subscribe: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    allocator: { addressOf: (uid) => addresses.get(uid) },
    nodeOf: (node) => ({ uid: `uid-${node}`, hub: hubs.has(node) }),
  })
  const told: string[] = []
  roster.subscribe((node) => told.push(node))
  return { roster, told, enrol, retire, addresses, hubs }
}

test('a node is there from its enrolment and its address on, by name and by address', () => {
  const { roster, told, enrol, addresses } = setUp()
  expect(roster.get('a')).toMatchObject({ node: 'a', address: '10.8.0.7', target: 7, hub: false })
  expect(roster.byAddress('10.8.0.7')).toBe(roster.get('a'))
  enrol('b')
  expect(roster.get('b')).toBeUndefined()
  addresses.set('uid-b', '10.8.0.2')
  roster.refresh('b')
  expect(roster.all().map((entry) => entry.node)).toEqual(['b', 'a'])
  expect(told).toEqual(['b'])
})

test('a node that moved is found at its new address only', () => {
  const { roster, addresses } = setUp()
  addresses.set('uid-a', '10.8.0.9')
  roster.refresh()
  expect(roster.byAddress('10.8.0.7')).toBeUndefined()
  expect(roster.byAddress('10.8.0.9')).toMatchObject({ node: 'a', target: 9 })
})

test('one that is enrolled anew or became a hub is another entry; nothing changed is no news', () => {
  const { roster, told, enrol, hubs } = setUp()
  const before = roster.get('a')
  roster.refresh()
  expect(told).toEqual([])
  expect(roster.get('a')).toBe(before)
  enrol('a', 'd'.repeat(32))
  hubs.add('a')
  roster.refresh('a')
  expect(told).toEqual(['a', 'a'])
  expect(roster.get('a')).toMatchObject({ enrolmentId: 'd'.repeat(32), hub: true })
})

test('a retired node is gone', () => {
  const { roster, told, retire } = setUp()
  retire('a')
  expect(roster.all()).toEqual([])
  expect(roster.byAddress('10.8.0.7')).toBeUndefined()
  expect(told).toEqual(['a'])
})

test.each([
  ['10.8.0.1', 1],
  ['10.8.0.254', 254],
  ['10.8.0.0', undefined],
  ['10.8.0.255', undefined],
  ['10.8.0', undefined],
  ['', undefined],
])('the target byte of %j is %s', (address, target) => {
  expect(targetOf(address)).toBe(target)
})
