import { beforeEach, describe, expect, test } from 'vitest'
import { lengthFrame } from '../../base/length-frames.ts'
import { systemRandom } from '../../base/random.ts'
import type { Connection } from '../../base/transport.ts'
import { generateEd25519 } from '../../protocol/keys.ts'
import { encodeClaim, signGrant } from '../../protocol/pairing/claim-frame.ts'
import { initiate } from '../../protocol/pairing/initiator.ts'
import { encodeMessage, MESSAGE } from '../../protocol/pairing/wire.ts'
import { memoryNetwork } from '../../testing/memory-network.ts'
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts'
import {
  type AnsweredClaim,
  ATTEMPT_EVERY_MS,
  DEADLINE_MS,
  type EndpointOptions,
  type HoldingEndpoint,
  holdingEndpoint,
  OPEN_AT_MOST,
} from './endpoint.ts'

const NODE = '192.0.2.7'
const PORT = 9443
const CODE = '7K2M-Q4TX'
const authority = generateEd25519(systemRandom)
const operator = generateEd25519(systemRandom)

let clock: VirtualClock
let network: ReturnType<typeof memoryNetwork>
let endpoint: HoldingEndpoint
let answered: AnsweredClaim[]
let hangUp: (() => void)[]

async function hold(over: Partial<EndpointOptions> = {}): Promise<void> {
  clock = virtualClock()
  network = memoryNetwork(clock)
  answered = []
  hangUp = []
  endpoint = holdingEndpoint({
    clock,
    random: systemRandom,
    code: CODE,
    // What the ceremony does first, and then whatever the test wants.
    converse: (claim) => {
      answered.push(claim)
      claim.connection.stream.write(lengthFrame(claim.send))
      return new Promise((resolve) => {
        claim.connection.stream.on('close', resolve)
        hangUp.push(resolve)
      })
    },
    ...over,
  })
  await network.transport().listen(NODE, PORT, endpoint.accept)
}
beforeEach(() => hold())

interface Caller {
  connection: Connection
  /** Bytes that came. */
  heard: () => number
  /** Milliseconds after the connection was accepted at which it ended. */
  endedAfterMs: () => number | undefined
}

async function call(from = '198.51.100.9', ...pieces: Uint8Array[]): Promise<Caller> {
  let heard = 0
  let endedMs: number | undefined
  let startedMs = 0
  const made = network.transport().connect(from, NODE, PORT, new AbortController().signal)
  await clock.settle()
  const connection = await made
  startedMs = clock.monotonic()
  connection.stream.on('data', (chunk: Uint8Array) => {
    heard += chunk.length
  })
  const ended = () => {
    endedMs ??= clock.monotonic() - startedMs
  }
  connection.stream.on('end', ended)
  connection.stream.on('close', ended)
  for (const piece of pieces) {
    connection.stream.write(piece)
    await clock.settle()
  }
  return { connection, heard: () => heard, endedAfterMs: () => endedMs }
}

const hello = (code = CODE, purpose: 'claim' | 'join' = 'claim') =>
  initiate({ purpose, selector: 'ABCD', code, random: systemRandom }).hello
const claimFrame = (body = hello(), grant?: Uint8Array) => lengthFrame(encodeClaim(authority.publicKey, body, grant))
const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte)
/** A share that is no element of the group. */
const badShare = () => {
  const frame = claimFrame()
  frame.fill(0xff, frame.length - 32)
  return frame
}
const CLASSES: Record<string, () => Uint8Array[]> = {
  nothing: () => [],
  'one byte': () => [Uint8Array.of(0)],
  'an HTTP request': () => [new TextEncoder().encode('GET / HTTP/1.1\r\nHost: node\r\n\r\n')],
  'a TLS ClientHello': () => [Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...filled(502, 7))],
  'an SSH banner': () => [new TextEncoder().encode('SSH-2.0-OpenSSH_9.2\r\n')],
  'a HELLO without a claim': () => [lengthFrame(hello())],
  SHARE: () => [lengthFrame(encodeMessage(MESSAGE.SHARE, filled(32, 1)))],
  CONFIRM: () => [lengthFrame(encodeMessage(MESSAGE.CONFIRM, filled(64, 1)))],
  ANSWER: () => [lengthFrame(encodeMessage(MESSAGE.ANSWER, filled(64, 1)))],
  REVEAL: () => [lengthFrame(encodeMessage(MESSAGE.REVEAL, filled(48, 1)))],
  DATA: () => [lengthFrame(encodeMessage(MESSAGE.DATA, filled(64, 1)))],
  REFUSED: () => [lengthFrame(encodeMessage(MESSAGE.REFUSED))],
  'an empty frame': () => [lengthFrame(new Uint8Array(0))],
  'a length of 4 GiB': () => [filled(4, 0xff)],
  'a claim for joining': () => [claimFrame(hello(CODE, 'join'))],
  'a claim of another version': () => [claimFrame(hello().with(1, 2))],
  'a claim without its last byte': () => [claimFrame().subarray(0, -1)],
  'a claim with a byte too many': () => [Uint8Array.of(...claimFrame(), 0)],
  'two claims at once': () => [Uint8Array.of(...claimFrame(), ...claimFrame())],
  'a claim whose share is no element': () => [badShare()],
  'a megabyte of noise': () => [filled(1 << 20, 0x5a)],
  'noise, drop by drop': () => Array.from({ length: 50 }, () => systemRandom(3)),
}

describe('before a valid claim frame', () => {
  test.each(Object.keys(CLASSES))('%s: no byte, and the same deadline', async (name) => {
    const caller = await call(undefined, ...(CLASSES[name] as () => Uint8Array[])())
    await clock.advance(DEADLINE_MS - 1)
    expect(caller.endedAfterMs()).toBeUndefined()
    await clock.advance(1)
    expect(caller.endedAfterMs()).toBe(DEADLINE_MS)
    expect(caller.heard()).toBe(0)
    expect(answered).toEqual([])
  })

  test('a peer that closes its side first is told nothing either', async () => {
    const caller = await call(undefined, Uint8Array.of(1, 2, 3))
    caller.connection.stream.end()
    await clock.advance(DEADLINE_MS)
    expect([caller.heard(), caller.endedAfterMs()]).toEqual([0, DEADLINE_MS])
  })

  test('a claim that comes in pieces is a claim', async () => {
    const frame = claimFrame()
    await call(undefined, frame.subarray(0, 3), frame.subarray(3, 100), frame.subarray(100))
    expect(answered.length).toBe(1)
  })
})

describe('an image that holds an operator key', () => {
  beforeEach(() => hold({ operatorKey: operator.publicKey }))
  const other = generateEd25519(systemRandom)
  test.each([
    ['no signature', () => undefined],
    ['the signature of another operator', () => signGrant(authority.publicKey, other.secretKey)],
    ['a signature for another authority', () => signGrant(other.publicKey, operator.secretKey)],
    ['noise', () => systemRandom(64)],
  ])('%s: no byte, and the same deadline', async (_, grant) => {
    const caller = await call(undefined, claimFrame(hello(), grant()))
    await clock.advance(DEADLINE_MS)
    expect([caller.heard(), caller.endedAfterMs(), answered.length]).toEqual([0, DEADLINE_MS, 0])
  })

  test('its signature is answered', async () => {
    await call(undefined, claimFrame(hello(), signGrant(authority.publicKey, operator.secretKey)))
    expect(answered.length).toBe(1)
  })
})

describe('attempts', () => {
  test('one a minute over all sources; the others hear nothing and end at the same deadline', async () => {
    await call('198.51.100.1', claimFrame())
    await clock.advance(DEADLINE_MS)
    const early = await call('198.51.100.2', claimFrame())
    await clock.advance(ATTEMPT_EVERY_MS - DEADLINE_MS - 1)
    expect([early.heard(), early.endedAfterMs()]).toEqual([0, DEADLINE_MS])
    const almost = await call('198.51.100.3', claimFrame())
    expect(almost.heard()).toBe(0)
    await clock.advance(1)
    const next = await call('198.51.100.4', claimFrame())
    expect(next.heard()).toBeGreaterThan(0)
    expect(answered.length).toBe(2)
  })

  test('what was asked too early puts nothing off', async () => {
    await call('198.51.100.1', claimFrame())
    for (let s = 0; s < 60; s++) {
      await clock.advance(1_000)
      if (s < 59) await call('198.51.100.2', claimFrame())
    }
    await call('198.51.100.3', claimFrame())
    expect(answered.length).toBe(2)
  })

  test('an attempt that is answered and then silent ends at the deadline of every connection', async () => {
    const caller = await call(undefined, claimFrame())
    await clock.advance(DEADLINE_MS)
    expect(caller.endedAfterMs()).toBe(DEADLINE_MS)
  })

  test('whoever knows the code has all the time it needs, and the next one need not wait a minute', async () => {
    const caller = await call(undefined, claimFrame())
    answered[0]?.established()
    await clock.advance(20 * DEADLINE_MS)
    expect(caller.endedAfterMs()).toBeUndefined()
    const second = await call('198.51.100.2', claimFrame())
    expect(second.heard()).toBe(0)
    hangUp[0]?.()
    await clock.settle()
    await call('198.51.100.3', claimFrame())
    expect(answered.length).toBe(2)
  })

  test('months later the code is what it was: wrong attempts burn nothing', async () => {
    for (let week = 0; week < 12; week++) {
      await call('198.51.100.66', claimFrame(hello('0000-0000')))
      await clock.advance(7 * 86_400_000)
    }
    expect(answered.length).toBe(12)
    await call('198.51.100.1', claimFrame())
    expect(answered.length).toBe(13)
  })
})

test('a crowd keeps nobody out: beyond what is held, the oldest ends', async () => {
  const crowd = []
  for (let i = 0; i <= OPEN_AT_MOST; i++) crowd.push(await call(`198.51.100.${i + 1}`))
  expect(crowd[0]?.endedAfterMs()).toBe(0)
  expect(crowd[1]?.endedAfterMs()).toBeUndefined()
  await call('203.0.113.5', claimFrame())
  expect(answered.length).toBe(1)
})

test('the end of holding ends every connection, the claim under way too', async () => {
  const silent = await call('198.51.100.1')
  const claiming = await call('198.51.100.2', claimFrame())
  endpoint.end()
  await clock.settle()
  expect([silent.endedAfterMs(), claiming.endedAfterMs()]).toEqual([0, 0])
  expect(clock.pending()).toBe(0)
})
