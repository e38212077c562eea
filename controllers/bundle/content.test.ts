import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { meshSpec } from '../../api/v1alpha1/mesh.ts'
import { bundleContent as contentSchema } from '../../protocol/bundle/document.ts'
import type { NodeId } from '../../protocol/ids.ts'
import { fakeId, fakeKey } from '../testing/fake-world.ts'
import { type BundleInput, bundleContent } from './content.ts'
import { hubsOf, type Member } from './members.ts'

function member(name: string, last: number, role: Member['role'] = 'spoke'): Member {
  return {
    name,
    nodeId: fakeId(name) as NodeId,
    address: `10.8.0.${last}`,
    role,
    ...(role === 'hub' && { endpoint: `${name}.example:51820` }),
    wireguardPublicKey: fakeKey(name),
  }
}

const HUB_1 = member('hub-1', 1, 'hub')
const HUB_2 = member('alpha-hub', 20, 'hub')
const OFFICE = member('office', 2)
const LAPTOP = member('laptop', 3)
const ALL = [HUB_1, HUB_2, LAPTOP, OFFICE]

function input(node: Member, members: readonly Member[] = ALL): BundleInput {
  return {
    node,
    members,
    hubs: hubsOf(members),
    mesh: { name: 'default', spec: meshSpec.parse({}) },
    authorities: [
      { id: fakeId('a') as never, commandPublicKey: fakeKey('command'), signingPublicKey: fakeKey('signing') },
    ],
    authorityAddresses: ['10.8.0.1'],
    operatorKey: fakeKey('operator'),
    meshEpochMs: 5,
    pool: {
      reservedMiB: 512 as never,
      overcommitPercent: 100,
      balloon: { policy: 'Auto', lowWatermarkPercent: 15, highWatermarkPercent: 30, emergencyPercent: 90 },
      reservedWeight: 100,
    },
    archives: [],
  }
}

test('a spoke has the hubs as peers, by address; only the first carries the mesh', () => {
  expect(bundleContent(input(OFFICE)).peers).toEqual([
    {
      nodeId: HUB_1.nodeId,
      name: 'hub-1',
      publicKey: HUB_1.wireguardPublicKey,
      endpoint: 'hub-1.example:51820',
      allowedIPs: ['10.8.0.1/32', '10.8.0.0/24'],
      keepaliveSeconds: 25,
      hub: true,
    },
    {
      nodeId: HUB_2.nodeId,
      name: 'alpha-hub',
      publicKey: HUB_2.wireguardPublicKey,
      endpoint: 'alpha-hub.example:51820',
      allowedIPs: ['10.8.0.20/32'],
      keepaliveSeconds: 25,
      hub: true,
    },
  ])
})

test('a hub has everyone else as a peer with its own address only; other hubs have an endpoint', () => {
  const { peers } = bundleContent(input(HUB_1))
  expect(
    peers.map(({ name, allowedIPs, endpoint, keepaliveSeconds, hub }) => [
      name,
      allowedIPs,
      endpoint,
      keepaliveSeconds,
      hub,
    ]),
  ).toEqual([
    ['alpha-hub', ['10.8.0.20/32'], 'alpha-hub.example:51820', 25, true],
    ['laptop', ['10.8.0.3/32'], undefined, 0, false],
    ['office', ['10.8.0.2/32'], undefined, 0, false],
  ])
})

test('hubs are tried by the number of their address, not its text', () => {
  const hubs = [member('a', 10, 'hub'), member('b', 9, 'hub'), member('c', 100, 'hub')]
  expect(hubsOf(hubs).map((hub) => hub.name)).toEqual(['b', 'a', 'c'])
})

describe('the content', () => {
  test('is what the bundle’s schema takes', () => {
    for (const node of ALL)
      expect(() => contentSchema.parse({ ...bundleContent(input(node)), attempt: 0 })).not.toThrow()
  })

  test('does not depend on the order in which things were found', () => {
    const entry = (slot: number) => ({ id: fakeId(String(slot)), slot }) as never
    const archives = [entry(3), entry(1), entry(2)]
    fc.assert(
      fc.property(
        fc.shuffledSubarray(ALL, { minLength: 4 }),
        fc.shuffledSubarray(archives, { minLength: 3 }),
        (m, a) => {
          for (const node of ALL)
            expect(JSON.stringify(bundleContent({ ...input(node, m), archives: a }))).toBe(
              JSON.stringify(bundleContent({ ...input(node), archives })),
            )
        },
      ),
    )
  })

  test('of a spoke is untouched by a new spoke', () => {
    const more = [...ALL, member('tablet', 9)]
    expect(bundleContent(input(OFFICE, more))).toEqual(bundleContent(input(OFFICE)))
    expect(bundleContent(input(HUB_1, more))).not.toEqual(bundleContent(input(HUB_1)))
  })
})
