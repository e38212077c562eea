import { expect, test } from 'vitest'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { firstPings } from './first-pings.ts'

function setUp(names: string[]) {
  const clock = virtualClock()
  const heard = new Set<string>()
  const sent: string[] = []
  const pings = firstPings({
    clock,
    nodes: () => names,
    isHeard: (node) => heard.has(node),
    pingAll: async (nodes) => void sent.push(...nodes.map((node) => `all ${node}`)),
    ping: (node) => void sent.push(node),
  })
  const hear = (node: string) => {
    heard.add(node)
    pings.settle(node)
  }
  return { clock, pings, sent, hear }
}

test('a fleet that answers one after the other gets one PING each, however often it draws another', async () => {
  const names = ['a', 'b', 'c', 'd']
  const { clock, pings, sent, hear } = setUp(names)
  for (const node of names) pings.draw(node)
  await pings.ask()
  for (const node of names) {
    pings.draw(node)
    await clock.advance(1_900)
    hear(node)
  }
  await clock.advance(60_000)
  expect(sent).toEqual(['all a', 'all b', 'all c', 'all d'])
})

test('who stays silent is asked alone 2 s after the last answer', async () => {
  const { clock, pings, sent, hear } = setUp(['a', 'b'])
  await pings.ask()
  await clock.advance(1_000)
  hear('a')
  await clock.advance(2_400)
  expect(sent).toEqual(['all a', 'all b'])
  await clock.advance(200)
  expect(sent).toEqual(['all a', 'all b', 'b'])
})

test('a trickle of answers holds the silent ones up for 30 s and no longer', async () => {
  const answering = Array.from({ length: 80 }, (_, i) => `n${i}`)
  const { clock, pings, sent, hear } = setUp(['silent', ...answering])
  await pings.ask()
  for (const node of answering.slice(0, 59)) {
    await clock.advance(500)
    hear(node)
  }
  expect(sent).not.toContain('silent')
  await clock.advance(1_000)
  expect(sent).toContain('silent')
})

test('once the answers are in, a draw is a PING at once', async () => {
  const { clock, pings, sent, hear } = setUp(['a'])
  await pings.ask()
  hear('a')
  await clock.advance(500)
  pings.draw('a')
  expect(sent).toEqual(['all a', 'a'])
})

test('before anybody was asked, nobody is', async () => {
  const { clock, pings, sent } = setUp(['a'])
  pings.draw('a')
  await clock.advance(60_000)
  expect(sent).toEqual([])
})
