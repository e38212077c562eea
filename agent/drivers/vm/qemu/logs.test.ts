import {
  appendFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LOG_LIMIT_BYTES, lastWordsOf, trimLog } from './logs.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'ppn-logs-'))
  file = path.join(folder, 'log')
})
afterEach(() => rmSync(folder, { recursive: true }))

test('a log within its limit stays', async () => {
  writeFileSync(file, 'x'.repeat(LOG_LIMIT_BYTES))
  await trimLog(file)
  expect(statSync(file).size).toBe(LOG_LIMIT_BYTES)
})

test('a log over its limit becomes the one before, and who holds it open writes on from its beginning', async () => {
  const held = openSync(file, 'a')
  writeSync(held, 'old '.repeat(LOG_LIMIT_BYTES))
  await trimLog(file)
  writeSync(held, 'new')
  expect(readFileSync(file, 'utf8')).toBe('new')
  expect(readFileSync(`${file}.1`, 'utf8').slice(0, 8)).toBe('old old ')
})

test('no log is no error', async () => {
  await trimLog(file)
  expect(await lastWordsOf(file)).toBe('')
})

test('last words are short and whole lines', async () => {
  writeFileSync(file, 'qemu: no such disk\n')
  expect(await lastWordsOf(file)).toBe('qemu: no such disk\n')
  appendFileSync(file, `${'y'.repeat(400)}\n${'z'.repeat(400)}\n`)
  expect(await lastWordsOf(file)).toBe(`${'z'.repeat(400)}\n`)
})
