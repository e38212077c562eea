// Command and WireGuard keys of nodes change by REKEY: nobody is locked out, and what does not work goes back by itself.
import { afterEach, expect, test } from 'vitest'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { type Fleet, startFleet } from './harness.ts'
import { office } from './objects.ts'
import { addressOf, PORT, refusals } from './wire.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

const NODES = ['relay', 'edge-1', 'edge-2']
const identity = (node: string): NodeIdentity => fleet.authority.registry.of(node)!.identity
const states = () => Object.fromEntries(fleet.authority.rotation.states().map(({ node, state }) => [node, state]))
const over = () => fleet.authority.rotation.states().every(({ state }) => state === 'done' || state === 'failed')
const shownKey = (node: string) => fleet.nodes.get(node)?.report()?.interface?.publicKey
const changed = (before: NodeIdentity, after: NodeIdentity) =>
  (Object.keys(before) as (keyof NodeIdentity)[]).filter((name) => before[name] !== after[name])

test('every node gets other keys, hubs last, one at a time; nobody loses its way, and nothing else changes', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const before = Object.fromEntries(NODES.map((node) => [node, identity(node)]))
  const machines = NODES.map((node) => fleet.nodes.get(node)?.report()?.archives)
  await fleet.authority.rotation.ask(NODES)
  const order: string[] = []
  await fleet.until(() => {
    const working = fleet.authority.rotation.states().filter(({ state }) => state === 'working')
    expect(working.length).toBeLessThanOrEqual(1)
    for (const { node } of working) if (order.at(-1) !== node) order.push(node)
    return over()
  }, 300_000)
  expect(states()).toEqual({ 'edge-1': 'done', 'edge-2': 'done', relay: 'done' })
  expect(order).toEqual(['edge-1', 'edge-2', 'relay'])
  await fleet.untilReady(60_000)
  for (const node of NODES) {
    expect(changed(before[node]!, identity(node)).sort()).toEqual(['commandPublicKey', 'wireguardPublicKey'])
    expect(shownKey(node)).toBe(identity(node).wireguardPublicKey)
    expect(fleet.nodes.get(node)?.report()?.pendingKeys).toEqual({})
    expect(fleet.nodes.get(node)?.report()?.bundles.reverted).toBeUndefined()
  }
  const lean = (all: typeof machines) =>
    all.map((some) => some?.map(({ id, fencingEpoch, restarts }) => ({ id, fencingEpoch, restarts })))
  expect(lean(NODES.map((node) => fleet.nodes.get(node)?.report()?.archives))).toEqual(lean(machines))

  // Law 6: over restarts of both sides nothing is published again.
  const segments = fleet.network.segments.length
  await fleet.restartAuthority()
  for (const node of NODES) await fleet.nodes.get(node)?.restart()
  await fleet.untilReady(120_000)
  expect(fleet.network.segments.slice(segments).filter((s) => s.port === PORT.sync)).toEqual([])
  expect(shownKey('relay')).toBe(identity('relay').wireguardPublicKey)
})

test('an authority that dies at any moment of it goes on where it was', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const before = identity('edge-1')
  await fleet.authority.rotation.ask(['edge-1'])
  for (let i = 0; i < 8 && !over(); i++) {
    await fleet.clock.advance(700 + 300 * i)
    await fleet.restartAuthority()
    await fleet.clock.advance(2_500)
  }
  await fleet.until(over, 300_000)
  expect(states()).toEqual({ 'edge-1': 'done' })
  await fleet.untilReady(120_000)
  expect(changed(before, identity('edge-1')).sort()).toEqual(['commandPublicKey', 'wireguardPublicKey'])
})

test('a node that lost the command key it made keeps its old one, and obeys', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const before = identity('edge-1')
  const node = fleet.nodes.get('edge-1')!
  await fleet.authority.rotation.ask(['edge-1'])
  await fleet.until(() => node.report()?.pendingKeys.commandPublicKey !== undefined, 30_000)
  // Its disk was put back, to before the key was made; nothing of the authority reaches it meanwhile.
  await node.kill()
  await memoryFiles(fleet.nodeFiles('edge-1')).sub('agent').sub('keys').remove('command.pending')
  await fleet.clock.advance(5_000)
  await node.start()
  await fleet.until(over, 300_000)
  await fleet.untilReady(120_000)
  expect(['done', 'failed']).toContain(states()['edge-1'])
  const wanted = states()['edge-1'] === 'failed' ? [] : ['commandPublicKey', 'wireguardPublicKey']
  expect(changed(before, identity('edge-1')).sort()).toEqual(wanted)
})

test('a WireGuard key under which nobody is heard goes back on both ends, and the node is Ready under its old one', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const before = identity('edge-1')
  await fleet.authority.rotation.ask(['edge-1'])
  await fleet.until(() => identity('edge-1').commandPublicKey !== before.commandPublicKey, 60_000)
  await fleet.until(() => fleet.nodes.get('edge-1')?.report()?.pendingKeys.wireguardPublicKey !== undefined, 60_000)
  // The hub never hears of the next one.
  const relay = addressOf(fleet, 'relay')
  fleet.network.rules.add({ from: relay, to: relay, port: PORT.sync, cut: true })
  await fleet.until(over, 300_000)
  expect(states()).toEqual({ 'edge-1': 'failed' })
  expect(identity('edge-1').wireguardPublicKey).toBe(before.wireguardPublicKey)
  fleet.network.rules.clear()
  await fleet.untilReady(300_000)
  expect(identity('edge-1').signingPublicKey).toBe(before.signingPublicKey)
  expect(shownKey('edge-1')).toBe(identity('edge-1').wireguardPublicKey)
  expect(refusals(fleet, 'edge-1').MarksLost).toBeUndefined()
  // Asked again, it works.
  await fleet.authority.rotation.ask(['edge-1'])
  await fleet.until(() => over() && states()['edge-1'] === 'done', 300_000)
  await fleet.untilReady(120_000)
  expect(identity('edge-1').wireguardPublicKey).not.toBe(before.wireguardPublicKey)
})

test('a hub waits for a spoke that is not heard: it would be locked out', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const before = identity('relay')
  await fleet.nodes.get('edge-2')?.kill('machine')
  await fleet.clock.advance(90_000)
  await fleet.authority.rotation.ask(['relay'])
  await fleet.clock.advance(60_000)
  expect(fleet.authority.rotation.states()).toMatchObject([{ node: 'relay', why: expect.stringContaining('edge-2') }])
  expect(identity('relay').wireguardPublicKey).toBe(before.wireguardPublicKey)
  await fleet.nodes.get('edge-2')?.start()
  await fleet.until(over, 300_000)
  expect(identity('relay').wireguardPublicKey).not.toBe(before.wireguardPublicKey)
})
