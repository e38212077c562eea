import { expect, test } from 'vitest'
import { silentLogger } from '../../../base/log.ts'
import { memoryFiles } from '../../../testing/memory-files.ts'
import { virtualClock } from '../../../testing/virtual-clock.ts'
import { fakeMachine } from './linux/fake-machine.ts'
import { linuxWireGuard } from './linux.ts'
import type { WireGuardConfig, WireGuardPeer } from './port.ts'

const key = (n: number) => Buffer.alloc(32, n).toString('base64')
const SPOKE = key(2)
const READS = /^(ip -json|wg show|nft -j list)/

function bench(files = memoryFiles(), clock = virtualClock()) {
  const machine = fakeMachine(clock, 'ppn0')
  const names: Record<string, string[]> = { 'hub.example': ['192.0.2.1'] }
  const start = () =>
    linuxWireGuard({
      processes: machine.processes,
      clock,
      log: silentLogger(),
      files,
      runFolder: '/nonexistent',
      lookup: async (host) => names[host] ?? Promise.reject(new Error('NXDOMAIN')),
      forwarding: machine.forwarding,
      addresses: machine.addresses,
    })
  const writes = () => machine.ran.splice(0).filter((line) => !READS.test(line))
  return { clock, machine, names, start, driver: start(), writes, files }
}
const config = (peer: Partial<WireGuardPeer> = {}, more: Partial<WireGuardConfig> = {}): WireGuardConfig => ({
  ...{ name: 'ppn0', privateKey: key(1), address: '10.8.0.1/24', listenPort: 51820, mtu: 1420 },
  peers: [{ publicKey: SPOKE, allowedIPs: ['10.8.0.2/32'], persistentKeepalive: 0, ...peer }],
  ...more,
})
const declared = config({ endpoint: 'hub.example:51820', persistentKeepalive: 25 })

test('reconciling what fits only looks, and so does ten minutes of watching', async () => {
  const { clock, driver, writes } = bench()
  expect(await driver.apply(config())).toEqual({ changed: true })
  writes()
  expect(await driver.apply(config())).toEqual({ changed: false })
  await clock.advance(600_000)
  expect(writes()).toEqual([])
  driver.close()
})

test('the private key goes in by standard input alone', async () => {
  const { driver, machine } = bench()
  await driver.apply(config())
  expect(machine.ran.join('\n')).toContain('private-key /dev/stdin')
  expect(machine.ran.join('\n')).not.toContain(key(1))
  driver.close()
})

test('a destroyed interface is back within a second, and speaks first to whom it remembers, until heard', async () => {
  const { clock, machine, driver } = bench()
  let told = 0
  driver.onChange(() => void told++)
  await driver.apply(config())
  machine.hear(SPOKE, '203.0.113.5:4711')
  await clock.advance(2_000)
  expect(told).toBeGreaterThan(0)

  machine.destroy()
  await clock.advance(1_000)
  expect(machine.peers.get(SPOKE)).toMatchObject({ endpoint: '203.0.113.5:4711', keepalive: 25 })
  machine.hear(SPOKE)
  await clock.advance(2_000)
  expect(machine.peers.get(SPOKE)).toMatchObject({ keepalive: 0 })
  driver.close()
})

test('where a peer was heard is remembered over a restart of everything, and written at most every 30 s', async () => {
  const { clock, machine, driver, start, files } = bench()
  await driver.apply(config())
  const kept = () => Buffer.from(files.dump().get('ppn0.json') ?? []).toString()
  for (let port = 1; port <= 5; port++) {
    machine.hear(SPOKE, `203.0.113.5:${port}`)
    await clock.advance(5_000)
  }
  expect(kept()).not.toContain('203.0.113.5')
  await clock.advance(30_000)
  expect(kept()).toContain('203.0.113.5:5')
  driver.close()
  machine.destroy()
  const next = start()
  await next.apply(config())
  expect(machine.peers.get(SPOKE)?.endpoint).toBe('203.0.113.5:5')
  next.close()
})

test('a name that resolves elsewhere is no new declaration, and matters only once the peer is stale', async () => {
  const { clock, machine, names, driver, writes } = bench()
  await driver.apply(declared)
  machine.hear(SPOKE)
  names['hub.example'] = ['192.0.2.99']
  await clock.advance(60_000)
  writes()
  expect(await driver.apply(declared)).toEqual({ changed: false })
  await clock.advance(121_000)
  expect(await driver.apply(declared)).toEqual({ changed: true })
  expect(writes()).toEqual([`wg set ppn0 peer ${SPOKE} endpoint 192.0.2.99:51820`])
  driver.close()
})

test('another declaration is carried out once, with a new session, also across a restart', async () => {
  const { machine, driver, start, writes } = bench()
  await driver.apply(declared)
  machine.hear(SPOKE)
  driver.close()
  writes()
  const next = start()
  const anew = config({ endpoint: '192.0.2.50:51820', persistentKeepalive: 25 })
  expect(await next.apply(anew)).toEqual({ changed: true })
  expect(writes()[0]).toContain(`peer ${SPOKE} remove peer ${SPOKE} endpoint 192.0.2.50:51820`)
  expect(await next.apply(anew)).toEqual({ changed: false })
  next.close()
})

test('a name that does not resolve keeps nobody waiting, and is carried out when it does', async () => {
  const { clock, machine, names, driver } = bench()
  const late = config({ endpoint: 'late.example:1', persistentKeepalive: 25 })
  await driver.apply(late)
  expect(machine.peers.get(SPOKE)).toMatchObject({ endpoint: '', keepalive: 25 })
  names['late.example'] = ['192.0.2.7']
  await clock.advance(31_000)
  await driver.apply(late)
  expect(machine.peers.get(SPOKE)?.endpoint).toBe('192.0.2.7:1')
  driver.close()
})

test('a host that lost an address: wireguard-go is given its endpoints again, the kernel needs none', async () => {
  for (const [kind, expected] of [
    ['tun', [`wg set ppn0 peer ${SPOKE} endpoint 192.0.2.1:51820`]],
    ['wireguard', []],
  ] as const) {
    const { clock, machine, driver, writes } = bench()
    machine.kind = kind
    await driver.apply(declared)
    machine.hear(SPOKE)
    await clock.advance(1_000)
    writes()
    machine.own = ['192.0.2.11/24']
    await clock.advance(1_000)
    expect(writes()).toEqual(expected)
    driver.close()
  }
})

test('a hub that cannot set its rule does not forward, says so, and has its tunnel all the same', async () => {
  const { machine, driver } = bench()
  const hub = config({}, { forward: { authorities: ['10.8.0.1'], commandPort: 8090 } })
  await driver.apply(hub)
  expect(machine.forwarding.on).toBe(true)
  machine.nftFails = 'nft: Operation not permitted'
  await expect(driver.apply(hub)).rejects.toThrow(/Operation not permitted/)
  expect(machine.forwarding.on).toBe(false)
  machine.destroy()
  await expect(driver.apply(hub)).rejects.toThrow(/Operation not permitted/)
  expect(machine.peers.has(SPOKE)).toBe(true)
  expect(machine.forwarding.on).toBe(false)
  driver.close()
})

test('a driver that is closed repairs nothing any more', async () => {
  const { clock, machine, driver } = bench()
  await driver.apply(config())
  driver.close()
  await clock.settle()
  machine.destroy()
  await clock.advance(10_000)
  expect(machine.peers.size).toBe(0)
  expect(clock.pending()).toBe(0)
})
