import { expect, test } from 'vitest'
import { parsePairingAddress } from './dial.ts'

test('an address is a host, with a port if it is not the usual one', () => {
  expect(parsePairingAddress('relay.example.org')).toEqual({ host: 'relay.example.org', port: 9202 })
  expect(parsePairingAddress('192.0.2.1:9300')).toEqual({ host: '192.0.2.1', port: 9300 })
  expect(parsePairingAddress('2001:db8::1')).toEqual({ host: '2001:db8::1', port: 9202 })
  expect(parsePairingAddress('[2001:db8::1]:9300')).toEqual({ host: '2001:db8::1', port: 9300 })
})

test('what is no address is refused', () => {
  for (const address of ['', 'a b', 'host:0', 'host:70000', 'host:port', '[::1', 'http://host'])
    expect(() => parsePairingAddress(address), address).toThrowError(
      expect.objectContaining({ code: 'BadPairingAddress' }),
    )
})
