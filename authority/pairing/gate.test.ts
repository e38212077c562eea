import { expect, test } from 'vitest'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { createGate, GATE, type Place, sourceOf } from './gate.ts'

function atTheGate() {
  const clock = virtualClock()
  const gate = createGate(clock)
  const gone: string[] = []
  const arrive = (source: string, name = source): Place => ({ source, evict: () => gone.push(name) })
  const enter = (source: string, name?: string) => {
    const place = arrive(source, name)
    return { place, refusal: gate.enter(place) }
  }
  return { clock, gate, gone, enter }
}
const address = (n: number) => `192.0.${n >> 8}.${n & 255}`

test('a source has four connections at once, and another one as soon as one is gone', () => {
  const { gate, enter } = atTheGate()
  const places = Array.from({ length: 4 }, () => enter('192.0.2.1').place)
  expect(enter('192.0.2.1').refusal).toBe('TooManyFromSource')
  expect(enter('192.0.2.2').refusal).toBeUndefined()
  gate.leave(places[0] as Place)
  gate.leave(places[0] as Place)
  expect(enter('192.0.2.1').refusal).toBeUndefined()
  expect(enter('192.0.2.1').refusal).toBe('TooManyFromSource')
})

test('whoever says nothing makes room for the next, oldest first; whoever speaks stays', () => {
  const { gate, gone, enter } = atTheGate()
  const honest = enter('198.51.100.1').place
  expect(gate.greet(honest, 'openCeremony')).toBeUndefined()
  for (let i = 0; i < 10_000; i++) expect(enter(address(i)).refusal).toBeUndefined()
  expect(gate.open()).toEqual({ waiting: GATE.waiting, speaking: 1 })
  expect(gone.length).toBe(10_000 - GATE.waiting)
  expect(gone[0]).toBe(address(0))
  expect(gone).not.toContain('198.51.100.1')
})

test('of those that speak, the oldest of the source that holds most makes room', async () => {
  const { clock, gate, gone, enter } = atTheGate()
  const crowd = [1, 2, 3].map((n) => enter('203.0.113.1', `crowd ${n}`).place)
  expect(crowd.map((place) => gate.greet(place, 'nothing'))).toEqual([undefined, undefined, undefined])
  for (let i = 0; i < GATE.open - 3; i++) {
    await clock.advance(1_000)
    expect(gate.greet(enter(address(i)).place, 'nothing')).toBeUndefined()
  }
  expect(gone).toEqual([])
  await clock.advance(1_000)
  expect(gate.greet(enter('198.51.100.1').place, 'nothing')).toBeUndefined()
  expect(gone).toEqual(['crowd 1'])
  expect(gate.open().speaking).toBe(GATE.open)
})

test('first messages are rationed, a source its own share, and the ration comes back with time', async () => {
  const { clock, gate, enter } = atTheGate()
  const greet = (source: string) => {
    const { place } = enter(source)
    const refusal = gate.greet(place, 'nothing')
    gate.leave(place)
    return refusal
  }
  const burst = 2 * GATE.hellosPerSecondPerSource
  for (let i = 0; i < burst; i++) expect(greet('192.0.2.1')).toBeUndefined()
  expect(greet('192.0.2.1')).toBe('TooFast')
  expect(greet('192.0.2.2')).toBeUndefined()
  await clock.advance(1_000 / GATE.hellosPerSecondPerSource)
  expect(greet('192.0.2.1')).toBeUndefined()
  for (let i = 0; i < 10 * GATE.strayHellosPerSecond; i++) greet(address(i))
  expect(greet('198.51.100.1')).toBe('TooFast')
  await clock.advance(1_000)
  expect(greet('198.51.100.1')).toBeUndefined()
})

test('a flood of first messages about nothing leaves those about an open ceremony their own ration', () => {
  const { gate, enter } = atTheGate()
  for (let i = 0; i < 10 * GATE.strayHellosPerSecond; i++) gate.greet(enter(address(i)).place, 'nothing')
  expect(gate.greet(enter('198.51.100.1').place, 'nothing')).toBe('TooFast')
  for (let i = 0; i < 2 * GATE.hellosPerSecond; i++)
    expect(gate.greet(enter(address(i + 5_000)).place, 'openCeremony')).toBeUndefined()
  expect(gate.greet(enter('198.51.100.2').place, 'openCeremony')).toBe('TooFast')
})

test('a place that was sent away or never entered says nothing more', () => {
  const { gate, enter } = atTheGate()
  const { place } = enter('192.0.2.1')
  gate.leave(place)
  expect(gate.greet(place, 'nothing')).toBe('TooFast')
  expect(gate.open()).toEqual({ waiting: 0, speaking: 0 })
})

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:0db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('%s is source %s', (from, source) => {
  expect(sourceOf(from)).toBe(source)
})
