import { expect, test } from 'vitest'
import { namesOf, parseTopology, planLinks, topologyFromYaml } from './topology.ts'

const OFFICE = `
segments:
  internet: { cidr: 198.51.100.0/24 }
  office: { cidr: 192.168.10.0/24 }
hosts:
  relay: { segment: internet, names: [relay.example] }
  office-1: { segment: office, link: { lossPercent: 1 } }
routers:
  router: { inside: office, outside: internet }
`

test('hosts and routers get addresses in the order of the file, a router the first of its inner side', () => {
  const links = planLinks(topologyFromYaml(OFFICE))
  expect(links.map(({ name, interface: dev, address }) => [name, dev, address])).toEqual([
    ['relay', 'eth0', '198.51.100.10'],
    ['office-1', 'eth0', '192.168.10.10'],
    ['router:office', 'inside', '192.168.10.1'],
    ['router:internet', 'outside', '198.51.100.11'],
  ])
  expect(links[1]?.quality).toEqual({ lossPercent: 1 })
})

test('where a segment has IPv6, its hosts have the same last number there', () => {
  const topology = parseTopology({
    segments: { a: { cidr: '192.168.1.0/24', cidr6: '2001:db8:1::/64' }, b: { cidr: '192.168.2.0/24' } },
    hosts: { one: { segment: 'a' }, two: { segment: 'b' } },
  })
  expect(planLinks(topology).map(({ address6 }) => address6)).toEqual(['2001:db8:1::10', undefined])
})

test('a name resolves to its host', () => {
  expect(namesOf(topologyFromYaml(OFFICE))).toEqual({ 'relay.example': '198.51.100.10' })
})

const segments = { a: { cidr: '192.168.1.0/24' }, b: { cidr: '192.168.2.0/24' } }
test.each<[string, object, string]>([
  [
    'a host on an unknown segment',
    { segments, hosts: { h: { segment: 'c' } } },
    'hosts.h.segment: there is no segment c',
  ],
  ['a segment that is no /24', { segments: { a: { cidr: '10.0.0.0/8' } }, hosts: {} }, 'segments.a.cidr: a /24'],
  [
    'an IPv6 segment that is no /64',
    { segments: { a: { cidr: '10.0.0.0/24', cidr6: '2001:db8::/32' } }, hosts: {} },
    'segments.a.cidr6: a /64 that ends in ::/64',
  ],
  [
    'a router onto itself',
    { segments, hosts: {}, routers: { r: { inside: 'a', outside: 'a' } } },
    'routers.r: it joins one segment',
  ],
  [
    'two routers with one inner side',
    { segments, hosts: {}, routers: { r: { inside: 'a', outside: 'b' }, q: { inside: 'a', outside: 'b' } } },
    'segments.a: only one router may have it inside',
  ],
  ['an unknown field', { segments, hosts: { h: { segment: 'a', nat: true } } }, 'hosts.h: Unrecognized key: "nat"'],
])('refused: %s', (_, topology, message) => {
  expect(() => parseTopology(topology)).toThrow(message)
})
