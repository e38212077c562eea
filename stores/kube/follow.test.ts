import { expect, test } from 'vitest'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { KubeAnswer, KubeApi } from './api.ts'
import { follow } from './follow.ts'
import { scriptedApi } from './testing/scripted-api.ts'

const page = (names: string[], resourceVersion: string) => ({
  status: 200,
  body: { metadata: { resourceVersion }, items: names.map((name) => ({ metadata: { name, resourceVersion } })) },
})

function following() {
  const clock = virtualClock()
  const api = scriptedApi()
  const seen: string[] = []
  const target = {
    replace: (items: readonly unknown[], at: string) => void seen.push(`${items.join(',')} at ${at}`),
    event: () => {},
    fresh: () => {},
    trouble: () => {},
  }
  const stop = new AbortController()
  const reduce = (one: unknown) => (one as { metadata: { name: string } }).metadata.name
  const followed = follow({ api, path: '/x', target, clock, random01: () => 0.5, reduce }, stop.signal)
  return { clock, api, seen, stop, followed }
}

test('told to read anew, it lists again, and only that list is the answer', async () => {
  const { clock, api, seen, followed, stop } = following()
  await clock.settle()
  api.answer(page(['a'], '7'))
  await clock.settle()
  expect(seen).toEqual(['a at 7'])
  let done = false
  const again = followed.again().then(() => {
    done = true
  })
  await clock.settle()
  expect(done).toBe(false)
  expect(api.asked().at(-1)).toBe('/x?limit=500')
  api.answer(page(['a', 'b'], '9'))
  await again
  expect(seen).toEqual(['a at 7', 'a,b at 9'])
  await clock.settle()
  expect(api.asked().at(-1)).toContain('watch=1&resourceVersion=9')
  stop.abort(new Error('over'))
  await followed.ended
})

test('a list that was asked for before is not the answer, although it comes', async () => {
  const clock = virtualClock()
  const answers: ((answer: KubeAnswer) => void)[] = []
  // An answer that was on its way when it was no longer wanted.
  const api: KubeApi = {
    request: () => new Promise((resolve) => answers.push(resolve)),
    watch: () => new Promise(() => {}),
  }
  const seen: string[] = []
  const target = {
    replace: (_: readonly unknown[], at: string) => void seen.push(at),
    event: () => {},
    fresh: () => {},
    trouble: () => {},
  }
  const never = new AbortController().signal
  const followed = follow({ api, path: '/x', target, clock, random01: () => 0, reduce: (one) => one }, never)
  await clock.settle()
  const again = followed.again()
  answers[0]?.(page(['old'], '7'))
  await clock.settle()
  expect(seen).toEqual([])
  answers[1]?.(page(['new'], '9'))
  await again
  expect(seen).toEqual(['9'])
})

test('whoever waits for it hears of its end', async () => {
  const { clock, followed, stop } = following()
  await clock.settle()
  const again = followed.again()
  stop.abort(new Error('the store is closed'))
  await expect(again).rejects.toThrow('the store is closed')
  await expect(followed.again()).rejects.toThrow('the store is closed')
})
