// `ppn join` as far as it goes without an authority; with one: test/system/join.test.ts.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join as path } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { initAgentKeys, publicHalves } from '../../agent/keys/agent-keys.ts'
import { savePins } from '../../agent/keys/pins.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { systemRandom } from '../../base/random.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { Io } from '../io.ts'
import { recording } from '../testing/listening.ts'
import { join } from './join.ts'

const ID = 'a'.repeat(32)
const PINS = {
  meshId: ID,
  nodeId: ID,
  enrolmentId: ID,
  operatorKey: Buffer.alloc(32).toString('base64'),
  trusted: [{ authorityId: ID, signingPublicKey: Buffer.alloc(32).toString('base64') }],
}

let stateDir: string
let calls: number
let silent: boolean
let authority: Server
let address: string
const stop = () => new AbortController()
beforeEach(async () => {
  stateDir = mkdtempSync(path(tmpdir(), 'ppn-join-'))
  calls = 0
  silent = false
  // Picks up and hangs up: no Pairing, as far as the machine can tell.
  authority = createServer((socket) => {
    calls++
    socket.on('error', () => {})
    if (silent) socket.resume()
    else socket.destroy()
  })
  await new Promise<void>((resolve) => authority.listen(0, '127.0.0.1', resolve))
  address = `127.0.0.1:${(authority.address() as { port: number }).port}`
})
afterEach(async () => {
  await new Promise((resolve) => authority.close(resolve))
  rmSync(stateDir, { recursive: true })
})

function seated(over: Partial<Io> = {}) {
  const said = { out: '', err: '' }
  const stopping = stop()
  const clock = virtualClock()
  const io = {
    ...recording(said),
    env: { LANG: 'C.UTF-8' },
    color: false,
    columns: () => 80,
    clock,
    signal: stopping.signal,
    ...over,
  } as unknown as Io
  return { io, said, stopping, clock }
}
const until = async (clock: ReturnType<typeof virtualClock>, done: () => boolean) => {
  for (const deadline = Date.now() + 20_000; !done(); ) {
    if (Date.now() > deadline) throw new Error('it did not come to that')
    await clock.advance(500)
  }
}

test('it shows one code and calls until somebody answers to it; stopped, it says that nothing happened', async () => {
  const { io, said, stopping, clock } = seated()
  const result = join(io, address, { stateDir }, new PassThrough())
  await until(clock, () => calls >= 3)
  expect(said.err.match(/rendezvous {6}\S \S \S \S\n {6}code {12}\S \S \S \S - \S \S \S \S\n/g)?.length).toBe(1)
  stopping.abort(new Error('stopped by SIGINT'))
  expect(await result).toBe(1)
  expect(said.err).toContain('stopped: this machine has not joined')
  expect(said.out).toBe('')
})

test('ten minutes later it shows another code', async () => {
  silent = true
  const { io, said, stopping, clock } = seated()
  const result = join(io, address, { stateDir }, new PassThrough())
  await until(clock, () => calls >= 1)
  for (let minute = 0; minute < 10; minute++) await clock.advance(60_000)
  await until(clock, () => (said.err.match(/rendezvous/g)?.length ?? 0) === 2)
  const codes = said.err.match(/code .*/g)
  expect(codes?.[0]).not.toBe(codes?.[1])
  stopping.abort(new Error('stopped'))
  expect(await result).toBe(1)
})

test('a terminal that can has large symbols and a QR code', async () => {
  const { io, said, stopping, clock } = seated({ color: true })
  const result = join(io, address, { stateDir }, new PassThrough())
  await until(clock, () => calls >= 1)
  expect(said.err).toContain('█')
  expect(said.err).toContain('\u001b[30;47;107m')
  stopping.abort(new Error('stopped'))
  await result
})

test('its keys are made once and kept for the next call, and nothing is believed yet', async () => {
  const made: string[] = []
  for (let i = 0; i < 2; i++) {
    const { io, stopping, clock } = seated()
    const result = join(io, address, { stateDir }, new PassThrough())
    await until(clock, () => calls > i)
    stopping.abort(new Error('stopped'))
    await result
    made.push(publicHalves(await initAgentKeys(diskFiles(stateDir), systemRandom)).wireguardPublicKey)
  }
  expect(made[0]).toBe(made[1])
  const names = readdirSync(stateDir, { recursive: true }).map(String)
  expect(names.some((name) => name.includes('pins'))).toBe(false)
})

test('a machine that is in a fleet does not join another one; an address that is none is refused first', async () => {
  const { io } = seated()
  await expect(join(io, 'http://relay', { stateDir }, new PassThrough())).rejects.toMatchObject({
    code: 'BadPairingAddress',
  })
  await savePins(diskFiles(stateDir), PINS)
  await expect(join(io, address, { stateDir }, new PassThrough())).rejects.toMatchObject({
    message: 'this machine is in a fleet already',
  })
  expect(calls).toBe(0)
})
