// Properties of the whole fleet over a network that loses, doubles and reorders, with restarts in between.
import { expect, test } from 'vitest'
import { type Fleet, startFleet } from './harness.ts'
import { ending, seeded } from './kill-points.ts'
import { archive, office, spoke } from './objects.ts'
import { forge, PORT } from './wire.ts'

const change = (fleet: Fleet) => {
  fleet.declare(
    archive(1, 'edge-1', { runState: 'Suspended', cpu: { weight: 300 } }),
    archive(2, 'edge-1', { runState: 'Running' }),
    spoke('edge-2', { isolated: true }),
  )
}

/** What is declared, and nothing of how it came to be: no marks, no restarts. */
const state = (fleet: Fleet) =>
  ending(fleet).map(({ marks: _, ready, archives, ...node }) => ({
    ...node,
    ready,
    archives: archives?.map(({ name, slot, lifecycle, weight }) => ({ name, slot, lifecycle, weight })),
  }))

async function faultless() {
  const fleet = await startFleet(office())
  await fleet.untilReady()
  change(fleet)
  await fleet.untilReady()
  const end = state(fleet)
  await fleet.stop()
  return end
}
const expected = faultless()

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])(
  'any loss, duplication, reordering and restart of either side ends in the declared state (seed %i)',
  async (seed) => {
    const random = seeded(seed)
    const fleet = await startFleet(office())
    fleet.network.rules.add({
      protocol: 'udp',
      loss: random() * 0.6,
      duplicate: random() * 0.5,
      reorder: random() * 0.5,
      reorderMs: 20 + Math.floor(random() * 2_000),
      jitterMs: Math.floor(random() * 200),
    })
    fleet.network.rules.add({ protocol: 'tcp', jitterMs: Math.floor(random() * 300) })
    await fleet.clock.advance(3_000 + Math.floor(random() * 5_000))
    change(fleet)
    for (let i = 0; i < 4; i++) {
      await fleet.clock.advance(Math.floor(random() * 4_000))
      const victim = ['relay', 'edge-1', 'edge-2'][Math.floor(random() * 3)] as string
      const node = fleet.nodes.get(victim)
      if (random() < 0.4) await fleet.restartAuthority()
      else if (node?.alive()) await node.restart(random() < 0.5 ? 'agent' : 'machine')
    }
    await fleet.untilReady(600_000)
    expect(state(fleet)).toEqual(await expected)
    await fleet.stop()
  },
)

test('a captured packet never acts again, whenever it is replayed, also after restarts of either side', async () => {
  const fleet = await startFleet(office())
  await fleet.untilReady()
  change(fleet)
  await fleet.untilReady()
  // Every state that the captured packets once asked for is no longer the declared one.
  fleet.declare(...office())
  await fleet.untilReady()
  const captured = fleet.network.datagrams.filter((d) => d.port === PORT.command)
  const replay = async () => {
    for (const d of captured) await forge(fleet, d.to, d.bytes)
    await fleet.clock.advance(2_000)
  }
  const end = ending(fleet)
  expect(captured.length).toBeGreaterThan(20)

  await replay()
  expect(ending(fleet)).toEqual(end)
  for (const node of fleet.nodes.values()) await node.restart('agent')
  await replay()
  await fleet.untilReady()
  expect(ending(fleet)).toEqual(end)
  await fleet.restartAuthority()
  await replay()
  await fleet.untilReady()
  expect(ending(fleet)).toEqual(end)
  fleet.killAuthority()
  await fleet.clock.advance(3 * 60_000)
  await replay()
  await fleet.startAuthority()
  await fleet.untilReady()
  expect(ending(fleet)).toEqual(end)
  await fleet.stop()
})
