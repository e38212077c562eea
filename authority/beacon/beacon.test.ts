import { expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import { readBeacon } from '../../protocol/beacon.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { BEACON_EVERY_MS, type BeaconOptions, sendBeacons } from './beacon.ts'
import { broadcastOf, type Foothold, footholds } from './ground.ts'

const LAN: Foothold = { address: '192.0.2.10', broadcast: '192.0.2.255' }

function sending(over: Partial<BeaconOptions> = {}) {
  const clock = virtualClock()
  const sent: { bytes: Uint8Array; to: string; port: number }[] = []
  const stop = new AbortController()
  const options: BeaconOptions = {
    clock,
    log: silentLogger(),
    interfaces: ['lan0'],
    pairingPort: () => 9202,
    signingPublicKey: new Uint8Array(32).fill(7),
    guard: async () => true,
    footholds: (name) => (name === 'lan0' ? [LAN] : []),
    broadcast: async (bytes, from, port) => void sent.push({ bytes, to: from.broadcast, port }),
    ...over,
  }
  void sendBeacons(options, stop.signal)
  return { clock, sent, stop }
}

test('a machine that listens for 30 s hears several', async () => {
  const { clock, sent } = sending()
  await clock.advance(30_000)
  expect(sent.length).toBe(1 + 30_000 / BEACON_EVERY_MS)
  expect(sent[0]).toMatchObject({ to: '192.0.2.255', port: 8090 })
  expect(readBeacon(sent[0]!.bytes)?.pairingPort).toBe(9202)
})

test('only where it was asked for, and not while nobody can join or the brake is set', async () => {
  const elsewhere = sending({ interfaces: ['wan0'] })
  const closed = sending({ pairingPort: () => undefined })
  const braked = sending({ guard: async () => false })
  for (const { clock, sent } of [elsewhere, closed, braked]) {
    await clock.advance(60_000)
    expect(sent).toEqual([])
  }
})

test('a network that fails for a while gets its beacons again', async () => {
  let fails = true
  const heard: string[] = []
  const { clock } = sending({
    broadcast: async (_bytes, from) => {
      if (fails) throw new Error('ENETDOWN')
      heard.push(from.broadcast)
    },
  })
  await clock.advance(20_000)
  fails = false
  await clock.advance(BEACON_EVERY_MS)
  expect(heard).toEqual(['192.0.2.255'])
})

test('it ends when asked to', async () => {
  const { clock, sent, stop } = sending()
  await clock.settle()
  stop.abort(new Error('enough'))
  await clock.advance(60_000)
  expect(sent.length).toBe(1)
  expect(clock.pending()).toBe(0)
})

test('everybody on a network, and no network where nobody else could be', () => {
  expect(broadcastOf('10.1.2.3', '255.255.255.0')).toBe('10.1.2.255')
  expect(broadcastOf('172.16.5.9', '255.255.240.0')).toBe('172.16.15.255')
  const of = (address: string, netmask: string, more: object = {}) =>
    footholds('e', {
      e: [{ address, netmask, family: 'IPv4', mac: '', internal: false, cidr: null, ...more }] as never,
    })
  expect(of('10.1.2.3', '255.255.255.0')).toEqual([{ address: '10.1.2.3', broadcast: '10.1.2.255' }])
  expect(of('10.1.2.3', '255.255.255.255')).toEqual([])
  expect(of('10.1.2.3', '255.255.255.254')).toEqual([])
  expect(of('127.0.0.1', '255.0.0.0', { internal: true })).toEqual([])
  expect(of('fe80::1', 'ffff::', { family: 'IPv6' })).toEqual([])
})
