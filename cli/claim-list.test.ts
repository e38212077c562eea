import { expect, test } from 'vitest'
import { claimAddress, readClaimList } from './claim-list.ts'

const ROW = { address: '10.0.0.7', node: 'rack-1', code: '7K2M-Q4TX' }

test('CSV, with and without a line of names, with comments, blank lines and quotes', () => {
  expect(readClaimList('10.0.0.7,rack-1,7K2M-Q4TX\n')).toEqual([ROW])
  expect(readClaimList('# rack\n\nNode,Code,Address\r\n"rack-1",7k2m q4tx,10.0.0.7\r\n')).toEqual([ROW])
})

test('YAML and JSON', () => {
  expect(readClaimList('# rack\n- {address: 10.0.0.7, node: rack-1, code: 7K2M-Q4TX}\n')).toEqual([ROW])
  expect(readClaimList(JSON.stringify([ROW]))).toEqual([ROW])
})

test('addresses as a Pairing writes them', () => {
  expect(claimAddress('fd00::7')).toBe('[fd00::7]')
  expect(claimAddress('[fd00::7]:9444')).toBe('[fd00::7]:9444')
  expect(claimAddress('rack-1.example:9443')).toBe('rack-1.example:9443')
  for (const bad of ['', 'a b', 'host:', 'host:0', 'user@host', 'http://host'])
    expect(() => claimAddress(bad)).toThrow()
})

test('everything that is wrong is said at once, by line, without repeating a code', () => {
  const wrong = () =>
    readClaimList('10.0.0.1,rack-1,SECRET-CODE!\n10.0.0.2,Rack_2,7K2M-Q4TX\n10.0.0.3,rack-3\nx y,rack-4,7K2M-Q4TX\n')
  expect(wrong).toThrow(/line 1: .*\n?/)
  for (const at of ['line 1', 'line 2', 'line 3', 'line 4']) expect(wrong).toThrow(at)
  expect(wrong).not.toThrow(/SECRET/)
  expect(wrong).not.toThrow(/7K2M/)
})

test('a node or an address that stands there twice, a field too many, nobody at all', () => {
  expect(() => readClaimList('a,rack-1,7K2M-Q4TX\na,rack-2,7K2M-Q4TX')).toThrow('address a stands there more than once')
  expect(() => readClaimList('a,rack-1,7K2M-Q4TX\nb,rack-1,7K2M-Q4TX')).toThrow('node rack-1 stands there more')
  expect(() => readClaimList('- {address: a, node: b, code: 7K2M-Q4TX, sas: "1"}')).toThrow('nothing else')
  expect(() => readClaimList('# nobody\n')).toThrow('nobody')
  expect(() => readClaimList('[7K2M-Q4TX')).not.toThrow('7K2M')
})
