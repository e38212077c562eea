import fc from 'fast-check'
import { expect, test } from 'vitest'
import { beginStart, nextStart, type StartEvent, type StartState } from './start.ts'

const heard = (node: string, term: number, more: { hub?: boolean; told?: boolean } = {}): StartEvent => ({
  type: 'heard',
  node,
  term,
  hub: more.hub ?? false,
  told: more.told ?? false,
})
const after = (state: StartState, ...events: StartEvent[]) => events.reduce(nextStart, state)
const listening = beginStart(8, ['hub', 'a', 'b'])

test('with nobody last Connected there is nothing to listen for', () => {
  expect(beginStart(8, []).phase).toBe('Open')
})

test('it opens when every node last Connected was heard, and not before', () => {
  const most = after(listening, heard('hub', 7, { hub: true }), heard('a', 7), heard('stranger', 7))
  expect(most.phase).toBe('Listening')
  expect(after(most, heard('b', 7)).phase).toBe('Open')
})

test('it opens at the deadline, whoever is missing', () => {
  expect(after(listening, { type: 'deadline' }).phase).toBe('Open')
})

test.each<[string, StartEvent[], string, string[]]>([
  ['a hub reports our term', [heard('hub', 8, { hub: true })], 'Superseded', ['hub']],
  ['a hub reports a later term', [heard('hub', 9, { hub: true })], 'Superseded', ['hub']],
  ['one spoke reports our term', [heard('a', 8)], 'Listening', ['a']],
  ['one spoke reports it twice', [heard('a', 8), heard('a', 8)], 'Listening', ['a']],
  ['two spokes report it', [heard('a', 8), heard('b', 9)], 'Superseded', ['a', 'b']],
  ['a node reports our term after it was told', [heard('hub', 8, { hub: true, told: true })], 'Listening', []],
  [
    'a hub reports a later term although it was told',
    [heard('hub', 9, { hub: true, told: true })],
    'Superseded',
    ['hub'],
  ],
  ['a node reports an earlier term', [heard('hub', 7, { hub: true })], 'Listening', []],
])('%s', (_, events, phase, against) => {
  const state = after(listening, ...events)
  expect(state.phase).toBe(phase)
  expect([...state.against]).toEqual(against)
})

test('a spoke that speaks against us counts as heard', () => {
  expect(after(beginStart(8, ['a']), heard('a', 8))).toMatchObject({ phase: 'Open' })
})

test('Superseded is for good, and is reached also after the opening', () => {
  const open = after(listening, { type: 'deadline' })
  const superseded = after(open, heard('hub', 9, { hub: true }))
  expect(superseded.phase).toBe('Superseded')
  expect(after(superseded, { type: 'deadline' }, { type: 'raised', term: 99 }, heard('a', 1)).phase).toBe('Superseded')
})

test('with honest nodes no order of events supersedes', () => {
  const honest = fc.record({
    node: fc.constantFrom('hub', 'a', 'b'),
    term: fc.integer({ min: 0, max: 8 }),
  })
  fc.assert(
    fc.property(fc.array(honest), (reports) => {
      const events = reports.map(({ node, term }) => heard(node, term, { hub: node === 'hub', told: term === 8 }))
      const state = after(listening, ...events, { type: 'deadline' })
      expect(state.phase).toBe('Open')
      expect(state.against.size).toBe(0)
    }),
  )
})
