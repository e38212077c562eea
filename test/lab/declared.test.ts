import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { copyFleet, declaredFleet, topologyFor, withIdentities } from './declared.ts'
import { namesOf, parseTopology, planLinks } from './topology.ts'

const OFFICE = 'examples/office'
const clock = systemClock()
const key = (n: number) => Buffer.alloc(32, n).toString('base64')
const identity = { wireguardPublicKey: key(1), commandPublicKey: key(2), signingPublicKey: key(3) }

test('the example has a public hub, by its name, and every other machine behind a NAT of its own', async () => {
  const fleet = await declaredFleet(OFFICE, clock)
  expect(fleet).toMatchObject({ authorityNode: 'relay', interface: 'ppn0' })
  const topology = parseTopology(topologyFor(fleet.nodes))
  expect(Object.keys(topology.routers)).toEqual(['laptop-1-router', 'office-1-router'])
  const relay = planLinks(topology).find((l) => l.name === 'relay')
  expect(namesOf(topology)).toEqual({ 'relay.office.example': relay?.address })
})

test('identities go into the copy, which still declares the same fleet', async () => {
  const to = mkdtempSync(join(tmpdir(), 'ppn-lab-'))
  try {
    const before = await declaredFleet(OFFICE, clock)
    const identities = new Map(before.nodes.map((n) => [n.name, identity]))
    copyFleet({ from: OFFICE, to, identities, addressOf: () => '198.51.100.10' })
    expect(await declaredFleet(to, clock)).toEqual(before)
  } finally {
    rmSync(to, { recursive: true, force: true })
  }
})

test('only Nodes are changed, comments stay, and an endpoint by address leads into the lab', () => {
  const text = `# the hub
kind: Node
metadata:
  name: relay
spec:
  endpoint: 203.0.113.9:51820 # public
---
kind: Mesh
metadata:
  name: relay
`
  const changed = withIdentities(text, new Map([['relay', identity]]), () => '198.51.100.10')
  expect(changed).toContain('# the hub\n')
  expect(changed).toContain('endpoint: 198.51.100.10:51820 # public\n')
  expect(changed.match(/wireguardPublicKey/g)).toHaveLength(1)
  expect(withIdentities(text.replace('203.0.113.9', 'relay.example'), new Map(), () => '')).toContain(
    'relay.example:51820',
  )
})

test('a folder with a fault is refused with the place', async () => {
  await expect(declaredFleet('no/such/folder', clock)).rejects.toThrow(/cannot be read/)
})
