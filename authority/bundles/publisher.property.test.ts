// Whatever is lost, delayed or restarted: the fleet ends with what is wanted, in order, and then costs nothing.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bundleWorld } from './testing/world.ts'

const NODES = 4

/** Milliseconds, or undefined: lost. */
const fate = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 500, max: 7_000 }) },
  { weight: 1, arbitrary: fc.constant(undefined) },
)
const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('want' as const),
      node: fc.nat(NODES - 1),
      mtu: fc.integer({ min: 1300, max: 1303 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('silence' as const), node: fc.nat(NODES - 1) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('hear' as const), node: fc.nat(NODES - 1) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const), listens: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('brake' as const) }) },
)
const script = fc.record({
  steps: fc.array(
    fc.record({ event, waitMs: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 100, max: 9_000 })) }),
    {
      maxLength: 25,
    },
  ),
  fates: fc.array(fate, { minLength: 1, maxLength: 20 }),
})

test('every script ends applied everywhere, no revision overtakes an APPLY, and the end is silent', async () => {
  await fc.assert(
    fc.asyncProperty(script, async ({ steps, fates }) => {
      const world = bundleWorld(NODES)
      const { clock, faults, names } = world
      let turn = 0
      const next = () => fates[turn++ % fates.length]
      faults.push = next
      faults.apply = next
      faults.report = () => next() ?? 20

      const wanted = new Map(names.map((node) => [node, 1400]))
      const declare = () => {
        for (const [node, mtu] of wanted) world.want(node, mtu)
      }
      world.start()
      declare()
      for (const node of names) world.hear(node)
      for (const { event, waitMs } of steps) {
        const node = names['node' in event ? event.node : 0] as string
        if (event.type === 'want') {
          wanted.set(node, event.mtu)
          declare()
        } else if (event.type === 'restart') {
          world.start(event.listens ? { lastConnected: names } : {})
          declare()
        } else if (event.type === 'brake') faults.braked = !faults.braked
        else world[event.type](node)
        await clock.advance(waitMs)
      }

      faults.push = () => 1
      faults.apply = () => 1
      faults.report = () => 1
      faults.braked = false
      for (const node of names) world.hear(node)
      await clock.advance(300_000)
      for (const node of names) {
        expect(world.agent(node).applied?.content.interface.mtu).toBe(wanted.get(node))
        expect(world.publisher().state(node)).toMatchObject({ stage: 'Applied', held: false })
      }

      // Order, within each reign: nothing of a later revision before the APPLY of one that was pushed to be told.
      let [term, told, untold] = [0, 0, 0]
      for (const happening of world.happenings) {
        const { revision } = happening
        if (term !== happening.term) [term, told, untold] = [happening.term, 0, 0]
        if (happening.type === 'apply') {
          expect(revision).toBeGreaterThanOrEqual(untold)
          ;[told, untold] = [revision, 0]
        } else {
          if (untold > 0) expect(revision).toBeLessThanOrEqual(untold)
          if (happening.switch === 'onApply' && revision > told) untold = revision
        }
      }
      // A revision is one content of a node, for ever.
      const contents = new Map<string, string>()
      for (const { node, revision, digest } of world.pushes()) {
        const key = `${node} ${revision}`
        expect(contents.get(key) ?? digest).toBe(digest)
        contents.set(key, digest)
      }

      // Law 6: converged, it costs nothing; neither does a restart.
      world.happenings.length = 0
      declare()
      await clock.advance(120_000)
      world.start({ lastConnected: names })
      declare()
      await clock.advance(2_000)
      for (const node of [...names].reverse()) world.hear(node)
      await clock.advance(120_000)
      expect(world.happenings).toEqual([])
      for (const node of names) expect(world.publisher().state(node).stage).toBe('Applied')
      world.stop()
      expect(clock.pending()).toBe(0)
    }),
    { numRuns: 150 },
  )
})
