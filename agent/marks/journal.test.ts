import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OP, type Op } from '../../protocol/command/ops.ts'
import { compareSequence } from '../../protocol/ids.ts'
import { crashFiles } from '../../testing/crash-files.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { initMarks, openMarks } from './journal.ts'

const power = (sequence: number, value = 1, slot = 1) => ({ op: OP.POWER, slot, term: 1, sequence, value })

async function journal() {
  const files = memoryFiles()
  await initMarks(files)
  return { files, marks: await openMarks(files) }
}

test('a mark is begun, then done, and both survive a restart', async () => {
  const { files, marks } = await journal()
  await marks.begin(power(5))
  expect((await openMarks(files)).get(OP.POWER, 1)).toMatchObject({ sequence: 5, state: 'begun' })
  await marks.done(power(5))
  expect((await openMarks(files)).get(OP.POWER, 1)).toMatchObject({ sequence: 5, state: 'done' })
})

test('an older act that ends late does not end the newer one', async () => {
  const { marks } = await journal()
  await marks.begin(power(5))
  await marks.begin(power(6))
  await marks.done(power(5))
  expect(marks.get(OP.POWER, 1)).toMatchObject({ sequence: 6, state: 'begun' })
})

test('a mark that could not be written is given back, so that the next copy is new', async () => {
  const { files, marks } = await journal()
  await marks.begin(power(5))
  files.failWrites(new Error('disk full'))
  await expect(marks.begin(power(6))).rejects.toThrow('disk full')
  expect(marks.get(OP.POWER, 1)).toMatchObject({ sequence: 5 })
  files.failWrites(undefined)
  await marks.begin(power(6))
  expect(marks.durable()).toMatchObject([{ sequence: 6 }])
})

test('many marks share few writes', async () => {
  const { files } = await journal()
  let writes = 0
  const counting = { ...files, write: (n: string, b: Uint8Array) => files.write(n, b).then(() => void writes++) }
  const marks = await openMarks(counting)
  await Promise.all(Array.from({ length: 200 }, (_, i) => marks.begin(power(i + 1, 1, (i % 255) + 1))))
  expect(writes).toBeLessThanOrEqual(2)
})

test.each([
  ['gone', undefined],
  ['torn', Buffer.from('0'.repeat(64))],
  ['changed', Buffer.from('garbage')],
])('marks that are %s are lost until a higher node-wide floor repairs them', async (_, bytes) => {
  const { files, marks } = await journal()
  await marks.begin(power(5))
  if (bytes) await files.write('marks', bytes)
  else await files.remove('marks')
  const floor = { term: 1, sequence: 100 }
  const lost = await openMarks(files, floor)
  expect(lost.lost()).toBe(true)
  // The bundle of an earlier repair repairs nothing.
  await lost.raiseFloors([{ slot: 0, ...floor }])
  expect(lost.lost()).toBe(true)
  await lost.raiseFloors([{ slot: 0, term: 1, sequence: 101 }])
  expect(lost.lost()).toBe(false)
  const again = await openMarks(files)
  expect(again.lost()).toBe(false)
  expect(again.floor(7)).toEqual({ term: 1, sequence: 101 })
})

test('a floor voids the marks below it and stays when the bundle no longer says so', async () => {
  const { files, marks } = await journal()
  await marks.begin(power(5))
  await marks.begin(power(5, 1, 2))
  await marks.raiseFloors([{ slot: 1, term: 2, sequence: 0 }])
  await marks.raiseFloors([{ slot: 1, term: 1, sequence: 0 }])
  const again = await openMarks(files)
  expect(again.get(OP.POWER, 1)).toBeUndefined()
  expect(again.get(OP.POWER, 2)).toMatchObject({ sequence: 5 })
  expect(again.floor(1)).toEqual({ term: 2, sequence: 0 })
})

test('whatever is begun and wherever the process dies, what was promised durable is there and no mark fell', async () => {
  const step = fc.record({ op: fc.constantFrom<Op>(OP.POWER, OP.WEIGHT), slot: fc.integer({ min: 1, max: 3 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.nat(30), async (steps, writes) => {
      const files = memoryFiles()
      await initMarks(files)
      const marks = await openMarks(crashFiles(files, writes))
      const promised = new Map<string, number>()
      await Promise.all(
        steps.map(async ({ op, slot }, i) => {
          if (i % 3 === 2) await Promise.resolve()
          const kept = await marks.begin({ op, slot, term: 1, sequence: i + 1, value: 1 }).then(
            () => true,
            () => false,
          )
          const key = `${op}/${slot}`
          if (kept) promised.set(key, Math.max(promised.get(key) ?? 0, i + 1))
        }),
      )
      const after = await openMarks(files)
      for (const [key, sequence] of promised) {
        const [op, slot] = key.split('/').map(Number) as [Op, number]
        const mark = after.get(op, slot)
        expect(mark && compareSequence(mark, { term: 1, sequence })).toBeGreaterThanOrEqual(0)
      }
      for (const mark of after.durable()) expect(mark.sequence).toBeLessThanOrEqual(steps.length)
    }),
  )
})
