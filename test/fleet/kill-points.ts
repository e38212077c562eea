// Seeded moments at which the authority or an agent dies without a goodbye while the fleet converges. Whatever the
// moment: marks only rise, no machine starts twice, and the end is that of the run in which nobody died.
import type { Mark } from '../../protocol/telemetry/report.ts'
import { type Fleet, startFleet } from './harness.ts'
import { archive, hub, office, spoke } from './objects.ts'

/** The scenario is over, kills included, well within this. */
const SPAN_MS = 20_000

/** xorshift32, as the harness has for bytes. */
export function seeded(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0 || 1
  return () => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state / 2 ** 32
  }
}

/** A fleet that is being set up, and is changed while it is. */
async function scenario(fleet: Fleet, at: (ms: number) => Promise<void>): Promise<void> {
  await at(6_000)
  fleet.declare(archive(1, 'edge-1', { cpu: { weight: 300 } }), spoke('edge-2', { isolated: true }))
  await at(10_000)
  fleet.declare(archive(3, 'edge-2', { runState: 'Running' }), hub('relay'), archive(4, 'edge-1'))
  await at(SPAN_MS)
}

/** What counts as the end: what every node runs, and what is true of every object. */
export function ending(fleet: Fleet) {
  return [...fleet.nodes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, node]) => {
      const report = node.report()
      return {
        name,
        isolated: report?.isolated,
        peers: report?.peers.map((p) => [p.name, p.allowedIPs]),
        archives: report?.archives
          .map(({ name, slot, lifecycle, weight, fencingEpoch, restarts }) => ({
            name,
            slot,
            lifecycle,
            weight,
            fencingEpoch,
            restarts,
          }))
          .sort((a, b) => a.slot - b.slot),
        marks: report?.marks
          .filter((m) => m.op > 2)
          .map((m) => [m.op, m.slot, m.value, m.state])
          .sort(),
        ready: fleet.condition('Node', name),
      }
    })
}

/** Fails when a mark of any node falls, or a machine's processor time does, which only a second start can do. */
function watchNodes(fleet: Fleet): () => void {
  const marks = new Map<string, Mark>()
  const cpu = new Map<string, number>()
  return () => {
    for (const [name, node] of fleet.nodes) {
      const report = node.report()
      for (const mark of report?.marks ?? []) {
        const key = `${name} ${mark.op} ${mark.slot}`
        const before = marks.get(key)
        if (before && (mark.term < before.term || (mark.term === before.term && mark.sequence < before.sequence)))
          throw new Error(`${key}: the mark fell from ${JSON.stringify(before)} to ${JSON.stringify(mark)}`)
        marks.set(key, mark)
      }
      for (const { id, cpuTimeMs } of report?.archives ?? []) {
        if (cpuTimeMs < (cpu.get(id) ?? 0)) throw new Error(`${name}: machine ${id} was started twice`)
        cpu.set(id, cpuTimeMs)
      }
    }
  }
}

/** Runs the scenario; `interrupt` is called once, at `atMs`. */
export async function run(seed: number, interrupt?: { atMs: number; act(fleet: Fleet): Promise<void> }) {
  const fleet = await startFleet(office(), { seed })
  const look = watchNodes(fleet)
  const start = fleet.clock.monotonic()
  let pending = interrupt
  const at = async (ms: number) => {
    while (fleet.clock.monotonic() - start < ms) {
      const passed = fleet.clock.monotonic() - start
      if (pending && passed >= pending.atMs) {
        const { act } = pending
        pending = undefined
        await act(fleet)
      }
      await fleet.clock.advance(Math.min(100, ms - passed, Math.max(1, (pending?.atMs ?? ms) - passed)))
      look()
    }
  }
  await scenario(fleet, at)
  await fleet.untilReady(300_000)
  await fleet.clock.advance(5_000)
  look()
  const end = ending(fleet)
  await fleet.stop()
  return end
}

const VICTIMS = ['authority', 'relay', 'edge-1', 'edge-2'] as const

/** Kill point number `i`: who dies, when, and for how long. */
export function killPoint(i: number) {
  const random = seeded(i + 1)
  return {
    victim: VICTIMS[i % VICTIMS.length] as (typeof VICTIMS)[number],
    atMs: Math.floor(random() * (SPAN_MS - 2_000)),
    downMs: Math.floor(random() * 3_000),
  }
}

/** The end of the run in which `killPoint(i)` happens. */
export async function runKilled(i: number): Promise<ReturnType<typeof ending>> {
  const { victim, atMs, downMs } = killPoint(i)
  return await run(1, {
    atMs,
    async act(fleet) {
      // Not there yet: then nobody dies in this run.
      if (!fleet.alive(victim)) return
      if (victim === 'authority') fleet.killAuthority()
      else await fleet.nodes.get(victim)?.kill('agent')
      await fleet.clock.advance(downMs)
      await fleet.revive(victim)
    },
  }).catch((error) => {
    throw new Error(`kill point ${i}: ${victim} at ${atMs} ms for ${downMs} ms: ${error.message}`, { cause: error })
  })
}
