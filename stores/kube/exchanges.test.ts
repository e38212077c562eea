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
  all.distrust(askedMs, why)
  expect(cut).toEqual(['a quiet watch'])
})
