import { expect, test } from 'vitest'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { keepAlive } from './keep-alive.ts'

function fixture(fails: (start: number) => boolean = () => false) {
  const clock = virtualClock()
  const stop = new AbortController()
  const t0 = clock.now()
  const starts: number[] = []
  const said: string[] = []
  let end = () => {}
  const ended = () =>
    new Promise<void>((resolve) => {
      end = resolve
    })
  void keepAlive(
    {
      clock,
      ended,
      async start() {
        starts.push(clock.now() - t0)
        if (fails(starts.length)) throw new Error('no room')
      },
      onEnd: (pauseMs) => void said.push(`again in ${pauseMs}`),
      onFailure: (error) => void said.push((error as Error).message),
    },
    stop.signal,
  )
  return { clock, stop, starts, said, die: () => end() }
}

test('what ends is started again, later each time, and soon again once it has lived a minute', async () => {
  const { clock, said, die, starts } = fixture()
  for (let n = 0; n < 3; n++) {
    die()
    await clock.advance(10_000)
  }
  expect(said).toEqual(['again in 1000', 'again in 2000', 'again in 4000'])
  expect(starts).toEqual([1_000, 12_000, 24_000])
  await clock.advance(60_000)
  die()
  await clock.advance(1_000)
  expect(said.at(-1)).toBe('again in 1000')
})

test('a start that fails is tried again, and said', async () => {
  const { clock, said, die, starts } = fixture((start) => start < 3)
  die()
  await clock.advance(60_000)
  expect(starts).toEqual([1_000, 3_000, 7_000])
  expect(said).toEqual(['again in 1000', 'no room', 'no room'])
})

test('nothing is started once it is over', async () => {
  const { clock, die, starts, stop } = fixture()
  die()
  await clock.settle()
  stop.abort()
  await clock.advance(60_000)
  expect(starts).toEqual([])
})
