import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AGEING_MS, createQueue, type Priority } from './queue.ts'

test('a key added many times waits once, with its reasons merged', () => {
  const queue = createQueue()
  queue.add('a', 1, 'spec changed', 0)
  queue.add('a', 1, 'telemetry of edge-2', 0)
  queue.add('a', 1, 'telemetry of edge-2', 0)
  expect(queue.depth).toBe(1)
  expect(queue.take(0)?.reasons).toEqual(['spec changed', 'telemetry of edge-2'])
  expect(queue.take(0)).toBeUndefined()
})

test('a change during a run causes exactly one more run', () => {
  const queue = createQueue()
  queue.add('a', 1, 'one', 0)
  queue.take(0)
  queue.add('a', 1, 'two', 1)
  queue.add('a', 1, 'three', 2)
  expect(queue.take(3)).toBeUndefined()
  queue.done('a')
  expect(queue.take(3)?.reasons).toEqual(['two', 'three'])
  queue.done('a')
  expect(queue.take(4)).toBeUndefined()
})

test('a person goes before news, and news before the background', () => {
  const queue = createQueue()
  queue.add('background', 0, 'resync', 0)
  queue.add('news', 1, 'spec changed', 0)
  queue.add('person', 2, 'reconcile now', 0)
  expect([queue.take(0)?.key, queue.take(0)?.key, queue.take(0)?.key]).toEqual(['person', 'news', 'background'])
})

test('a waiting key whose priority is raised goes first', () => {
  const queue = createQueue()
  queue.add('a', 0, 'resync', 0)
  queue.add('b', 1, 'spec changed', 0)
  queue.add('a', 2, 'reconcile now', 0)
  expect(queue.take(0)?.key).toBe('a')
})

test('a background key is not starved by a stream of news', () => {
  const queue = createQueue()
  queue.add('background', 0, 'resync', 0)
  for (let ms = 0; ms <= 3 * AGEING_MS; ms += 100) {
    queue.add(`news-${ms}`, 1, 'spec changed', ms)
    const item = queue.take(ms)
    if (item?.key === 'background') return
    queue.done(item?.key as string)
    queue.add(`more-${ms}`, 1, 'spec changed', ms)
  }
  expect.unreachable('the background key never ran')
})

test('under any interleaving no key runs twice at once and every added key runs after its last add', () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('add' as const),
      key: fc.constantFrom('a', 'b', 'c'),
      priority: fc.constantFrom<Priority>(0, 1, 2),
    }),
    fc.record({ do: fc.constant('take' as const) }),
    fc.record({ do: fc.constant('done' as const), key: fc.constantFrom('a', 'b', 'c') }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = createQueue()
      const running = new Set<string>()
      const owed = new Set<string>()
      let now = 0
      const take = () => {
        const item = queue.take(now)
        if (!item) return false
        expect(running.has(item.key)).toBe(false)
        running.add(item.key)
        owed.delete(item.key)
        return true
      }
      for (const s of steps) {
        now += 10
        if (s.do === 'add') {
          queue.add(s.key, s.priority, 'x', now)
          owed.add(s.key)
        } else if (s.do === 'take') take()
        else if (running.delete(s.key)) queue.done(s.key)
      }
      for (const key of running) queue.done(key)
      running.clear()
      while (take());
      expect([...owed]).toEqual([])
    }),
  )
})
