import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { holdingCode } from '../../agent/genesis/holding-code.ts'
import { awaitAnswer, postQuestion, withdrawQuestion } from '../../agent/genesis/question.ts'
import { savePins } from '../../agent/keys/pins.ts'
import { diskFiles } from '../../base/disk-files.ts'
import type { Files } from '../../base/files.ts'
import { systemRandom } from '../../base/random.ts'
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts'
import type { Io } from '../io.ts'
import { holding } from './holding.ts'

const WITHIN_MS = 20_000
const QUESTION = { digits: '217078', nodeName: 'edge-3', authorityFingerprint: 'SHA256:abc', asked: true }
const id = 'a'.repeat(32)

let stateDir: string
let files: Files
let clock: VirtualClock
let input: PassThrough
let said: string
const stop = new AbortController()

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'ppn-holding-'))
  files = diskFiles(stateDir)
  clock = virtualClock()
  input = new PassThrough()
  said = ''
})
afterEach(() => rmSync(stateDir, { recursive: true }))

const run = (options: { once?: boolean } = {}) => {
  const say = (text: string) => {
    said += text
  }
  const io = { out: say, err: say, env: {}, cwd: stateDir, clock, signal: stop.signal } as unknown as Io
  return holding(io, { stateDir, ...options }, input)
}
async function until(done: () => boolean): Promise<void> {
  const deadline = Date.now() + WITHIN_MS
  while (!done()) {
    if (Date.now() > deadline) throw new Error(`never:\n${said}`)
    await clock.advance(50)
  }
}
const enrolled = () =>
  savePins(files, {
    ...{ meshId: id, nodeId: id, enrolmentId: id, operatorKey: 'A'.repeat(44) },
    trusted: [{ authorityId: id, signingPublicKey: 'A'.repeat(44) }],
  } as never)
/** What the agent hears. */
function listening(): { said: () => boolean | undefined } {
  let heard: boolean | undefined
  void awaitAnswer(files, clock, QUESTION.digits, stop.signal).then((same) => {
    heard = same
  })
  return { said: () => heard }
}

test.each([
  ['yes', true],
  ['n', false],
])('the digits are shown, and "%s" is brought to the agent', async (typed, same) => {
  const code = await holdingCode(files, systemRandom)
  const result = run()
  await until(() => said.includes(code))
  await postQuestion(files, QUESTION)
  const agent = listening()
  await until(() => said.includes('217 078') && said.includes('edge-3') && said.includes('SHA256:abc'))
  input.write(`what?\n${typed}\n`)
  await until(() => agent.said() !== undefined)
  expect(agent.said()).toBe(same)
  await withdrawQuestion(files, QUESTION.digits)
  await enrolled()
  let code0: number | undefined
  void result.then((exit) => {
    code0 = exit
  })
  await until(() => code0 !== undefined)
  expect(code0).toBe(0)
  expect(said).toContain('in a fleet now')
})

test('a line that is lost takes its question back; the next one is asked with its own digits', async () => {
  await holdingCode(files, systemRandom)
  void run().catch(() => {})
  await postQuestion(files, QUESTION)
  await until(() => said.includes('217 078'))
  await withdrawQuestion(files, QUESTION.digits)
  await until(() => said.includes('the line was lost'))
  await postQuestion(files, { ...QUESTION, digits: '111222' })
  await until(() => said.includes('111 222'))
})

test('--once shows the code and the digits there are, and asks nothing', async () => {
  const code = await holdingCode(files, systemRandom)
  await postQuestion(files, { ...QUESTION, asked: false })
  expect(await run({ once: true })).toBe(0)
  expect(said).toContain(code)
  expect(said).toContain('217078')
  expect(said).not.toContain('yes or no')
})

test('a machine that does not hold says so; one in a fleet shows no code', async () => {
  await expect(run()).rejects.toThrow('does not hold')
  const code = await holdingCode(files, systemRandom)
  await enrolled()
  expect(await run()).toBe(0)
  expect(said).not.toContain(code)
})
