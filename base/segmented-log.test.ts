import { expect, test } from 'vitest'
import { memoryFiles } from '../testing/memory-files.ts'
import { openSegmentedLog, segmentsAmong } from './segmented-log.ts'

const NAME = 'audit.jsonl'
const SMALL = { segmentBytes: 500 }

/** Nine lines over several segments. */
async function written() {
  const disk = new Map<string, Uint8Array>()
  const log = await openSegmentedLog(memoryFiles(disk), NAME, SMALL)
  for (let i = 0; i < 9; i++) await log.appendAll([{ i, text: 'x'.repeat(60) }])
  return { disk, log }
}

test('one chain goes through all segments, and every one is verified', async () => {
  const { disk, log } = await written()
  expect([...disk.keys()].sort()).toEqual(['audit-000002.jsonl', 'audit-000003.jsonl', 'audit.jsonl'])
  expect(log.head().count).toBe(9)
  expect(await log.verify()).toEqual(log.head())
})

test('a start reads the last segment alone, and goes on from it', async () => {
  const { disk, log } = await written()
  const read: string[] = []
  const files = memoryFiles(disk)
  const watched = {
    ...files,
    read(name: string) {
      read.push(name)
      return files.read(name)
    },
  }
  const again = await openSegmentedLog(watched, NAME, SMALL)
  expect(new Set(read)).toEqual(new Set(['audit-000003.jsonl']))
  expect(again.head()).toEqual(log.head())
  expect((await again.appendAll([{ i: 9 }])).count).toBe(10)
  expect((await again.verify()).count).toBe(10)
})

test('a changed line, a segment taken out and one cut short at its end are found by verify', async () => {
  const changes: ((disk: Map<string, Uint8Array>) => void)[] = [
    (disk) => {
      const bytes = disk.get('audit.jsonl') as Uint8Array
      disk.set('audit.jsonl', Buffer.from(Buffer.from(bytes).toString().replace('"i":0', '"i":7')))
    },
    (disk) => void disk.delete('audit-000002.jsonl'),
    (disk) => {
      const text = Buffer.from(disk.get('audit.jsonl') as Uint8Array).toString()
      disk.set('audit.jsonl', Buffer.from(text.slice(0, text.lastIndexOf('{'))))
    },
  ]
  for (const change of changes) {
    const { disk, log } = await written()
    change(disk)
    await expect(log.verify()).rejects.toMatchObject({ code: 'ChainBroken' })
  }
})

test('a crash in the first write of a segment is sealed there, and the chain goes on', async () => {
  const { disk, log } = await written()
  disk.set('audit-000004.jsonl', Buffer.from('{"entry":{"i":9},"ha'))
  const again = await openSegmentedLog(memoryFiles(disk), NAME, SMALL)
  expect(again.head().count).toBe(log.head().count + 1)
  await again.appendAll([{ i: 10 }])
  expect((await again.verify()).count).toBe(11)
})

test('segments are told from other files, and counted in order', () => {
  expect(
    segmentsAmong(['audit-000010.jsonl', 'audit-000002.jsonl', 'audit-x.jsonl', 'audit.jsonl', 'b.jsonl'], NAME),
  ).toEqual(['audit.jsonl', 'audit-000002.jsonl', 'audit-000010.jsonl'])
})
