import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bodiesOf, CHAIN_START, type ChainHead, chainLines } from './chained-log.ts'
import { collectedChain } from './collected-chain.ts'

const writer = ({ by }: Record<string, unknown>) => by as string | undefined
/** `count` lines of `by` that go on from `head`. */
function written(count: number, by = 'a', head: ChainHead = CHAIN_START) {
  const made = chainLines(head, bodiesOf(Array.from({ length: count }, (_, i) => ({ at: i, by }))))
  return { lines: Buffer.from(made.bytes).toString('utf8').trimEnd().split('\n'), head: made.head }
}
function reportOf(lines: readonly string[], head?: { hash: string; count?: number }) {
  const chain = collectedChain(writer)
  for (const line of lines) chain.add(line)
  return chain.report(head)
}
const faults = (lines: readonly string[], head?: { hash: string; count?: number }) =>
  reportOf(lines, head).faults.map(({ line, fault }) => `${line} ${fault}`)

const { lines, head } = written(9)

test('in any order, twice, and among other lines: sound', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...lines, ...lines], { minLength: 18, maxLength: 18 }),
      fc.array(fc.string({ maxLength: 30 })),
      (mixed, other) => {
        const report = reportOf([...mixed, ...other.map((text) => `! ${text.replaceAll('\n', ' ')}`), '', '\r'])
        expect(report).toMatchObject({ lines: 9, first: 1, head, faults: [], branches: [], others: other.length })
      },
    ),
  )
})

test('whatever is taken out in between is missing, and nothing else is said', () => {
  fc.assert(
    fc.property(fc.subarray(lines.slice(1, -1), { minLength: 1 }), (taken) => {
      const { faults } = reportOf(lines.filter((line) => !taken.includes(line)))
      expect(faults.length).toBeGreaterThan(0)
      expect(new Set(faults.map(({ fault }) => fault))).toEqual(new Set(['Missing']))
    }),
  )
})

test('a range that is missing is named once', () => {
  expect(reportOf(lines.toSpliced(3, 3)).faults).toEqual([{ line: 4, fault: 'Missing', why: 'to 6 are missing' }])
})

test('a changed line is named, whatever was changed in it', () => {
  const changed = (lines[4] as string).replace('"at":4', '"at":5')
  expect(faults(lines.with(4, changed))).toEqual(['5 Changed'])
  // The right one is there as well.
  expect(faults([...lines, changed])).toEqual(['5 Changed'])
  expect(faults([changed, ...lines])).toEqual(['5 Changed'])
})

test('a line rewritten with a hash made anew is what the next one does not follow from', () => {
  const { head: before } = written(4)
  const [forged = ''] = written(1, 'somebody', before).lines
  expect(faults(lines.with(4, forged))).toEqual(['6 NotLinked'])
})

test('what came before, and after, is not known; a head that is known has to be there', () => {
  expect(reportOf(lines.slice(3))).toMatchObject({ first: 4, lines: 6, faults: [] })
  expect(faults(lines.slice(0, 5), head)).toEqual(['9 Missing'])
  expect(faults(lines, head)).toEqual([])
  expect(faults(lines, written(3).head)).toEqual([])
})

test('a writer that was killed and the next one go on from the same line: told, and no fault', () => {
  const { lines: common, head: before } = written(3)
  const killed = written(2, 'a', before)
  const next = written(4, 'b', before)
  const report = reportOf([...common, ...killed.lines, ...next.lines])
  expect(report).toMatchObject({ lines: 9, head: next.head, faults: [], branches: [{ after: 3, writers: ['a', 'b'] }] })
})

test('one writer that went on twice has two histories', () => {
  const { lines: common, head: before } = written(3)
  const other = chainLines(before, bodiesOf([{ at: 'another', by: 'a' }]))
  expect(faults([...common, ...written(2, 'a', before).lines, Buffer.from(other.bytes).toString()])).toEqual(['4 Fork'])
})

test('nothing at all', () => {
  expect(reportOf([])).toEqual({ lines: 0, first: 0, others: 0, head: CHAIN_START, branches: [], faults: [] })
  expect(reportOf(['{"n":1}', '{}', '[]', 'null']).others).toBe(4)
})
