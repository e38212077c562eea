import { expect, test } from 'vitest'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { Io } from '../io.ts'
import { lineView, type Snapshot, screenView } from './view.ts'

const node = (name: string, status: string, reason: string, generation = 1): AnyObject =>
  ({
    kind: 'Node',
    metadata: { name, generation },
    spec: {},
    status: { conditions: [{ type: 'Ready', status, reason, message: `${reason}!`, observedGeneration: 1 }] },
  }) as never

const snapshot = (objects: AnyObject[], notices: string[] = []): Snapshot => ({
  fleet: 'fleet',
  objects,
  problems: [],
  notices,
})

function screen(rows: number, columns: number, simulated = false) {
  const clock = virtualClock()
  let text = ''
  const out = (t: string) => {
    text += t
  }
  const io = { out, cwd: '/', clock, color: false, columns: () => columns } as unknown as Io
  const view = screenView(io, () => rows, simulated)
  const take = () => {
    const taken = text
    text = ''
    return taken
  }
  return { clock, view, take }
}

test('lines are printed once, when a verdict changes, and when the fleet becomes Ready', () => {
  const said: string[] = []
  const view = lineView({ out: (t) => said.push(t), cwd: '/' })
  view.show(snapshot([node('a', 'Unknown', 'Unheard')]))
  view.show(snapshot([node('a', 'Unknown', 'Unheard')], ['braked: moving']))
  view.show(snapshot([node('a', 'True', 'Converged')]))
  view.show(snapshot([node('a', 'True', 'Converged', 2)]))
  view.show(snapshot([]))
  expect(said.join('')).toBe(`node.ppn.dev/a  Ready=Unknown Unheard: Unheard!
braked: moving
node.ppn.dev/a  Ready=True Converged
over: nothing is held back any more, and nothing is wrong with the folder
the fleet is Ready: 1 node, 0 archives, 0 pools
node.ppn.dev/a  Ready=Unknown NotObserved: this generation has not been reconciled yet
node.ppn.dev/a  gone
`)
})

test.each([
  [false, 'the fleet runs on'],
  [true, 'the simulated machines sleep until the next start'],
])('simulated %s: what Ctrl-C leaves is said', async (simulated, expected) => {
  const { clock, view, take } = screen(20, 120, simulated)
  view.show(snapshot([node('a', 'True', 'Converged')]))
  await clock.advance(100)
  expect(take()).toContain(`Ctrl-C stops the authority, ${expected}`)
})

test('the screen is redrawn over itself, no line wider than the terminal', async () => {
  const { clock, view, take } = screen(20, 30)
  view.show(snapshot([node('a-node-with-quite-a-long-name', 'False', 'BundlePending')]))
  await clock.advance(100)
  const first = take()
  expect(
    first
      .split('\n')
      .slice(0, 3)
      .map((l) => l.length <= 30),
  ).toEqual([true, true, true])
  view.show(snapshot([node('a', 'True', 'Converged')]))
  await clock.advance(100)
  expect(take().startsWith(`\u001b[${first.split('\n').length - 1}A\u001b[0J`)).toBe(true)
})

test('a fleet larger than the screen shows first what is not Ready', async () => {
  const { clock, view, take } = screen(9, 80)
  const many = Array.from({ length: 10 }, (_, i) => node(`n${i}`, i === 9 ? 'False' : 'True', 'Reason'))
  view.show(snapshot(many))
  await clock.advance(100)
  const text = take().split('\n')
  expect(text[1]).toMatch(/^✖ node\.ppn\.dev\/n9/)
  expect(text).toContain('  and 7 more')
  expect(text).toContain('9 of 10 Ready')
})
