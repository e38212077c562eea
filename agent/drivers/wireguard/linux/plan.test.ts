import fc from 'fast-check'
import { expect, test } from 'vitest'
import { wgArguments } from './effects.ts'
import { type Effect, type PeerChange, planTunnel, type Wanted, type WantedPeer } from './plan.ts'
import type { SeenDevice, SeenLink, SeenPeer } from './seen.ts'

const key = (n: number) => Buffer.alloc(32, n).toString('base64')
const [OWN, A, B, C] = [key(9), key(1), key(2), key(3)] as [string, string, string, string]
const NET = '10.8.0.0/24'

const peer = (publicKey: string, allowedIPs: string[], more: Partial<WantedPeer> = {}): WantedPeer => ({
  ...{ publicKey, allowedIPs, persistentKeepalive: 25, ...more },
})
const seenPeer = (publicKey: string, allowedIPs: string[], more: Partial<SeenPeer> = {}): SeenPeer => ({
  ...{ publicKey, allowedIPs, persistentKeepalive: 25, presharedKey: false, rxBytes: 0, txBytes: 0, ...more },
})
const wanted = (...peers: WantedPeer[]): Wanted => ({
  ...{ publicKey: OWN, address: '10.8.0.2/24', listenPort: 51820, mtu: 1420, peers },
})
const device = (...peers: SeenPeer[]): SeenDevice => ({ publicKey: OWN, listenPort: 51820, peers })
const LINK: SeenLink = { up: true, mtu: 1420, kind: 'tun', addresses: ['10.8.0.2/24'] }
const ROUTES = { connected: [NET], ours: [] }
const peersOf = (effects: Effect[]): PeerChange[] => effects.flatMap((e) => (e.do === 'wg' ? e.peers : []))

test('what fits needs nothing', () => {
  expect(planTunnel(wanted(peer(A, [NET])), device(seenPeer(A, [NET])), LINK, ROUTES)).toEqual([])
})

test('the order of allowed addresses and the bits below a prefix are no difference', () => {
  const want = wanted(peer(A, ['10.8.0.1/32', '10.8.0.77/24']))
  expect(planTunnel(want, device(seenPeer(A, [NET, '10.8.0.1/32'])), LINK, ROUTES)).toEqual([])
})

test('a new device is given everything, in one call, and then address, MTU and up', () => {
  const want = wanted(peer(A, [NET], { endpoint: '192.0.2.1:51820' }))
  const bare: SeenLink = { up: false, mtu: 1280, addresses: [] }
  expect(planTunnel(want, { listenPort: 0, peers: [] }, bare)).toEqual([
    {
      ...{ do: 'wg', privateKey: true, listenPort: 51820 },
      peers: [{ publicKey: A, endpoint: '192.0.2.1:51820', allowedIPs: [NET], persistentKeepalive: 25 }],
    },
    { do: 'address', address: '10.8.0.2/24' },
    { do: 'mtu', mtu: 1420 },
    { do: 'up' },
  ])
})

test('only the peer that differs is named, and only what differs of it', () => {
  const seen = device(seenPeer(A, [NET]), seenPeer(B, ['10.8.0.3/32'], { persistentKeepalive: 0 }))
  expect(planTunnel(wanted(peer(A, [NET]), peer(B, ['10.8.0.3/32'])), seen, LINK, ROUTES)).toEqual([
    { do: 'wg', peers: [{ publicKey: B, persistentKeepalive: 25 }] },
  ])
})

test('an address that moves is written at the peer that gains it, and the other needs no word', () => {
  const seen = device(seenPeer(A, ['10.8.0.1/32', NET]), seenPeer(B, ['10.8.0.4/32']))
  const want = wanted(peer(A, ['10.8.0.1/32']), peer(B, ['10.8.0.4/32', NET]))
  expect(planTunnel(want, seen, LINK, ROUTES)).toEqual([
    { do: 'wg', peers: [{ publicKey: B, allowedIPs: ['10.8.0.4/32', NET] }] },
  ])
})

test('a peer that goes is removed after the one that takes its place came', () => {
  const changes = peersOf(planTunnel(wanted(peer(B, [NET])), device(seenPeer(A, [NET])), LINK, ROUTES))
  expect(changes.map((c) => [c.publicKey, 'remove' in c])).toEqual([
    [B, false],
    [A, true],
  ])
})

test('at a new private key every peer goes before the key changes, and is put in again where it was', () => {
  const seen = { ...device(seenPeer(A, [NET], { endpoint: '192.0.2.1:1' })), publicKey: C }
  expect(planTunnel(wanted(peer(A, [NET])), seen, LINK, ROUTES)).toEqual([
    { do: 'wg', peers: [{ publicKey: A, remove: true }] },
    {
      ...{ do: 'wg', privateKey: true },
      peers: [{ publicKey: A, endpoint: '192.0.2.1:1', allowedIPs: [NET], persistentKeepalive: 25 }],
    },
  ])
})

test('a preshared key that nobody declared is taken away', () => {
  expect(planTunnel(wanted(peer(A, [NET])), device(seenPeer(A, [NET], { presharedKey: true })), LINK, ROUTES)).toEqual([
    { do: 'wg', peers: [{ publicKey: A, noPresharedKey: true }] },
  ])
})

test("a stranger's address goes, and ours is set again, for the kernel may have dropped it as well", () => {
  const link = { ...LINK, addresses: ['10.8.0.9/24', '10.8.0.2/24'] }
  expect(planTunnel(wanted(), device(), link, ROUTES)).toEqual([
    { do: 'dropAddress', address: '10.8.0.9/24' },
    { do: 'address', address: '10.8.0.2/24' },
  ])
})

test('networks beyond the own one are routed, the default route is never taken, and what is not needed goes', () => {
  const routes = { connected: [], ours: ['10.70.0.0/16'] }
  const want = wanted(peer(A, [NET, '10.77.0.0/16', '0.0.0.0/0']))
  const seen = device(seenPeer(A, [NET, '10.77.0.0/16', '0.0.0.0/0']))
  expect(planTunnel(want, seen, LINK, routes)).toEqual([
    { do: 'connectedRoute', network: NET, source: '10.8.0.2' },
    { do: 'route', network: '10.77.0.0/16' },
    { do: 'dropRoute', network: '10.70.0.0/16' },
  ])
})

/** What `wg set` does with the changes. */
function carriedOut(seen: readonly SeenPeer[], changes: readonly PeerChange[]): Map<string, Set<string>> {
  const peers = new Map(seen.map((p) => [p.publicKey, new Set(p.allowedIPs)]))
  for (const change of changes) {
    if ('remove' in change || change.renew) peers.delete(change.publicKey)
    if ('remove' in change) continue
    if (!peers.has(change.publicKey)) peers.set(change.publicKey, new Set())
    if (!change.allowedIPs) continue
    for (const held of peers.values()) for (const ip of change.allowedIPs) held.delete(ip)
    peers.set(change.publicKey, new Set(change.allowedIPs))
  }
  return peers
}

test('from any state one plan leads to what is wanted, and a second one finds nothing to do', () => {
  const owners = fc.array(fc.constantFrom(A, B, C, undefined), { minLength: 6, maxLength: 6 })
  const share = (given: (string | undefined)[], of: string) =>
    given.flatMap((owner, i) => (owner === of ? [`10.8.0.${i}/32`] : []))
  fc.assert(
    fc.property(owners, owners, fc.subarray([A, B, C]), fc.subarray([A, B, C]), (was, want, there, kept) => {
      const seen = there.map((k) => seenPeer(k, share(was, k)))
      const peers = kept.map((k) => peer(k, share(want, k)))
      const changes = peersOf(planTunnel(wanted(...peers), device(...seen), LINK, ROUTES))
      const after = carriedOut(seen, changes)
      expect(after).toEqual(new Map([...after.keys()].map((k) => [k, new Set(share(want, k))])))
      expect([...after.keys()].sort()).toEqual([...kept].sort())
      const now = [...after].map(([k, ips]) => seenPeer(k, [...ips]))
      expect(planTunnel(wanted(...peers), device(...now), LINK, ROUTES)).toEqual([])
    }),
  )
})

test('one call to wg holds all changes, and the private key is only pointed at', () => {
  const peers: PeerChange[] = [
    { publicKey: A, renew: true, endpoint: '[2001:db8::1]:1', allowedIPs: [], persistentKeepalive: 5 },
    { publicKey: B, remove: true },
  ]
  expect(wgArguments('ppn0', { do: 'wg', privateKey: true, listenPort: 1, peers })).toEqual([
    ...['set', 'ppn0', 'private-key', '/dev/stdin', 'listen-port', '1', 'peer', A, 'remove'],
    ...['peer', A, 'endpoint', '[2001:db8::1]:1', 'persistent-keepalive', '5', 'allowed-ips', ''],
    ...['peer', B, 'remove'],
  ])
})
