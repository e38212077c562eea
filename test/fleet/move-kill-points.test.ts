// 24 seeded moments at which the authority or an agent dies without a goodbye while an archive moves, in half of them
// with the pin changed back on the way. Whatever the moment: at no instant do two nodes run it, its epoch only rises,
// and in the end it runs on exactly one, the declared one.
import { expect, test } from 'vitest'
import { type Fleet, startFleet } from './harness.ts'
import { killAfterWrite } from './kill-after-write.ts'
import { seeded } from './kill-points.ts'
import { archive, hub, spoke } from './objects.ts'

const KILL_POINTS = 24
const BATCHES = 4
const NAME = 'cluster-totebox-test-1'
const MOVABLE = { relocation: 'OnPinChange' }
const ALIVE = ['Starting', 'Running', 'Suspended', 'Stopping']
/** An undisturbed move is over within this. */
const SPAN_MS = 12_000
const END_MS = 300_000
const VICTIMS = ['authority', 'edge-1', 'edge-2', 'relay']

/**
 * Looks each 100 ms. An agent that is dead says nothing and stops nothing: what it last showed running runs on.
 */
function watchLaw7(fleet: Fleet) {
  const running = new Map<string, boolean>()
  const breaches: string[] = []
  let epoch = 0
  const look = () => {
    for (const [name, node] of fleet.nodes) {
      const shown = node.report()?.archives.find((a) => a.name === NAME)
      if (!node.report()) continue
      const alive = shown !== undefined && ALIVE.includes(shown.lifecycle)
      running.set(name, alive)
      if (!alive) continue
      if (shown.fencingEpoch < epoch) breaches.push(`${name} runs it at epoch ${shown.fencingEpoch} after ${epoch}`)
      epoch = Math.max(epoch, shown.fencingEpoch)
    }
    const on = [...running].filter(([, alive]) => alive).map(([name]) => name)
    if (on.length > 1) breaches.push(`at ${fleet.clock.monotonic()} it runs on ${on.join(' and ')}`)
  }
  return { look, breaches, runsOn: () => [...running].filter(([, alive]) => alive).map(([name]) => name) }
}

type Advance = (ms: number) => Promise<void>
interface Point {
  what: string
  /** After the move was declared. */
  atMs: number
  act(fleet: Fleet, advance: Advance): Promise<void>
  /** When it is called off. */
  backMs?: number
}

/** Killed at a moment. */
function killPoint(i: number): Point {
  const random = seeded(i + 1)
  const victim = VICTIMS[i % VICTIMS.length] as string
  const atMs = Math.floor(random() * SPAN_MS)
  const downMs = Math.floor(random() * 8_000)
  const backMs = i % 8 < 4 ? undefined : Math.floor(random() * SPAN_MS)
  const back = backMs === undefined ? '' : `, called off at ${backMs} ms`
  return {
    what: `kill point ${i}: ${victim} at ${atMs} ms for ${downMs} ms${back}`,
    ...{ atMs, backMs },
    async act(fleet, advance) {
      if (victim === 'authority') fleet.killAuthority()
      else await fleet.nodes.get(victim)?.kill('agent')
      await advance(downMs)
      await fleet.revive(victim)
    },
  }
}

/** Killed after a write. */
const writePoint = (victim: string, writes: number): Point => ({
  what: `${victim} after ${writes} writes`,
  atMs: 0,
  act: (fleet, advance) => killAfterWrite(fleet, { victim, writes, withinMs: SPAN_MS, advance }),
})

async function run({ what, atMs, act, backMs }: Point): Promise<void> {
  const fleet = await startFleet([hub('relay'), spoke('edge-1'), spoke('edge-2'), archive(1, 'edge-1', MOVABLE)])
  try {
    await fleet.untilReady()
    const watch = watchLaw7(fleet)
    const advance = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 100) {
        await fleet.clock.advance(Math.min(100, ms - passed))
        watch.look()
      }
    }
    fleet.declare(archive(1, 'edge-2', MOVABLE))
    const acts = [
      { ms: atMs, act: () => act(fleet, advance) },
      ...(backMs === undefined ? [] : [{ ms: backMs, act: async () => fleet.declare(archive(1, 'edge-1', MOVABLE)) }]),
    ].sort((a, b) => a.ms - b.ms)
    let now = 0
    for (const { ms, act } of acts) {
      await advance(ms - now)
      now = ms
      await act()
    }
    const wanted = backMs === undefined ? 'edge-2' : 'edge-1'
    const done = () => {
      const object = fleet.store.get('Archive', NAME, 'default')
      const moving = fleet.store.records.get(`move/${object?.metadata.uid}`) !== undefined
      const ready = object?.status?.conditions.find((c) => c.type === 'Ready')
      const at = fleet.authority.allocator.placement(object?.metadata.uid ?? '')?.node
      const current = ready?.observedGeneration === object?.metadata.generation
      return !moving && at === wanted && ready?.status === 'True' && current
    }
    for (let waited = 0; !done() && waited < END_MS; waited += 1_000) await advance(1_000)
    const shown = fleet.condition('Archive', NAME)
    expect(done(), `${what}: not over after ${END_MS} ms: ${JSON.stringify(shown)}`).toBe(true)
    await advance(15_000)
    expect(watch.breaches, what).toEqual([])
    expect(watch.runsOn(), what).toEqual([wanted])
    for (const [name, node] of fleet.nodes) expect(node.report()?.retainedDisks, `${what}: ${name}`).toEqual([])
  } finally {
    await fleet.stop()
  }
}

test.each(Array.from({ length: BATCHES }, (_, i) => i))('a move survives every death, batch %i', async (batch) => {
  for (let i = batch; i < KILL_POINTS; i += BATCHES) await run(killPoint(i))
})

const WRITES = ['authority', 'edge-1', 'edge-2'].flatMap((victim) =>
  Array.from({ length: 13 }, (_, n) => [victim, 1 + 2 * n] as const),
)
test.each(WRITES)('a move survives the death of %s after its write %i', async (victim, writes) => {
  await run(writePoint(victim, writes))
})
