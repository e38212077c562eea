// The telephone by itself: when it calls, when it calls again, and whom it lets wait. What is said on the line is a
// fleet test's (test/fleet/genesis.test.ts).
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import type { Connection } from '../../base/transport.ts'
import type { Ceremonies, OpenCeremony } from '../../controllers/ports/ceremonies.ts'
import { memoryStore } from '../../stores/memory/store.ts'
import { memoryNetwork } from '../../testing/memory-network.ts'
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts'
import { createDesk } from '../pairing/desk.ts'
import { callingDesk } from './caller.ts'

let clock: VirtualClock
let ceremonies: Ceremonies
let stop: AbortController
/** Instants of calls, by address. */
let calls: { address: string; atMs: number }[]
let dial: (address: string, signal: AbortSignal) => Promise<Connection>
let braked: boolean

beforeEach(() => {
  clock = virtualClock()
  stop = new AbortController()
  calls = []
  braked = false
  dial = () => Promise.reject(new Error('ECONNREFUSED'))
  const store = memoryStore({ clock, random: systemRandom })
  const desk = createDesk({ clock, log: silentLogger(), records: store.records, unavailable: () => undefined })
  ceremonies = callingDesk(
    {
      ...{ clock, desk, random: systemRandom, log: silentLogger() },
      ...{ signingPublicKey: new Uint8Array(32), authorityFingerprint: 'SHA256:x' },
      guard: async () => !braked,
      dial(address, signal) {
        calls.push({ address, atMs: clock.monotonic() })
        return dial(address, signal)
      },
      firstBundle: () => Promise.reject(new Error('there is none')),
    },
    stop.signal,
  )
})
afterEach(() => stop.abort(new Error('the test is over')))

const ceremony = (n = 1, more: Partial<OpenCeremony> = {}): OpenCeremony => ({
  uid: `uid-${n}`,
  nodeName: `rack-${n}`,
  rendezvous: `AAA${n % 10}`,
  code: '7K2M-Q4TX',
  untilMs: clock.now() + 600_000,
  claim: { address: `192.0.2.${n}` },
  ...more,
})

test('a machine that is off is called again, less and less often, until its time is over', async () => {
  ceremonies.open(ceremony())
  await clock.advance(20_000)
  const gaps = calls.slice(1).map(({ atMs }, i) => atMs - (calls[i]?.atMs as number))
  expect(gaps).toEqual([2_000, 4_000, 8_000])
  expect(ceremonies.view('uid-1').calling).toBe('cannot be reached: ECONNREFUSED')
  await clock.advance(600_000)
  const before = calls.length
  expect(before).toBeLessThan(30)
  await clock.advance(600_000)
  expect(calls.length).toBe(before)
})

test('opened again and again, it is one call', async () => {
  for (let i = 0; i < 5; i++) ceremonies.open(ceremony())
  await clock.settle()
  expect(calls.length).toBe(1)
})

test('a Pairing that waits to be called calls nobody', async () => {
  const { claim: _, ...join } = ceremony()
  ceremonies.open(join)
  await clock.advance(60_000)
  expect(calls).toEqual([])
})

test('closed, or the authority ending: nobody is called any more', async () => {
  ceremonies.open(ceremony(1))
  ceremonies.open(ceremony(2))
  await clock.settle()
  ceremonies.close('uid-1', 'Denied')
  await clock.advance(10_000)
  expect(calls.filter(({ address }) => address === '192.0.2.1').length).toBe(1)
  stop.abort(new Error('the authority stops'))
  const before = calls.length
  await clock.advance(600_000)
  expect(calls.length).toBe(before)
})

test('with the brake set nobody is called, and it is said', async () => {
  braked = true
  ceremonies.open(ceremony())
  await clock.advance(10_000)
  expect(calls).toEqual([])
  expect(ceremonies.view('uid-1').calling).toContain('brake')
  braked = false
  await clock.advance(30_000)
  expect(calls.length).toBeGreaterThan(0)
})

test('a machine that takes the connection and says nothing is asked every 10 s after its deadline, and it is said', async () => {
  const network = memoryNetwork(clock)
  await network.transport().listen('192.0.2.1', 9443, ({ stream }) => void stream.on('data', () => {}))
  dial = (address, signal) => network.transport().connect('203.0.113.1', address, 9443, signal)
  ceremonies.open(ceremony())
  await clock.advance(41_000)
  expect(calls.length).toBe(3)
  expect(ceremonies.view('uid-1').calling).toContain('--operator-key')
})

test('eight handshakes at a time; whoever waits gets its turn, and whoever is withdrawn while waiting blocks nobody', async () => {
  const network = memoryNetwork(clock)
  for (let n = 1; n <= 20; n++)
    await network.transport().listen(`192.0.2.${n}`, 9443, ({ stream }) => void stream.on('data', () => {}))
  dial = (address, signal) => network.transport().connect('203.0.113.1', address, 9443, signal)
  for (let n = 1; n <= 20; n++) ceremonies.open(ceremony(n, { rendezvous: `AB${String(n).padStart(2, '0')}` }))
  await clock.settle()
  expect(calls.length).toBe(8)
  for (let n = 9; n <= 12; n++) ceremonies.close(`uid-${n}`, 'Withdrawn')
  await clock.advance(10_000)
  expect(new Set(calls.map(({ address }) => address)).size).toBe(16)
})
