import { expect, test } from 'vitest'
import { openChainedLog } from '../base/chained-log.ts'
import { silentLogger } from '../base/log.ts'
import { memoryFiles } from '../testing/memory-files.ts'
import { virtualClock } from '../testing/virtual-clock.ts'
import { AUDIT_FILE, AUDIT_GROUP_MS, auditTo } from './audit.ts'

async function setUp() {
  const files = memoryFiles()
  const clock = virtualClock()
  let writes = 0
  const { append } = files
  files.append = (name, bytes) => {
    writes++
    return append(name, bytes)
  }
  const log = await openChainedLog(files, AUDIT_FILE)
  const audit = auditTo({ log, clock, logger: silentLogger() })
  return { files, clock, log, audit, writes: () => writes }
}

test('the lines of one moment become durable together, in order, chained', async () => {
  const { clock, log, audit, writes } = await setUp()
  for (let i = 0; i < 254; i++) audit.record('command', { node: `n${i}` })
  await clock.advance(AUDIT_GROUP_MS)
  expect(writes()).toBe(1)
  const entries = (await log.entries()).map((line) => line.entry)
  expect(entries.map((entry) => entry.node)).toEqual(Array.from({ length: 254 }, (_, i) => `n${i}`))
  expect(entries[0]).toEqual({ kind: 'command', node: 'n0', at: '2026-01-01T00:00:00.000Z' })
})

test('a durable line and all before it are there when it resolves', async () => {
  const { log, audit } = await setUp()
  audit.record('command', { node: 'a' })
  await audit.durable('command', { op: 'SEVER', node: 'b' })
  expect((await log.entries()).map((line) => line.entry.node)).toEqual(['a', 'b'])
})

test('a durable line that cannot be written says so', async () => {
  const { files, audit } = await setUp()
  files.failWrites(new Error('disk full'))
  await expect(audit.durable('command', { node: 'a' })).rejects.toThrow('disk full')
})

test('what could not be written is kept and written later', async () => {
  const { files, clock, log, audit } = await setUp()
  files.failWrites(new Error('disk full'))
  audit.record('command', { node: 'a' })
  await clock.advance(1_000)
  audit.record('command', { node: 'b' })
  files.failWrites(undefined)
  await clock.advance(1_000)
  expect((await log.entries()).map((line) => line.entry.node)).toEqual(['a', 'b'])
})
