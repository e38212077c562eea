import { expect, test } from 'vitest'
import { inspectChain } from '../base/chained-log.ts'
import { silentLogger } from '../base/log.ts'
import { memoryStore } from '../stores/memory/store.ts'
import { seededRandom } from '../testing/seeded-random.ts'
import { virtualClock } from '../testing/virtual-clock.ts'
import { AUDIT_HEAD_RECORD, auditStream, CHECKPOINT_MS } from './audit-stream.ts'

function setUp() {
  const clock = virtualClock()
  const { records } = memoryStore({ clock, random: seededRandom(1), log: silentLogger() })
  const out: Uint8Array[] = []
  const fail: { error?: Error } = {}
  const open = (instance: string, life = new AbortController()) =>
    auditStream(
      {
        ...{ records, clock, instance, log: silentLogger() },
        async write(bytes) {
          if (fail.error) throw fail.error
          out.push(bytes)
        },
      },
      life.signal,
    )
  const recorded = () => records.get(AUDIT_HEAD_RECORD)?.value
  return { clock, records, out, open, recorded, fail, text: () => Buffer.concat(out) }
}

test('lines are one chain, each with the name of who wrote it; another process goes on from the head recorded', async () => {
  const { open, text, recorded } = setUp()
  const first = open('pod-a')
  await first.appendAll([{ kind: 'term', term: 1 }, { kind: 'command' }])
  await first.checkpoint()
  expect(recorded()).toEqual(first.head())
  await open('pod-b').appendAll([{ kind: 'term', term: 2 }])
  const { lines, fault } = inspectChain(text(), 'audit', {})
  expect(fault).toBeUndefined()
  expect(lines.map(({ n, entry }) => [n, entry.kind, entry.instance])).toEqual([
    [1, 'term', 'pod-a'],
    [2, 'command', 'pod-a'],
    [3, 'term', 'pod-b'],
  ])
})

test('a line that somebody took out of the stream shows', async () => {
  const { open, out } = setUp()
  const stream = open('pod-a')
  for (const kind of ['term', 'command', 'refusal']) await stream.appendAll([{ kind }])
  const report = inspectChain(Buffer.concat([out[0] as Uint8Array, out[2] as Uint8Array]), 'audit', {})
  expect(report.fault).toMatchObject({ line: 2, fault: 'OutOfOrder' })
})

test('the head is recorded half a minute after a line, once for many; a calm fleet writes nothing', async () => {
  const { clock, open, recorded, records } = setUp()
  const stream = open('pod-a')
  for (let i = 0; i < 10; i++) {
    await stream.appendAll([{ kind: 'command', i }])
    await clock.advance(1_000)
  }
  expect(recorded()).toBeUndefined()
  await clock.advance(CHECKPOINT_MS)
  expect(recorded()).toEqual(stream.head())
  const version = records.get(AUDIT_HEAD_RECORD)?.version
  await clock.advance(10 * CHECKPOINT_MS)
  await stream.checkpoint()
  expect(records.get(AUDIT_HEAD_RECORD)?.version).toBe(version)
})

test('what could not be written is no line: the next one takes its number', async () => {
  const { open, fail, text } = setUp()
  const stream = open('pod-a')
  fail.error = new Error('broken pipe')
  await expect(stream.appendAll([{ kind: 'command' }])).rejects.toThrow('broken pipe')
  delete fail.error
  await stream.appendAll([{ kind: 'refusal' }])
  expect(inspectChain(text(), 'audit', {}).lines.map(({ n, entry }) => [n, entry.kind])).toEqual([[1, 'refusal']])
})
