import { expect, test } from 'vitest'
import { memoryFiles } from '../../../../testing/memory-files.ts'
import { virtualClock } from '../../../../testing/virtual-clock.ts'
import { handshakeAges } from './ages.ts'
import { openMemory } from './memory.ts'
import { createResolver } from './resolver.ts'
import type { SeenPeer } from './seen.ts'

const peer = (handshakeAt?: number): SeenPeer => ({
  ...{ publicKey: 'k', presharedKey: false, allowedIPs: [], rxBytes: 0, txBytes: 0, persistentKeepalive: 0 },
  ...(handshakeAt !== undefined && { handshakeAt }),
})

test('a jump of the wall clock makes no handshake older or younger', async () => {
  const clock = virtualClock()
  const ages = handshakeAges(clock)
  const at = Math.floor(clock.now() / 1000) - 10
  expect(ages.of([peer(at)]).get('k')).toBe(10)
  clock.jump(3_600_000)
  await clock.advance(5_000)
  expect(ages.of([peer(at)]).get('k')).toBe(15)
  clock.jump(-7_200_000)
  await clock.advance(170_000)
  expect(ages.of([peer(at)]).get('k')).toBe(185)
})

test('a handshake of the future is of now, and none is none', () => {
  const clock = virtualClock()
  expect(
    handshakeAges(clock)
      .of([peer(clock.now() / 1000 + 60)])
      .get('k'),
  ).toBe(0)
  expect(handshakeAges(clock).of([peer()]).get('k')).toBeUndefined()
})

test('memory outlives a restart, and keeps where a former peer was heard', async () => {
  const files = memoryFiles()
  const memory = await openMemory(files, 'ppn0')
  memory.peers(
    new Map([
      ['a', { declared: 'hub:1', endpoint: '192.0.2.1:1' }],
      ['b', {}],
    ]),
  )
  memory.heard('b', '192.0.2.2:2')
  memory.heard('nobody', '192.0.2.3:3')
  expect(memory.dirty()).toBe(true)
  await memory.save()
  expect(memory.dirty()).toBe(false)

  const next = await openMemory(files, 'ppn0')
  expect([next.peer('a'), next.peer('b'), next.peer('nobody')]).toEqual([
    { declared: 'hub:1', endpoint: '192.0.2.1:1' },
    { endpoint: '192.0.2.2:2' },
    undefined,
  ])
  next.peers(new Map([['b', { endpoint: '192.0.2.2:2' }]]))
  expect(next.peer('a')).toEqual({ endpoint: '192.0.2.1:1' })
  await next.forget()
  expect(files.dump().size).toBe(0)
})

test('memory that cannot be read is none', async () => {
  const files = memoryFiles()
  await files.write('ppn0.json', Buffer.from('{"peers":'))
  expect((await openMemory(files, 'ppn0')).peer('a')).toBeUndefined()
})

test('an address needs no resolver, and a name is asked for once in 30 s', async () => {
  const clock = virtualClock()
  let asked = 0
  const resolver = createResolver(
    clock,
    async () => [`192.0.2.${++asked}`, '2001:DB8::1'],
    () => {},
  )
  expect(await resolver.resolve('[2001:db8::9]:5')).toEqual(['[2001:db8::9]:5'])
  expect(await resolver.resolve('hub:5')).toEqual(['192.0.2.1:5', '[2001:db8::1]:5'])
  expect(await resolver.resolve('hub:6')).toEqual(['192.0.2.1:6', '[2001:db8::1]:6'])
  await clock.advance(31_000)
  expect(await resolver.resolve('hub:5')).toEqual(['192.0.2.2:5', '[2001:db8::1]:5'])
})

test('a resolver that fails leaves the last answer, and one that hangs is not waited for', async () => {
  const clock = virtualClock()
  let answer: (addresses: string[]) => void = () => {}
  let fail = false
  let told = 0
  const lookup = () =>
    fail ? Promise.reject(new Error('SERVFAIL')) : new Promise<string[]>((resolve) => (answer = resolve))
  const resolver = createResolver(clock, lookup, () => void told++)
  const first = resolver.resolve('hub:1')
  await clock.advance(2_000)
  expect(await first).toEqual([])
  answer(['192.0.2.1'])
  await clock.settle()
  expect(told).toBe(1)
  fail = true
  await clock.advance(31_000)
  expect(await resolver.resolve('hub:1')).toEqual(['192.0.2.1:1'])
})
