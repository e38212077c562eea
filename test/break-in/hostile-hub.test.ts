// The hub is the attacker's: every packet between the others goes through its hands. It drops, delays, doubles, reorders
// and makes up packets on every channel; it has no key but its own.
import { afterEach, expect, test } from 'vitest'
import { lengthFrame } from '../../base/length-frames.ts'
import { type Fleet, startFleet } from '../fleet/harness.ts'
import { ending, seeded } from '../fleet/kill-points.ts'
import { archive, hub, pool, spoke } from '../fleet/objects.ts'
import { AUTHORITY, addressOf, forge, PORT, refusals } from '../fleet/wire.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

const MOVES = { relocation: 'OnPinChange' }
const before = () => [
  ...[hub('relay'), spoke('edge-1'), spoke('edge-2'), pool('edge-1')],
  ...[archive(1, 'edge-1', MOVES), archive(2, 'edge-1', { runState: 'Suspended' })],
]
/** An archive moves, disk and all, another one is started, a node is cut off. */
const change = () =>
  fleet.declare(archive(1, 'edge-2', MOVES), archive(2, 'edge-1', { runState: 'Running', cpu: { weight: 300 } }))

/** What is declared, and nothing of how it came to be. */
const state = () =>
  ending(fleet).map(({ name, isolated, archives, ready }) => ({
    ...{ name, isolated, ready },
    archives: archives?.map(({ name, slot, lifecycle, weight }) => ({ name, slot, lifecycle, weight })),
  }))

async function honest() {
  fleet = await startFleet(before())
  await fleet.untilReady()
  change()
  await fleet.untilReady(600_000)
  const end = state()
  await fleet.stop()
  return end
}

/** What the hub throws in: recordings of everything, pieces of them, and nonsense, to every port, from every address. */
async function inject(random: () => number): Promise<void> {
  const { datagrams, segments } = fleet.network
  const at = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]
  const spoilt = (bytes: Uint8Array) =>
    random() < 0.5
      ? bytes
      : Uint8Array.from(bytes, (byte) => (random() < 0.02 ? byte ^ (1 << Math.floor(random() * 8)) : byte))
  for (let i = 0; i < 10; i++) {
    const packet = at(datagrams.filter(({ port }) => port === PORT.command))
    if (packet) await forge(fleet, packet.to, spoilt(packet.bytes))
  }
  for (let i = 0; i < 4; i++) {
    const piece = at(
      segments.filter(({ port, bytes }) => bytes.length > 0 && (port === PORT.telemetry || port === PORT.sync)),
    )
    if (!piece) continue
    // Not waited for: the hub is slow, and time goes on only when the test says so.
    fleet.network
      .transport()
      .connect(piece.from, piece.to, piece.port, new AbortController().signal)
      .then(
        (line) => {
          line.stream.on('error', () => {})
          line.stream.resume()
          line.stream.write(random() < 0.3 ? lengthFrame(spoilt(piece.bytes)) : spoilt(piece.bytes))
          fleet.clock.after(2_000, () => line.destroy())
        },
        () => {},
      )
  }
}

let expected: ReturnType<typeof state> | undefined

test.each([1, 2])(
  'dropped, delayed, doubled, reordered and made up on every channel: never a wrong effect, and the declared state in the end (seed %i)',
  async (seed) => {
    expected ??= await honest()
    const random = seeded(seed)
    fleet = await startFleet(before())
    await fleet.untilReady()
    const running = new Set<string>()
    let worst = 0
    let watching = true
    const watch = () => {
      running.clear()
      for (const [name, node] of fleet.nodes)
        for (const one of node.report()?.archives ?? [])
          if (one.name.endsWith('-1') && ['Starting', 'Running', 'Suspended'].includes(one.lifecycle)) running.add(name)
      worst = Math.max(worst, running.size)
      if (watching) fleet.clock.after(1_000, watch)
    }
    watch()
    fleet.network.rules.add({
      ...{ protocol: 'udp', loss: 0.5 * random(), duplicate: random(), reorder: 0.5 * random() },
      ...{ reorderMs: 5_000, jitterMs: 500 },
    })
    fleet.network.rules.add({ protocol: 'tcp', jitterMs: 1_000 })
    change()
    for (let i = 0; i < 6; i++) {
      await inject(random)
      if (random() < 0.3) {
        const heal = fleet.network.rules.part(AUTHORITY, addressOf(fleet, random() < 0.5 ? 'edge-1' : 'edge-2'))
        await fleet.clock.advance(Math.floor(random() * 20_000))
        heal()
      }
      await fleet.clock.advance(1_000 + Math.floor(random() * 3_000))
    }
    fleet.network.rules.clear()
    await fleet.untilReady(900_000)
    watching = false
    expect(state()).toEqual(expected)
    // Law 7, at every instant looked at.
    expect(worst).toBe(1)
    const seen = ['edge-1', 'edge-2'].flatMap((node) => Object.keys(refusals(fleet, node)))
    expect(seen.length).toBeGreaterThan(0)
  },
  // A disk moves through all of it, on a machine that is shared.
  240_000,
)
