// `ppn audit verify` in front of a state folder, and of lines that somebody collected.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { auditStream } from '../../authority/audit-stream.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { silentLogger } from '../../base/log.ts'
import { openSegmentedLog } from '../../base/segmented-log.ts'
import { memoryStore } from '../../stores/memory/store.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { Io } from '../io.ts'
import { recording } from '../testing/listening.ts'
import { auditVerify } from './audit.ts'

let state: string
let typed = ''
beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), 'ppn-audit-'))
})
afterEach(() => rmSync(state, { recursive: true }))

async function verify(files: string[] = [], options: object = {}) {
  const said = { out: '', err: '' }
  const io = { ...recording(said), env: {}, cwd: state, clock: virtualClock(), stdin: async () => typed }
  const code = await auditVerify(io as unknown as Io, files, files.length > 0 ? options : { state, ...options })
  return { code, ...said }
}
const entry = (n: number) => ({ kind: 'command', op: 'PING', n })

/** Several segments of it. */
async function inFolder(lines: number): Promise<void> {
  const log = await openSegmentedLog(diskFiles(state), 'audit.jsonl', { segmentBytes: 400 })
  for (let n = 1; n <= lines; n++) await log.appendAll([entry(n)])
}
const change = (file: string, by: (text: string) => string) =>
  writeFileSync(join(state, file), by(readFileSync(join(state, file), 'utf8')))

test('a folder: nothing yet, all segments sound, or the file and the line', async () => {
  expect(await verify()).toEqual({ code: 0, out: 'nothing was audited yet\n', err: '' })
  await inFolder(6)
  expect(readdirSync(state).length).toBeGreaterThan(2)
  const { code, out } = await verify()
  expect(code).toBe(0)
  expect(out).toMatch(/^audit\.jsonl, audit-000002\.jsonl, .*: 6 lines, sound, head [0-9a-f]{16}\n$/)
  expect(JSON.parse((await verify([], { output: 'json' })).out)).toMatchObject({ sound: true, lines: 6 })
  change('audit-000002.jsonl', (text) => text.replace('PING', 'PONG'))
  expect(await verify()).toEqual({
    code: 1,
    out: 'audit-000002.jsonl, line 1: is not what its hash was taken of [Changed]\n',
    err: '',
  })
  expect(JSON.parse((await verify([], { output: 'json' })).out)).toMatchObject({ sound: false })
  rmSync(join(state, 'audit-000002.jsonl'))
  expect((await verify()).code).toBe(1)
})

test('lines out of pods: one killed, another going on, words of a log between them', async () => {
  const clock = virtualClock()
  const { records } = memoryStore({ clock, random: seededRandom(1), log: silentLogger() })
  const stop = new AbortController()
  const lines: string[] = []
  const replica = (instance: string) =>
    auditStream(
      {
        ...{ records, clock, log: silentLogger(), instance },
        write: async (bytes) => void lines.push(...Buffer.from(bytes).toString('utf8').trimEnd().split('\n')),
      },
      stop.signal,
    )
  const first = replica('pod-a')
  await first.appendAll([1, 2, 3].map(entry))
  await first.checkpoint()
  // Killed, with a line that no recorded head knows of.
  await first.appendAll([entry(4)])
  const second = replica('pod-b')
  await second.appendAll([5, 6].map(entry))
  await second.checkpoint()
  stop.abort()

  typed = ['{"level":"info","msg":"the authority leads"}', ...lines.toReversed(), ''].join('\n')
  const head = JSON.stringify(records.get('audit/head')?.value)
  const { code, out } = await verify(['-'], { head })
  expect(code).toBe(0)
  expect(out).toMatch(/^lines 1 to 5: 6, sound, head [0-9a-f]{16}\n/)
  expect(out).toContain('after line 3 went on pod-b, and pod-a: all but one were killed by then\n')
  expect(out).toContain('1 lines are of something else\n')

  // The last ones were never collected, one in between was lost, and one was changed.
  writeFileSync(join(state, 'a.log'), `${lines[0]}\n${lines[2]?.replace('PING', 'PONG')}\n`)
  const broken = await verify(['a.log'], { head })
  expect(broken.code).toBe(1)
  expect(broken.out).toContain('line 2 is missing [Missing]\n')
  expect(broken.out).toContain('line 3 is not what its hash was taken of [Changed]\n')
  expect(broken.out).toContain('line 5 is the recorded head, and is not here [Missing]\n')
  writeFileSync(join(state, 'late.log'), `${lines[1]}\n`)
  expect((await verify(['late.log'])).out).toContain('what came before line 2 is not here\n')
})

test('nothing to look through, a head that is none, and a file that is not there', async () => {
  typed = 'no audit\n'
  expect(await verify(['-'])).toMatchObject({ code: 1, out: 'there is no line of an audit\n' })
  await expect(verify(['-'], { head: 'abc' })).rejects.toThrow('--head: abc is no head')
  await expect(verify([], { head: '0'.repeat(64) })).rejects.toThrow('--head goes with collected lines')
  await expect(verify([], { state: join(state, 'none') })).rejects.toThrow('no fleet has run')
  await expect(verify(['nothing.log'])).rejects.toThrow('cannot be read')
})
