import { expect, test } from 'vitest'
import { agentBench } from '../../testing/agent-bench.ts'
import { aHub } from '../../testing/bundle-fixtures.ts'
import { tunnelConfig } from './config.ts'
import { chooseHub, HUB_SILENT_MS, type HubState } from './hub-choice.ts'
import { pathOf } from './paths.ts'

const { authority } = await agentBench()
const privateKey = Buffer.alloc(32, 1).toString('base64')
const config = (given: Partial<Parameters<typeof tunnelConfig>[0]> = {}) =>
  tunnelConfig({ content: authority.content({ peers: [aHub(1), aHub(2)] }), privateKey, isolated: false, ...given })
const allowed = (c: ReturnType<typeof config>) => c.peers.map((p) => p.allowedIPs)

test('a spoke reaches the mesh by its first hub and the others by their own address', () => {
  expect(config()).toMatchObject({ name: 'ppn0', address: '10.8.0.7/24', listenPort: 51820, mtu: 1420, privateKey })
  expect(allowed(config())).toEqual([['10.8.0.1/32', '10.8.0.0/24'], ['10.8.0.2/32']])
})

test('the mesh moves to the hub in use', () => {
  expect(allowed(config({ hub: aHub(2).publicKey }))).toEqual([['10.8.0.1/32'], ['10.8.0.2/32', '10.8.0.0/24']])
})

test('an isolated node keeps the hub in use, and through it only the authorities', () => {
  expect(config({ isolated: true }).peers).toEqual([
    {
      publicKey: aHub(1).publicKey,
      endpoint: 'hub-1.example:51820',
      allowedIPs: ['10.8.0.1/32'],
      persistentKeepalive: 25,
    },
  ])
  expect(config({ isolated: true, hub: aHub(2).publicKey }).peers).toMatchObject([
    { publicKey: aHub(2).publicKey, allowedIPs: ['10.8.0.1/32'] },
  ])
})

test("a hub's own peers are as the bundle says", () => {
  const peers = [aHub(3, { hub: false, endpoint: undefined }), aHub(2)]
  const content = authority.content({ peers, node: { name: 'hub', role: 'hub', address: '10.8.0.1' } })
  expect(allowed(config({ content }))).toEqual([['10.8.0.3/32'], ['10.8.0.2/32']])
})

const hubs = (...ages: (number | undefined)[]): HubState[] =>
  ages.map((handshakeAgeMs, i) => ({ publicKey: `hub${i}`, handshakeAgeMs }))
const LATE = HUB_SILENT_MS
const inUse = (publicKey: string, sinceMs = 0) => ({ publicKey, sinceMs })

test.each<[string, HubState[], ReturnType<typeof inUse> | undefined, string | undefined]>([
  ['none in use: the first', hubs(undefined, 0), undefined, 'hub0'],
  ['it answers', hubs(1000, 0), inUse('hub0'), 'hub0'],
  ['silent, but not for long in use', hubs(undefined, 0), inUse('hub0', LATE - 1), 'hub0'],
  ['silent', hubs(undefined, undefined, undefined), inUse('hub0'), 'hub1'],
  ['silent, and a later one answers', hubs(LATE, undefined, 3000), inUse('hub0'), 'hub2'],
  ['the last one silent: around', hubs(undefined, LATE), inUse('hub1'), 'hub0'],
  ['silent and alone', hubs(undefined), inUse('hub0'), 'hub0'],
  ['no longer listed', hubs(0), inUse('gone'), 'hub0'],
  ['no hub', [], undefined, undefined],
])('which hub: %s', (_, states, current, expected) => {
  expect(chooseHub(states, current, LATE)?.publicKey).toBe(expected)
})

test.each([
  [0, 'Direct', 'HandshakeFresh'],
  [149, 'Direct', 'HandshakeFresh'],
  [150, 'Direct', 'HandshakeAging'],
  [180, 'Down', 'HandshakeStale'],
  [undefined, 'Down', 'NoHandshake'],
])('a handshake of %s s shows %s', (age, path, reason) => {
  expect(pathOf(age)).toEqual({ path, reason })
})

test('a spoke whose hub is silent for 180 s goes on to the next one', async () => {
  const bench = await agentBench()
  const agent = await bench.enrolled({ peers: [aHub(1), aHub(2)] })
  const mesh = () => bench.wireguard.config()?.peers.find((p) => p.allowedIPs.includes('10.8.0.0/24'))?.publicKey
  await bench.clock.advance(150_000)
  expect(mesh()).toBe(aHub(1).publicKey)
  await bench.clock.advance(45_000)
  expect(mesh()).toBe(aHub(2).publicKey)
  await agent.stop()
})

test('what someone changed by hand is put back within 10 s', async () => {
  const bench = await agentBench()
  const agent = await bench.enrolled({ peers: [aHub(1)] })
  await bench.wireguard.driver.apply({ ...bench.wireguard.config()!, peers: [] })
  await bench.clock.advance(10_000)
  expect(bench.wireguard.config()?.peers).toHaveLength(1)
  await agent.stop()
})
