import { expect, test } from 'vitest'
import { controllerWorld } from '../controller-world.ts'
import { fakeWorld } from '../testing/fake-world.ts'
import { type Planner, reconcileWith } from './converge.ts'
import type { Answers, Effect } from './effects.ts'

const ASK: Effect = {
  type: 'claimAddress',
  node: { uid: 'uid-n', name: 'n', hub: false },
  cidr: '10.8.0.0/24',
  avoid: [],
}

function run(plan: (answers: Answers) => Effect[], gone?: (key: string) => void) {
  const fake = fakeWorld()
  fake.node('n')
  const { world } = controllerWorld(fake, () => {})
  const planner: Planner<'Node', Answers> = {
    kind: 'Node',
    observe: (_, __, answers) => answers,
    plan: (_, o) => plan(o),
  }
  const notes: unknown[] = []
  const reconcile = reconcileWith(world, planner, gone)
  const signal = new AbortController().signal
  return { fake, notes, go: (key = 'Node/n') => reconcile({ key, signal, reasons: [], note: (n) => notes.push(n) }) }
}

test('questions are done first and alone, and the plan is made again with the answers', async () => {
  const { fake, go } = run(({ claim }) =>
    claim ? [{ type: 'again', afterMs: 7 }] : [ASK, { type: 'event', eventType: 'Normal', reason: 'R', message: 'm' }],
  )
  expect(await go()).toEqual({ requeueAfterMs: 7 })
  expect(fake.recorded).toEqual([])
})

test('every plan is noted for explain', async () => {
  const { go, notes } = run(({ claim }) => (claim ? [] : [ASK]))
  await go()
  expect(notes).toEqual([{ planned: [ASK] }, { did: { claim: { ok: true, address: '10.8.0.1' } } }])
})

test('a plan that asks without end is a fault, not a loop', async () => {
  await expect(run(() => [ASK]).go()).rejects.toThrow('asks without end')
})

test('a key whose object is gone withdraws what it wanted', async () => {
  const gone: string[] = []
  const { go } = run(
    () => [],
    (key) => gone.push(key),
  )
  expect(await go('Node/ghost')).toBeUndefined()
  expect(gone).toEqual(['Node/ghost'])
})
