// Every command that ever went over the wire was recorded: played again, to whom it was for and to others.
import { afterEach, expect, test } from 'vitest'
import { TARGET_ALL } from '../../protocol/command/ops.ts'
import { type Fleet, startFleet } from '../fleet/harness.ts'
import { ending } from '../fleet/kill-points.ts'
import { archive, office, spoke } from '../fleet/objects.ts'
import { addressOf, forge, PORT, refusals } from '../fleet/wire.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

const octetOf = (node: string) => Number(addressOf(fleet, node).split('.')[3])

/** A fleet through which every op has gone, back in its first state. */
async function busy(): Promise<{ to: string; bytes: Uint8Array }[]> {
  fleet = await startFleet(office())
  await fleet.untilReady()
  fleet.declare(
    archive(1, 'edge-1', { runState: 'Suspended', cpu: { weight: 300 } }),
    spoke('edge-2', { isolated: true }),
  )
  await fleet.untilReady()
  fleet.declare(...office())
  await fleet.untilReady()
  const captured = fleet.network.datagrams.filter(({ port }) => port === PORT.command)
  expect(new Set(captured.map(({ bytes }) => bytes[0])).size).toBeGreaterThan(3)
  return captured
}

test('a packet for one node, readdressed to another, is a bad tag there: keys are shared by no two nodes', async () => {
  const captured = await busy()
  const end = ending(fleet)
  const to = addressOf(fleet, 'edge-2')
  const octet = octetOf('edge-2')
  const packets = captured
    .filter(({ bytes }) => bytes[1] === octetOf('edge-1'))
    .map(({ bytes }) => Uint8Array.from(bytes, (byte, i) => (i === 1 ? octet : byte)))
  expect(packets.length).toBeGreaterThan(3)
  const before = refusals(fleet, 'edge-2').BadTag ?? 0
  await forge(fleet, to, ...packets)
  await fleet.clock.advance(2_000)
  expect(refusals(fleet, 'edge-2').BadTag).toBe(before + packets.length)
  expect(ending(fleet)).toEqual(end)
})

test('a copy meant for another node, which every node gets by design, is passed over without a word', async () => {
  const captured = await busy()
  const end = ending(fleet)
  const before = refusals(fleet, 'edge-2')
  const others = captured.filter(({ bytes }) => bytes[1] === octetOf('edge-1'))
  await forge(fleet, addressOf(fleet, 'edge-2'), ...others.map(({ bytes }) => bytes))
  await fleet.clock.advance(2_000)
  expect(refusals(fleet, 'edge-2')).toEqual(before)
  expect(ending(fleet)).toEqual(end)
})

test('a packet of an earlier term is a bad tag or stale for ever, over restarts of the authority, of the agent, of both', async () => {
  const captured = await busy()
  const end = ending(fleet)
  const replay = async () => {
    for (const { to, bytes } of captured) await forge(fleet, to, bytes)
    await fleet.clock.advance(5_000)
    await fleet.untilReady()
    expect(ending(fleet)).toEqual(end)
  }
  await fleet.restartAuthority()
  await fleet.untilReady()
  await replay()
  for (const node of fleet.nodes.values()) await node.restart('agent')
  await replay()
  fleet.killAuthority()
  for (const node of fleet.nodes.values()) await node.restart('machine')
  for (const { to, bytes } of captured) await forge(fleet, to, bytes)
  await fleet.startAuthority()
  await fleet.untilReady()
  expect(ending(fleet).map(({ name, isolated, peers }) => ({ name, isolated, peers }))).toEqual(
    end.map(({ name, isolated, peers }) => ({ name, isolated, peers })),
  )
})

test('one bit of a genuine packet changed: each of the 128 variants is refused', async () => {
  const captured = await busy()
  const end = ending(fleet)
  const to = addressOf(fleet, 'edge-1')
  const genuine = captured.findLast(({ bytes }) => bytes[1] === octetOf('edge-1'))?.bytes as Uint8Array
  const counted = () => Object.values(refusals(fleet, 'edge-1')).reduce((sum, count) => sum + count, 0)
  const before = counted()
  let passedOver = 0
  for (let bit = 0; bit < 128; bit++) {
    const changed = Uint8Array.from(genuine, (byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
    // A changed target is somebody else's packet, which is no refusal.
    if (bit >> 3 === 1 && changed[1] !== 0 && changed[1] !== TARGET_ALL) passedOver++
    await forge(fleet, to, changed)
    await fleet.clock.advance(100)
  }
  expect(counted()).toBe(before + 128 - passedOver)
  expect(ending(fleet)).toEqual(end)
})
