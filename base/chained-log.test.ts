import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memoryFiles } from '../testing/memory-files.ts'
import { openChainedLog } from './chained-log.ts'

const NAME = 'log.jsonl'
const broken = expect.objectContaining({ code: 'ChainBroken' })

async function written(...entries: object[]) {
  const files = memoryFiles()
  const log = await openChainedLog(files, NAME)
  for (const entry of entries) await log.append(entry)
  return files
}
const contents = async (files: ReturnType<typeof memoryFiles>) => (await files.read(NAME)) as Uint8Array

test('an empty log begins at zero', async () => {
  const log = await openChainedLog(memoryFiles(), NAME)
  expect(log.head()).toEqual({ count: 0, hash: '0'.repeat(64) })
  expect(await log.entries()).toEqual([])
})

test('entries are read back in order by the next process, under the same head', async () => {
  const files = await written({ a: 1 }, { b: undefined, c: 'text\nwith a newline' })
  const log = await openChainedLog(files, NAME)
  expect((await log.entries()).map(({ n, entry }) => [n, entry])).toEqual([
    [1, { a: 1 }],
    [2, { c: 'text\nwith a newline' }],
  ])
  expect(log.head()).toEqual(await log.verify())
  expect(log.head().count).toBe(2)
})

test('concurrent appends are all there, in the order of the calls', async () => {
  const files = memoryFiles()
  const log = await openChainedLog(files, NAME)
  const heads = await Promise.all(Array.from({ length: 50 }, (_, i) => log.append({ i })))
  expect(heads.map((head) => head.count)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
  expect((await log.entries()).map((line) => line.entry)).toEqual(Array.from({ length: 50 }, (_, i) => ({ i })))
})

test('many entries go in one write, chained and in order, between those of others', async () => {
  const files = memoryFiles()
  const writes: number[] = []
  const append = files.append
  files.append = (name, bytes) => {
    writes.push(bytes.length)
    return append(name, bytes)
  }
  const log = await openChainedLog(files, NAME)
  const heads = await Promise.all([
    log.append({ a: 1 }),
    log.appendAll([{ a: 2 }, { a: 3 }]),
    log.append({ a: 4 }),
    log.appendAll([]),
  ])
  expect(heads.map((head) => head.count)).toEqual([1, 3, 4, 4])
  expect(writes.length).toBe(3)
  expect((await log.entries()).map((line) => line.entry)).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }, { a: 4 }])
  expect(await log.verify()).toEqual(log.head())
})

describe('a changed file is refused', () => {
  const tampered = async (change: (text: string) => string) => {
    const files = await written({ a: 1 }, { a: 2 }, { a: 3 })
    const text = Buffer.from(await contents(files)).toString('utf8')
    await files.write(NAME, Buffer.from(change(text)))
    return openChainedLog(files, NAME)
  }
  test.each<[string, (text: string) => string]>([
    ['an entry was altered', (text) => text.replace('{"a":2}', '{"a":9}')],
    ['a line was taken out', (text) => text.split('\n').toSpliced(1, 1).join('\n')],
    ['the first line was taken out', (text) => text.split('\n').slice(1).join('\n')],
    [
      'two lines changed places',
      (text) =>
        text
          .split('\n')
          .with(0, text.split('\n')[1] ?? '')
          .join('\n'),
    ],
    ['a line was put in', (text) => text.replace('\n', '\n{"x":1}\n')],
    ['words were put in', (text) => text.replace('\n', '\nhello\n')],
    ['a line has another byte form', (text) => text.replace('{"a":2}', '{"a": 2}')],
    ['the last line was altered beyond recognition', (text) => text.replace('{"a":3}', '{"a":3')],
    ['a line was added', (text) => `${text}{"a":1}\n`],
  ])('%s', async (_, change) => {
    await expect(tampered(change)).rejects.toEqual(broken)
  })

  // Every byte there is, every bit of it: nothing is left to chance. All 255 changes of each were tried once by hand.
  test('any change of a byte before the last line shows', async () => {
    const files = await written({ a: 1 }, { a: 2 })
    const bytes = await contents(files)
    const firstLine = bytes.indexOf(0x0a)
    const changes = Array.from({ length: firstLine + 1 }, (_, at) =>
      [1, 2, 4, 8, 16, 32, 64, 128].map((bit) => ({ at, bit })),
    )
    const unnoticed: object[] = []
    for (const { at, bit } of changes.flat()) {
      const changed = new Uint8Array(bytes)
      changed[at] = (changed[at] as number) ^ bit
      const opened = openChainedLog(memoryFiles(new Map([[NAME, changed]])), NAME)
      const code = await opened.then(
        () => 'opened',
        (error: { code?: string }) => error.code,
      )
      if (code !== 'ChainBroken') unnoticed.push({ at, bit, code })
    }
    expect(unnoticed).toEqual([])
  })
})

describe('after a crash', () => {
  test('an incomplete last line is sealed, not cut, and the log goes on', async () => {
    const files = await written({ a: 1 }, { a: 2 })
    const before = await contents(files)
    await files.append(NAME, Buffer.from('{"entry":{"a":3},"ha'))
    const log = await openChainedLog(files, NAME)
    await log.append({ a: 4 })
    expect((await log.entries()).map((line) => line.entry)).toEqual([{ a: 1 }, { a: 2 }, { a: 4 }])
    expect(log.head().count).toBe(4)
    const after = Buffer.from(await contents(files))
    expect(after.subarray(0, before.length).equals(before)).toBe(true)
    expect(after.includes('{"entry":{"a":3},"ha\n')).toBe(true)
  })

  test('the sealed bytes are covered by the chain', async () => {
    const files = await written({ a: 1 })
    await files.append(NAME, Buffer.from('{"entry":{"a":3},"ha'))
    await openChainedLog(files, NAME)
    const text = Buffer.from(await contents(files)).toString('utf8')
    await files.write(NAME, Buffer.from(text.replace('{"a":3},"ha', '{"a":9},"ha')))
    await expect(openChainedLog(files, NAME)).rejects.toEqual(broken)
  })

  test('wherever the power went, in an append or in the sealing after it, what was told stays and the log goes on', async () => {
    const whole = await contents(await written({ a: 1 }, { a: 2 }))
    const first = whole.indexOf(0x0a) + 1
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: first, max: whole.length }),
        fc.integer({ min: 0, max: 400 }),
        async (cut, cutAgain) => {
          const torn = memoryFiles(new Map([[NAME, whole.slice(0, cut)]]))
          await openChainedLog(torn, NAME)
          const sealed = await contents(torn)
          const end = Math.min(sealed.length, cut + cutAgain)
          const again = memoryFiles(new Map([[NAME, sealed.slice(0, end)]]))
          const log = await openChainedLog(again, NAME)
          await log.append({ a: 'after' })
          const entries = (await log.entries()).map((line) => line.entry)
          expect(entries[0]).toEqual({ a: 1 })
          expect(entries.at(-1)).toEqual({ a: 'after' })
          expect(entries.length).toBe(cut >= whole.length - 1 ? 3 : 2)
          expect(Buffer.from(await contents(again)).subarray(0, end)).toEqual(Buffer.from(sealed.slice(0, end)))
        },
      ),
    )
  })

  test('a write that failed half way does not spoil the next one of the same process', async () => {
    const files = memoryFiles()
    const log = await openChainedLog(files, NAME)
    await log.append({ a: 1 })
    const failing = files.append
    files.append = async (name, bytes) => {
      await failing(name, bytes.subarray(0, 10))
      throw new Error('disk full')
    }
    await expect(log.append({ a: 2 })).rejects.toThrow('disk full')
    files.append = failing
    await log.append({ a: 3 })
    expect((await log.entries()).map((line) => line.entry)).toEqual([{ a: 1 }, { a: 3 }])
  })
})

describe('a signed log', () => {
  const sign = (bytes: Uint8Array) => Uint8Array.of(bytes.length % 251, 7)
  const verify = (bytes: Uint8Array, signature: Uint8Array) =>
    Buffer.compare(signature, Uint8Array.of(bytes.length % 251, 7)) === 0

  test('is read by who can verify it, torn lines included', async () => {
    const files = memoryFiles()
    const log = await openChainedLog(files, NAME, { sign, verify })
    await log.append({ a: 1 })
    await files.append(NAME, Buffer.from('{"ent'))
    expect((await openChainedLog(files, NAME, { sign, verify })).head().count).toBe(2)
  })

  test('is refused when a line has no signature or that of another', async () => {
    const files = await written({ a: 1 })
    await expect(openChainedLog(files, NAME, { sign, verify })).rejects.toEqual(broken)
    const signed = memoryFiles()
    await (await openChainedLog(signed, NAME, { sign })).append({ a: 1 })
    await expect(openChainedLog(signed, NAME, { verify: () => false })).rejects.toEqual(broken)
  })
})
