import { expect, test } from 'vitest'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { exchanges } from './exchanges.ts'

const why = new Error('no answer')

test('when a question gets no answer, all that has been silent since it was asked is cut off, and nothing else', async () => {
  const clock = virtualClock()
  const all = exchanges(clock)
  const cut: string[] = []
  const begin = (name: string) => all.begin(() => void cut.push(name))
  begin('a quiet watch')
  const talking = begin('a watch that has been heard since')
  begin('one that has ended').end()
  await clock.advance(1_000)
  const askedMs = clock.monotonic()
  await clock.advance(5_000)
  talking.heard()
  begin('one that was begun later')
  all.distrust(askedMs, 1_000, why)
  expect(cut).toEqual(['a quiet watch'])
})

test('what was begun before anything is answered again has as long to be heard, and is cut off else', async () => {
  const clock = virtualClock()
  const all = exchanges(clock)
  const cut: string[] = []
  const begin = (name: string) => all.begin(() => void cut.push(name))
  const askedMs = clock.monotonic()
  await clock.advance(500)
  begin('a watch begun after the question that failed')
  const answered = begin('one that is answered late')
  await clock.advance(500)
  all.distrust(askedMs, 1_000, why)
  begin('one begun between two questions')
  await clock.advance(200)
  all.answered()
  begin('one begun since')
  await clock.advance(500)
  answered.heard()
  expect(cut).toEqual([])
  await clock.advance(500)
  expect(cut).toEqual(['a watch begun after the question that failed', 'one begun between two questions'])
  all.answered()
  await clock.advance(5_000)
  expect(cut).toHaveLength(2)
})
