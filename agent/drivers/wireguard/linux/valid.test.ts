import { describe, expect, test } from 'vitest'
import type { WireGuardConfig } from '../port.ts'
import { canonicalCidr, checkConfig, formatEndpoint, holds, parseEndpoint } from './valid.ts'

const key = Buffer.alloc(32, 1).toString('base64')
const config = (given: Partial<WireGuardConfig> = {}): WireGuardConfig => ({
  ...{ name: 'ppn0', privateKey: key, address: '10.8.0.2/24', listenPort: 51820, mtu: 1420 },
  peers: [{ publicKey: key, endpoint: 'hub.example:51820', allowedIPs: ['10.8.0.0/24'], persistentKeepalive: 25 }],
  ...given,
})
const peer = (given: object) =>
  ({ peers: [{ ...(config().peers[0] as object), ...given }] }) as Partial<WireGuardConfig>

test('an ordinary config passes', () => {
  expect(() => checkConfig(config({ forward: { authorities: ['10.8.0.1'], commandPort: 8090 } }))).not.toThrow()
})

test.each<[string, Partial<WireGuardConfig>]>([
  ['a name like an option', { name: '-x' }],
  ['a name like a path', { name: '../etc' }],
  ['a name with a quote', { name: 'a"b' }],
  ['a long name', { name: 'a'.repeat(16) }],
  ['a short key', { privateKey: 'AAAA' }],
  ['an address without prefix', { address: '10.8.0.2' }],
  ['an address out of range', { address: '10.8.0.256/24' }],
  ['port 0', { listenPort: 0 }],
  ['a tiny MTU', { mtu: 100 }],
  ["a peer's key like an option", peer({ publicKey: 'remove' })],
  ['an endpoint without port', peer({ endpoint: 'hub.example' })],
  ['an endpoint like an option', peer({ endpoint: '-h:1' })],
  ['an endpoint with a space', peer({ endpoint: 'a b:1' })],
  ['an IPv6 endpoint without brackets', peer({ endpoint: '2001:db8::1:51820' })],
  ['an allowed address with a comma', peer({ allowedIPs: ['10.8.0.1/32,0.0.0.0/0'] })],
  ['a negative keepalive', peer({ persistentKeepalive: -1 })],
  ['an authority that is a name', { forward: { authorities: ['hub'], commandPort: 8090 } }],
])('%s is refused before anything runs', (_, given) => {
  expect(() => checkConfig(config(given))).toThrow(/cannot be made like this/)
})

test('the refusal of a private key does not repeat it', () => {
  expect(() => checkConfig(config({ privateKey: 'hunter2' }))).toThrow(expect.not.stringContaining('hunter2'))
})

describe('endpoints', () => {
  test.each([
    ['hub.example:51820', 'hub.example', 51820],
    ['192.0.2.1:1', '192.0.2.1', 1],
    ['[2001:DB8::0:1]:65535', '2001:db8::1', 65535],
  ])('%s', (text, host, port) => {
    expect(parseEndpoint(text)).toEqual({ host, port })
  })

  test.each(['', 'hub', 'hub:0', 'hub:65536', '300.1.1.1:5', '[hub]:1', '[::1', 'a..b:1'])('not %s', (text) => {
    expect(parseEndpoint(text)).toBeUndefined()
  })

  test('IPv6 is written in brackets', () => {
    expect(formatEndpoint({ host: '2001:db8::1', port: 1 })).toBe('[2001:db8::1]:1')
  })
})

test('networks are compared by their bits', () => {
  expect(canonicalCidr('10.8.0.77/24')).toBe('10.8.0.0/24')
  expect(canonicalCidr('10.8.0.77/0')).toBe('0.0.0.0/0')
  expect(canonicalCidr('10.8.0.77/33')).toBeUndefined()
  expect(holds('10.8.0.0/24', '10.8.0.9/32')).toBe(true)
  expect(holds('10.8.0.0/24', '10.8.1.9/32')).toBe(false)
  expect(holds('10.8.0.0/24', '10.8.0.0/16')).toBe(false)
  expect(holds('0.0.0.0/0', '192.0.2.0/24')).toBe(true)
})
