import { expect, test } from 'vitest'
import { parseDump, parseLink, parseRoutes } from './seen.ts'

const OWN = `${'P'.repeat(42)}A=`
const PEER = `${'Q'.repeat(42)}A=`

test('a dump becomes peers, and the private key stays behind', () => {
  const dump = [
    `SECRET\t${OWN}\t51820\toff`,
    `${PEER}\t(none)\t[2001:db8::1]:51820\t10.8.0.1/32,10.8.0.0/24\t1700000000\t12\t34\t25`,
    `${OWN}\tpsk\t(none)\t(none)\t0\t0\t0\toff`,
    '',
  ].join('\n')
  const seen = parseDump(dump)
  expect(seen).toEqual({
    publicKey: OWN,
    listenPort: 51820,
    peers: [
      {
        publicKey: PEER,
        presharedKey: false,
        endpoint: '[2001:db8::1]:51820',
        allowedIPs: ['10.8.0.1/32', '10.8.0.0/24'],
        handshakeAt: 1_700_000_000,
        rxBytes: 12,
        txBytes: 34,
        persistentKeepalive: 25,
      },
      { publicKey: OWN, presharedKey: true, allowedIPs: [], rxBytes: 0, txBytes: 0, persistentKeepalive: 0 },
    ],
  })
  expect(JSON.stringify(seen)).not.toContain('SECRET')
})

test('a device without a key has none', () => {
  expect(parseDump('(none)\t(none)\t0\toff\n')).toEqual({ listenPort: 0, peers: [] })
})

test('a link is what ip says of it, IPv4 addresses alone', () => {
  const json = JSON.stringify([
    {
      ...{ ifname: 'ppn0', flags: ['POINTOPOINT', 'UP'], mtu: 1420, linkinfo: { info_kind: 'tun' } },
      addr_info: [
        { family: 'inet', local: '10.8.0.1', prefixlen: 24 },
        { family: 'inet6', local: 'fe80::1', prefixlen: 64 },
      ],
    },
  ])
  expect(parseLink(json)).toEqual({ up: true, mtu: 1420, kind: 'tun', addresses: ['10.8.0.1/24'] })
  expect(() => parseLink('[{}]')).toThrow()
})

test('routes are told apart by who made them', () => {
  const json = JSON.stringify([
    { dst: '10.8.0.0/24', protocol: 'kernel' },
    { dst: '10.77.0.0/16', protocol: '112' },
    { dst: '10.9.9.9', protocol: '112' },
    { dst: 'default', protocol: 'static' },
  ])
  expect(parseRoutes(json)).toEqual({ connected: ['10.8.0.0/24'], ours: ['10.77.0.0/16', '10.9.9.9/32'] })
  expect(parseRoutes('')).toEqual({ connected: [], ours: [] })
})
