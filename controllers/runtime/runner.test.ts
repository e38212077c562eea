import { expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { ControllerSpec, Reconcile } from '../ports/reconciler.ts'
import { createManager } from './manager.ts'

function setup(reconcile: Reconcile, extra: Partial<ControllerSpec> = {}) {
  const clock = virtualClock()
  const manager = createManager({ clock, log: silentLogger(), random01: () => 0 })
  manager.add({ name: 'thing', reconcile, generation: () => 1, ready: () => true, ...extra })
  manager.start()
  return { clock, manager }
}

test('news that comes in one turn is one run', async () => {
  const runs: string[][] = []
  const { clock, manager } = setup(async ({ reasons }) => void runs.push([...reasons]) as undefined)
  manager.enqueue('thing', 'a', 'one')
  manager.enqueue('thing', 'a', 'two')
  await clock.settle()
  expect(runs).toEqual([['one', 'two']])
})

test('a key never overlaps itself while other keys go on', async () => {
  const open = new Map<string, () => void>()
  let together = 0
  const { clock, manager } = setup(async ({ key }) => {
    together++
    await new Promise<void>((resolve) => open.set(key, resolve))
    together--
    return undefined
  })
  manager.enqueue('thing', 'a', 'x')
  manager.enqueue('thing', 'b', 'x')
  await clock.settle()
  manager.enqueue('thing', 'a', 'again')
  await clock.settle()
  expect(together).toBe(2)
  open.get('a')?.()
  await clock.settle()
  expect(together).toBe(2)
})

test('a failing key backs off exponentially and a new generation starts afresh', async () => {
  let generation = 1
  const at: number[] = []
  const { clock, manager } = setup(
    async () => {
      at.push(clock.monotonic())
      throw new Error('no')
    },
    { generation: () => generation },
  )
  manager.enqueue('thing', 'a', 'x')
  await clock.advance(400)
  const waits = at.slice(1).map((ms, i) => ms - (at[i] as number))
  expect(waits).toEqual([50, 100, 200])
  manager.enqueue('thing', 'a', 'mere news does not shorten a backoff')
  await clock.settle()
  expect(at).toHaveLength(4)
  generation = 2
  manager.enqueue('thing', 'a', 'spec changed')
  await clock.settle()
  expect(at).toHaveLength(5)
  await clock.advance(50)
  expect(at).toHaveLength(6)
})

test('a person does not wait for a backoff', async () => {
  let runs = 0
  const { clock, manager } = setup(async () => {
    runs++
    throw new Error('no')
  })
  manager.enqueue('thing', 'a', 'x')
  await clock.settle()
  manager.enqueue('thing', 'a', 'reconcile now', { priority: 2 })
  await clock.settle()
  expect(runs).toBe(2)
})

test('an attempt past its deadline is a failure that frees its worker but never overlaps its own retry', async () => {
  let running = 0
  let most = 0
  let release: () => void = () => {}
  const { clock, manager } = setup(
    async ({ key }) => {
      if (key === 'other') return undefined
      running++
      most = Math.max(most, running)
      await new Promise<void>((resolve) => {
        release = resolve
      })
      running--
      return undefined
    },
    { attemptDeadlineMs: 1000, concurrency: 1 },
  )
  manager.enqueue('thing', 'stuck', 'x')
  manager.enqueue('thing', 'other', 'x')
  await clock.advance(10_000)
  expect(manager.history('other')).toHaveLength(1)
  expect(manager.history('stuck').at(-1)?.detail).toBe('no result within 1 s')
  expect(most).toBe(1)
  release()
  await clock.advance(10)
  expect(running).toBe(1)
  expect(most).toBe(1)
})

test('a throw before the first await, and a throw that is no Error, are failed attempts', async () => {
  const { clock, manager } = setup((({ key }) => {
    if (key === 'sync') throw new Error('at once')
    return Promise.reject('text')
  }) as Reconcile)
  manager.enqueue('thing', 'sync', 'x')
  manager.enqueue('thing', 'text', 'x')
  await clock.settle()
  expect(manager.history('sync')[0]).toMatchObject({ result: 'error', detail: 'at once' })
  expect(manager.history('text')[0]).toMatchObject({ result: 'error', detail: 'text' })
})

test('requeue-after runs the key again, once, after the time asked for', async () => {
  let runs = 0
  const { clock, manager } = setup(async () => (runs++ === 0 ? { requeueAfterMs: 500 } : undefined))
  manager.enqueue('thing', 'a', 'x')
  await clock.advance(499)
  expect(runs).toBe(1)
  await clock.advance(5000)
  expect(runs).toBe(2)
})

test('a controller runs nothing before its sources have synced, and then what was collected', async () => {
  let synced = false
  const seen: string[] = []
  const { clock, manager } = setup(async ({ key }) => void seen.push(key) as undefined, { ready: () => synced })
  manager.enqueue('thing', 'a', 'x')
  await clock.advance(1000)
  expect(seen).toEqual([])
  synced = true
  manager.poke()
  await clock.settle()
  expect(seen).toEqual(['a'])
})

test('stopping aborts what runs and runs nothing more', async () => {
  let aborted = false
  const { clock, manager } = setup(
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true
          reject(signal.reason)
        })
      }),
  )
  manager.enqueue('thing', 'a', 'x')
  await clock.settle()
  await manager.stop()
  expect(aborted).toBe(true)
  manager.enqueue('thing', 'b', 'x')
  await clock.settle()
  expect(manager.history('b')).toEqual([])
})

test('the history says why a key ran, how long it waited, what it planned and did, and folds idle runs', async () => {
  let plan: unknown[] = [{ type: 'commands' }]
  const { clock, manager } = setup(async ({ note }) => {
    for (const planned of plan) note({ planned, did: 'sent' })
    return undefined
  })
  manager.enqueue('thing', 'a', 'spec changed')
  await clock.settle()
  plan = []
  for (let i = 0; i < 20; i++) {
    manager.enqueue('thing', 'a', `telemetry ${i}`)
    await clock.settle()
  }
  const runs = manager.history('a')
  expect(runs).toHaveLength(2)
  expect(runs[0]).toMatchObject({
    reasons: ['spec changed'],
    planned: [{ type: 'commands' }],
    did: ['sent'],
    result: 'success',
  })
  expect(runs[1]?.reasons).toEqual(['telemetry 19'])
})
