import { expect, test } from 'vitest'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { type ReflectorTarget, reflect } from './reflector.ts'
import { scriptedApi } from './testing/scripted-api.ts'

const item = (name: string, resourceVersion: string) => ({ metadata: { name, resourceVersion } })
const page = (items: unknown[], resourceVersion: string, next = '') => ({
  status: 200,
  body: { metadata: { resourceVersion, continue: next }, items },
})
const answer = (status: number, more: object = {}) => ({ status, body: { message: `says ${status}` }, ...more })

function reflecting() {
  const clock = virtualClock()
  const api = scriptedApi()
  const seen: string[] = []
  const target: ReflectorTarget = {
    replace: (items, resourceVersion) => seen.push(`all ${items.join(',')} at ${resourceVersion}`),
    event: ({ type, resourceVersion }) => seen.push(`${type} ${resourceVersion}`),
    fresh: () => {},
    trouble: (why) => seen.push(why === undefined ? 'well' : `trouble: ${why}`),
  }
  const stop = new AbortController()
  const nameOf = (one: unknown) => (one as { metadata: { name: string } }).metadata.name
  const done = reflect({ api, path: '/x', target, clock, random01: () => 0.5, reduce: nameOf }, stop.signal)
  const troubles = () => seen.filter((line) => line.startsWith('trouble'))
  return { clock, api, seen, troubles, stop, done }
}

test('a list is taken in page by page and handed over as a whole; the watch begins where it stood', async () => {
  const r = reflecting()
  await r.clock.settle()
  expect(r.api.asked()).toEqual(['/x?limit=500'])
  r.api.answer(page([item('a', '1')], '7', 'more'))
  await r.clock.settle()
  expect(r.seen).toEqual([])
  expect(r.api.asked().at(-1)).toBe('/x?limit=500&continue=more')
  r.api.answer(page([item('b', '2')], '7'))
  await r.clock.settle()
  expect(r.seen[0]).toBe('all a,b at 7')
  expect(r.api.asked().at(-1)).toMatch(/^\/x\?watch=1&resourceVersion=7&allowWatchBookmarks=true&timeoutSeconds=450$/)
})

/** With a list at 7 in and a watch open. */
async function watching() {
  const r = reflecting()
  await r.clock.settle()
  r.api.answer(page([], '7'))
  await r.clock.settle()
  r.api.open()
  r.seen.length = 0
  return r
}

test('a watch that the server ends goes on after the last event or bookmark, without a list', async () => {
  const r = await watching()
  r.api.event({ type: 'ADDED', object: item('a', '8') })
  r.api.event({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '20' } } })
  await r.clock.advance(60_000)
  r.api.answer({ status: 200, body: {} })
  await r.clock.settle()
  expect(r.seen).toEqual(['ADDED 8', 'well'])
  expect(r.api.asked().at(-1)).toContain('resourceVersion=20')
})

test('a broken connection costs a wait and nothing else: the watch goes on after the last event', async () => {
  const r = await watching()
  r.api.event({ type: 'ADDED', object: item('a', '8') })
  const before = r.api.asked().length
  r.api.fail(new Error('socket hang up'))
  await r.clock.settle()
  expect(r.seen).toEqual(['ADDED 8', 'trouble: socket hang up'])
  expect(r.api.asked().length).toBe(before)
  await r.clock.advance(200)
  expect(r.api.asked().at(-1)).toContain('watch=1&resourceVersion=8')
  r.api.open()
  expect(r.seen.at(-1)).toBe('well')
})

test('410 in an answer or in an event: everything is listed again, after a moment; nothing is called unreadable', async () => {
  for (const gone of ['answer', 'event']) {
    const r = await watching()
    if (gone === 'answer') r.api.answer(answer(410))
    else r.api.event({ type: 'ERROR', object: { code: 410, message: 'too old resource version' } })
    await r.clock.advance(1_000)
    expect(r.api.asked().at(-1)).toBe('/x?limit=500')
    expect(r.troubles()).toEqual([])
    r.stop.abort()
  }
})

test('a list that expires between two pages begins anew; its first page is never shown', async () => {
  const r = reflecting()
  await r.clock.settle()
  r.api.answer(page([item('a', '1')], '7', 'more'))
  await r.clock.settle()
  r.api.answer(answer(410))
  await r.clock.advance(1_000)
  expect(r.api.asked().at(-1)).toBe('/x?limit=500')
  r.api.answer(page([], '9'))
  await r.clock.settle()
  expect(r.seen[0]).toBe('all  at 9')
})

test('waits grow with failures in a row, never beyond 5 s; Retry-After is the least', async () => {
  const r = reflecting()
  const waits: number[] = []
  for (let i = 0; i < 8; i++) {
    await r.clock.settle()
    const asked = r.api.asked().length
    r.api.answer(answer(503))
    await r.clock.settle()
    let waited = 0
    while (r.api.asked().length === asked) {
      await r.clock.advance(50)
      waited += 50
    }
    waits.push(waited)
  }
  expect(waits).toEqual([150, 300, 600, 1200, 2400, 3000, 3000, 3000])
  r.api.answer(answer(429, { retryAfterS: 20 }))
  await r.clock.settle()
  const asked = r.api.asked().length
  await r.clock.advance(19_000)
  expect(r.api.asked().length).toBe(asked)
  await r.clock.advance(2_000)
  expect(r.api.asked().length).toBe(asked + 1)
})

test('a watch from which nothing comes for longer than bookmarks take is cut and made anew', async () => {
  const r = await watching()
  await r.clock.advance(60_000)
  r.api.event({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } })
  await r.clock.advance(89_000)
  expect(r.troubles()).toEqual([])
  await r.clock.advance(2_000)
  expect(r.troubles()).toEqual(['trouble: nothing came for 90 s'])
  expect(r.api.asked().at(-1)).toContain('watch=1&resourceVersion=9')
})

test('a server that ends every watch at once is not asked in a tight loop', async () => {
  const r = await watching()
  const before = r.api.asked().length
  for (let i = 0; i < 100; i++) {
    r.api.answerIfAsked({ status: 200, body: {} })
    await r.clock.advance(100)
  }
  expect(r.api.asked().length - before).toBeLessThan(8)
})

test('what is no event breaks the watch, and is no reason to stop', async () => {
  const r = await watching()
  r.api.event({ surprise: true })
  await r.clock.advance(1_000)
  expect(r.troubles()).toHaveLength(1)
  expect(r.api.asked().at(-1)).toContain('watch=1&resourceVersion=7')
})

test('it ends with its signal, in whatever it is doing', async () => {
  const r = await watching()
  r.stop.abort()
  await r.done
  const other = reflecting()
  await other.clock.settle()
  other.stop.abort()
  await other.done
})
