import { expect, test } from 'vitest'
import type { WireGuardState } from '../drivers/wireguard/port.ts'
import { isUnanswered } from './carrier.ts'

const peer = (publicKey: string, ...allowedIPs: string[]) => ({
  ...{ publicKey, allowedIPs, persistentKeepalive: 25 },
  ...{ handshakeAgeSeconds: 1, rxBytes: 1, txBytes: 1 },
})
const tunnel: WireGuardState = {
  ...{ name: 'ppn0', publicKey: 'own', address: '10.8.0.7/24', listenPort: 51820, mtu: 1420 },
  peers: [peer('hub', '10.8.0.1/32', '10.8.0.0/24'), peer('direct', '10.8.0.9/32')],
}

test.each<[string, string | undefined, string[], boolean]>([
  ['the hub that carries it is silent', '10.8.0.1', ['hub'], true],
  ['it is beyond the silent hub', '10.8.0.3', ['hub'], true],
  ['only another peer is silent', '10.8.0.1', ['direct'], false],
  ['a direct peer, more exactly, carries it', '10.8.0.9', ['hub'], false],
  ['no peer carries it: it is this very node', '10.9.0.1', ['hub', 'direct'], false],
  ['there is no connection', undefined, ['hub', 'direct'], false],
])('the path to the authority: %s', (_, address, unanswered, expected) => {
  expect(isUnanswered({ tunnel, unanswered: new Set(unanswered) }, address)).toBe(expected)
})

test('without an interface nobody is silent', () => {
  expect(isUnanswered({ tunnel: undefined, unanswered: new Set(['hub']) }, '10.8.0.1')).toBe(false)
})
