// Addresses of the mesh, from the declaration to the interface of the machine: what is given is what is used, and what
// cannot be given is said.
import { afterEach, expect, test } from 'vitest'
import { API_VERSION } from '../../api/meta.ts'
import { ADDRESS_QUARANTINE_MS } from '../../authority/allocation/addresses.ts'
import { type Fleet, startFleet } from './harness.ts'
import { hub, spoke } from './objects.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

/** Two addresses for machines: .1 and .2. */
const TINY = { apiVersion: API_VERSION, kind: 'Mesh', metadata: { name: 'default' }, spec: { cidr: '10.8.0.0/30' } }
const addressOf = (name: string) => fleet.store.get('Node', name)?.status?.address
const accepted = (name: string) => {
  const found = fleet.store.get('Node', name)?.status?.conditions.find((c) => c.type === 'Accepted')
  return { status: found?.status, reason: found?.reason, message: found?.message }
}
/** What the first bundle of a node says of its own interface, and what its peers route to it. */
async function inBundles(name: string): Promise<{ own: string; routed: string[] }> {
  // Version, authority id and signature stand before the document.
  const contentOf = async (node: string) =>
    JSON.parse(Buffer.from((await fleet.authority.publisher.firstBundle(node)).subarray(81)).toString()).content
  const { peers } = await contentOf('relay')
  return {
    own: (await contentOf(name)).node.address,
    routed: peers.find((one: { name: string }) => one.name === name).allowedIPs,
  }
}

test('the hub has .1, a declared address is honoured, another gets the lowest that is free; each is used as given', async () => {
  fleet = await startFleet([hub('relay'), spoke('fixed', { address: '10.8.0.2' }), spoke('free')])
  await fleet.untilReady()
  expect(['relay', 'fixed', 'free'].map(addressOf)).toEqual(['10.8.0.1', '10.8.0.2', '10.8.0.3'])
  for (const name of ['fixed', 'free']) {
    const address = addressOf(name) as string
    expect(await inBundles(name)).toEqual({ own: address, routed: [`${address}/32`] })
    expect(fleet.nodes.get(name)?.report()?.interface).toMatchObject({ address: `${address}/24` })
  }
})

test('a mesh that is full says so on the newcomer, and lets it in as soon as there is room', async () => {
  fleet = await startFleet([TINY, hub('relay'), spoke('first')])
  await fleet.untilReady()
  fleet.declare(spoke('late'))
  await fleet.until(() => accepted('late').reason === 'Exhausted')
  expect(accepted('late')).toEqual({
    status: 'False',
    reason: 'Exhausted',
    message: 'no address of 10.8.0.0/30 is free',
  })
  expect(accepted('first').status).toBe('True')
  fleet.withdraw('Node', 'first')
  await fleet.until(() => fleet.store.get('Node', 'first') === undefined)
  // Its address is nobody's for a day.
  await fleet.clock.advance(60_000)
  expect(addressOf('late')).toBeUndefined()
  fleet.clock.jump(ADDRESS_QUARANTINE_MS)
  await fleet.until(() => addressOf('late') === '10.8.0.2', 900_000)
})

test('two nodes that declare one address: who has it keeps it, the other is told whose it is', async () => {
  fleet = await startFleet([hub('relay'), spoke('holder', { address: '10.8.0.9' })])
  await fleet.untilReady()
  fleet.declare(spoke('twin', { address: '10.8.0.9' }))
  await fleet.until(() => accepted('twin').reason === 'AddressTaken')
  expect(accepted('twin').message).toContain('held by holder')
  expect(addressOf('holder')).toBe('10.8.0.9')
  expect(fleet.events.filter(({ reason }) => reason === 'AddressTaken').map(({ key }) => key)).toContain('Node/holder')
})
