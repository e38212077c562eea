import { expect, test } from 'vitest'
import { OP } from '../../protocol/command/ops.ts'
import { mark, shows } from '../testing/archive-fleet.ts'
import { type Goal, powerGoal } from './goals.ts'
import { type OpMemory, type Paced, type PaceInput, pace, REISSUE_MS } from './pace.ts'
import type { Progress } from './progress.ts'

const goal: Goal = powerGoal('Running', shows({ lifecycle: 'Stopped' }))
const refused: Progress = { state: 'refused', reason: 'Failed', message: '' }

/** One archive's op over time: each call is one reconcile. */
function story() {
  let memory: OpMemory | undefined
  return (nowMs: number, progress: Progress, over: Partial<PaceInput> = {}): Omit<Paced, 'memory'> => {
    const { memory: next, ...rest } = pace(memory, { goal, progress, generation: 1, nowMs, ...over })
    memory = next
    return rest
  }
}

test('what is needed is sent, and withdrawn when it is under way or in force', () => {
  const at = story()
  expect(at(0, { state: 'needed' })).toEqual({ send: { reissue: 0 } })
  expect(at(1, { state: 'underWay' })).toEqual({})
  expect(at(2, { state: 'settled' })).toEqual({})
})

test('a marked command without any outcome is kept up, and gets a fresh sequence every 60 s', () => {
  const at = story()
  at(0, { state: 'needed' })
  expect(at(1000, { state: 'unshown' })).toEqual({ send: { reissue: 0 }, againMs: REISSUE_MS })
  expect(at(60_999, { state: 'unshown' })).toEqual({ send: { reissue: 0 }, againMs: 1 })
  expect(at(61_000, { state: 'unshown' })).toEqual({ send: { reissue: 1 }, againMs: REISSUE_MS })
  expect(at(121_000, { state: 'unshown' })).toEqual({ send: { reissue: 2 }, againMs: REISSUE_MS })
})

test('an outcome shown in between starts the 60 s anew', () => {
  const at = story()
  at(0, { state: 'needed' })
  at(1000, { state: 'unshown' })
  at(50_000, { state: 'underWay' })
  expect(at(61_000, { state: 'unshown' })).toEqual({ againMs: REISSUE_MS })
  expect(at(121_000, { state: 'unshown' })).toEqual({ send: { reissue: 1 }, againMs: REISSUE_MS })
})

test('an effect that vanishes leaves the node 60 s to say why', () => {
  const at = story()
  at(0, { state: 'settled' })
  expect(at(10_000, { state: 'unshown' })).toEqual({ againMs: REISSUE_MS })
  expect(at(69_999, { state: 'unshown' })).toEqual({ againMs: 1 })
  expect(at(70_000, { state: 'unshown' })).toEqual({ send: { reissue: 1 }, againMs: REISSUE_MS })
})

test('a new authority says at once what differs from what is declared', () => {
  expect(story()(0, { state: 'unshown' })).toEqual({ send: { reissue: 0 }, againMs: REISSUE_MS })
})

test('a refusal is not argued with, however long it stands', () => {
  const at = story()
  at(0, { state: 'needed' })
  for (const ms of [1, 60_000, 600_000]) expect(at(ms, refused, { mark: mark(OP.POWER, 1) })).toEqual({})
})

test('a changed spec lifts a refusal once: asked again until a new mark is shown', () => {
  const at = story()
  at(0, refused, { mark: mark(OP.POWER, 1, 7) })
  const changed = { generation: 2, mark: mark(OP.POWER, 1, 7) }
  expect(at(1, refused, changed)).toEqual({ send: { reissue: 1 } })
  expect(at(2, refused, changed)).toEqual({ send: { reissue: 1 } })
  expect(at(3, refused, { generation: 2, mark: mark(OP.POWER, 1, 8) })).toEqual({})
  expect(at(600_000, refused, { generation: 2, mark: mark(OP.POWER, 1, 8) })).toEqual({})
})

test('so does an effect that moved', () => {
  const at = story()
  at(0, refused, { mark: mark(OP.POWER, 1, 7) })
  const moved = powerGoal('Running', shows({ lifecycle: 'Crashed' }))
  expect(at(1, refused, { goal: moved, mark: mark(OP.POWER, 1, 7) })).toEqual({ send: { reissue: 1 } })
})

test('another value is another command: what was known of the old one is forgotten, its count is kept', () => {
  const at = story()
  at(0, { state: 'needed' })
  at(1, { state: 'unshown' })
  at(60_001, { state: 'unshown' })
  const stop = powerGoal('Archived', shows())
  expect(at(60_002, { state: 'needed' }, { goal: stop })).toEqual({ send: { reissue: 1 } })
  expect(at(60_003, { state: 'unshown' }, { goal: stop })).toEqual({ send: { reissue: 1 }, againMs: REISSUE_MS })
})
