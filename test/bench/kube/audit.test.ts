import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { askedBy, auditTail, countAsked } from './audit.ts'

const line = (change: object = {}) =>
  JSON.stringify({
    ...{ stage: 'ResponseComplete', verb: 'patch', userAgent: 'bench-ppn' },
    stageTimestamp: '2026-11-21T20:00:01.250000Z',
    objectRef: { resource: 'archives', name: 'a-1', subresource: 'status' },
    responseStatus: { code: 200 },
    ...change,
  })

test('a line says who asked for what, and when it was answered', () => {
  expect(askedBy(line())).toEqual({
    ...{ agent: 'bench-ppn', what: 'patch status', name: 'a-1', status: 200 },
    endedMs: Date.UTC(2026, 10, 21, 20, 0, 1, 250),
  })
})

test('a watch counts once, at its beginning; what is about no resource does not count', () => {
  const watch = { verb: 'watch', objectRef: { resource: 'archives' } }
  expect(askedBy(line({ ...watch, stage: 'ResponseStarted' }))?.what).toBe('watch')
  expect(askedBy(line(watch))).toBeUndefined()
  expect(askedBy(line({ objectRef: undefined }))).toBeUndefined()
})

test('requests are counted by what was asked', () => {
  const asked = [line(), line(), line({ verb: 'list', objectRef: { resource: 'archives' } })].map((l) => askedBy(l)!)
  expect(countAsked(asked)).toEqual({ 'patch status': 2, list: 1 })
})

test('the tail begins at the end, joins half lines and follows the log into its next file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ppn-audit-'))
  try {
    const file = join(folder, 'audit.log')
    writeFileSync(file, `${line({ objectRef: { resource: 'archives', name: 'before' } })}\n`)
    const tail = auditTail(file)
    const names = () => tail.take('bench-ppn').map(({ name }) => name)
    const named = (name: string, agent = 'bench-ppn/1') =>
      line({ userAgent: agent, objectRef: { resource: 'archives', name } })
    expect(names()).toEqual([])
    const half = named('b').length / 2
    appendFileSync(file, `${named('a')}\n${named('b').slice(0, half)}`)
    expect(names()).toEqual(['a'])
    appendFileSync(file, `${named('b').slice(half)}\n${named('c', 'kubectl')}\n`)
    expect(names()).toEqual(['b'])
    appendFileSync(file, `${named('d')}\n`)
    renameSync(file, join(folder, 'audit-1.log'))
    writeFileSync(file, `${named('e')}\n`)
    expect(names()).toEqual(['d', 'e'])
    tail.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
