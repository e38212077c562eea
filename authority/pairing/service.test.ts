// Strangers at the pairing port: what each may cost, and for how long.
import { duplexPair } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import { lengthFrame } from '../../base/length-frames.ts'
import { silentLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import type { Connection, Transport } from '../../base/transport.ts'
import { encodeNodeMessage } from '../../protocol/pairing/ceremony.ts'
import { initiate } from '../../protocol/pairing/initiator.ts'
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts'
import type { Desk } from './desk.ts'
import { GATE } from './gate.ts'
import { startPairingService } from './service.ts'

const SECRET = { rendezvous: 'A1B2', code: 'K70F-2M11' }
const key = (fill: number) => Buffer.alloc(32, fill).toString('base64')
const identity: NodeIdentity = { wireguardPublicKey: key(1), commandPublicKey: key(2), signingPublicKey: key(3) }

let clock: VirtualClock
let stop: AbortController
let accept: (connection: Connection) => void
let counted: string[]
let failures: string[]
/** Lines in the log that anybody would see. */
let logged: string[]

beforeEach(async () => {
  clock = virtualClock()
  stop = new AbortController()
  counted = []
  failures = []
  logged = []
  const desk = {
    find: (rendezvous: string) =>
      rendezvous === SECRET.rendezvous ? { uid: 'u', nodeName: 'laptop', code: SECRET.code } : undefined,
    countFailure: (uid: string) => failures.push(uid),
    take: () => true,
    drawDigits: () => true,
    giveDigitsBack: () => {},
    offered: () => {},
    answered: () => {},
    hungUp: () => {},
  } as unknown as Desk
  const transport = {
    listen: async (_address: string, _port: number, onConnection: typeof accept) => {
      accept = onConnection
      return { close: async () => {} }
    },
  } as unknown as Transport
  const log = { ...silentLogger(), info: (_: object, text: string) => logged.push(text), debug: () => {} }
  await startPairingService(
    {
      ...{ transport, clock, desk, address: '::', port: 9202, random: systemRandom, authorityFingerprint: 'SHA256:x' },
      log: log as never,
      metrics: { count: (_name: string, label: string) => counted.push(label) } as never,
      firstBundle: () => new Promise(() => {}),
    },
    stop.signal,
  )
  logged.length = 0
})
afterEach(() => stop.abort())

/** Somebody calls from `from`. */
function call(from: string) {
  const [ours, theirs] = duplexPair()
  let destroyed = false
  const heard: number[] = []
  ours.on('data', (bytes: Buffer) => heard.push(...bytes))
  accept({
    stream: theirs,
    remoteAddress: from,
    destroy: () => {
      destroyed = true
      theirs.destroy()
    },
  })
  return { say: (bytes: Uint8Array) => ours.write(bytes), hangUp: () => ours.end(), heard, gone: () => destroyed }
}
const hello = (code = SECRET.code, selector = SECRET.rendezvous) =>
  initiate({ purpose: 'join', selector, code, random: systemRandom })
/** The first message behind its length. */
const greeting = () => lengthFrame(hello().hello)
const address = (n: number) => `192.0.${n >> 8}.${n & 255}`

test('whoever says nothing is gone after ten seconds, at once and without a byte', async () => {
  const caller = call('192.0.2.1')
  await clock.advance(GATE.handshakeMs - 1)
  expect(caller.gone()).toBe(false)
  await clock.advance(1)
  expect(caller.gone()).toBe(true)
  expect(caller.heard).toEqual([])
  expect(counted).toEqual(['TooSlow'])
})

test('whoever says its first message a byte at a time has ten seconds from the first byte', async () => {
  const caller = call('192.0.2.1')
  const bytes = greeting()
  for (let i = 0; i < 30; i++) {
    caller.say(bytes.subarray(i, i + 1))
    await clock.advance(900)
  }
  expect(caller.gone()).toBe(true)
  expect(counted).toEqual(['TooSlow'])
})

test('a length over the limit ends it before anything of that length is read', async () => {
  const caller = call('192.0.2.1')
  caller.say(Uint8Array.of(0, 0, 0, 97))
  await clock.settle()
  expect(caller.gone()).toBe(true)
  expect(counted).toEqual(['FrameTooLong'])
})

test('a wrong code is told nothing but no, counted against its Pairing, and does not stay', async () => {
  const caller = call('192.0.2.1')
  const { hello: first, handshake } = hello('0000-0000')
  caller.say(lengthFrame(first))
  await clock.settle()
  caller.say(lengthFrame(handshake.receive(Uint8Array.from(caller.heard.splice(0)).subarray(4)).send as Uint8Array))
  await clock.settle()
  expect(caller.heard).toEqual([0, 0, 0, 1, 7])
  expect(failures).toEqual(['u'])
  expect(counted).toEqual(['NotConfirmed'])
  expect(logged).toEqual(['a pairing connection ended'])
  await clock.advance(2_000)
  expect(caller.gone()).toBe(true)
})

test('thousands of silent ones cost a room of fixed size, and no line of the log', async () => {
  const crowd = Array.from({ length: 3_000 }, (_, i) => call(address(i)))
  await clock.settle()
  expect(crowd.filter((caller) => !caller.gone()).length).toBe(GATE.waiting)
  expect(counted.length).toBe(3_000 - GATE.waiting)
  expect(logged).toEqual([])
  const honest = call('198.51.100.1')
  honest.say(greeting())
  await clock.settle()
  for (let i = 0; i < 3_000; i++) call(address(i + 5_000))
  await clock.settle()
  expect(honest.gone()).toBe(false)
  expect(honest.heard.length).toBe(4 + 33)
})

test('the fifth connection of a source, and a first message too many, are turned away and counted', async () => {
  const callers = Array.from({ length: 5 }, () => call('192.0.2.1'))
  expect(callers.map((caller) => caller.gone())).toEqual([false, false, false, false, true])
  expect(counted).toEqual(['TooManyFromSource'])
  const about = lengthFrame(hello(SECRET.code, 'ZZZZ').hello)
  for (let n = 0; n < 2 * GATE.strayHellosPerSecond + 3; n++) call(address(n)).say(about)
  await clock.settle()
  expect(counted.filter((why) => why === 'TooFast').length).toBe(3)
  // Who was shown the rendezvous of an open ceremony is answered all the same.
  const honest = call('198.51.100.1')
  honest.say(greeting())
  await clock.settle()
  expect(honest.heard.length).toBe(4 + 33)
})

test('one that hung up leaves its place; the end of the service ends all', async () => {
  const first = call('192.0.2.1')
  first.hangUp()
  await clock.settle()
  expect(counted).toEqual(['HungUp'])
  const silent = call('192.0.2.1')
  const greeted = call('192.0.2.2')
  greeted.say(greeting())
  await clock.settle()
  stop.abort()
  await clock.settle()
  expect(silent.gone()).toBe(true)
  await clock.advance(2_000)
  expect(greeted.gone()).toBe(true)
})

test('a machine that confirmed the code is no stranger: only its silence ends it', async () => {
  const caller = call('192.0.2.1')
  const { hello: first, handshake } = hello()
  const answer = async () => {
    while (caller.heard.length === 0) await clock.settle()
    return handshake.receive(Uint8Array.from(caller.heard.splice(0)).subarray(4)).send as Uint8Array
  }
  caller.say(lengthFrame(first))
  caller.say(lengthFrame(await answer()))
  caller.say(lengthFrame(await answer()))
  const offer = { type: 'offer', identity, agentVersion: '0.1.0', hostname: 'h' } as const
  caller.say(lengthFrame(handshake.seal(encodeNodeMessage(offer))))
  for (let i = 0; i < 4; i++) {
    await clock.advance(20_000)
    expect(caller.gone()).toBe(false)
    caller.say(lengthFrame(handshake.seal(encodeNodeMessage({ type: 'alive' }))))
  }
  for (let n = 0; n < 2_000; n++) call(address(n))
  await clock.advance(29_000)
  expect(caller.gone()).toBe(false)
  await clock.advance(62_000)
  expect(caller.gone()).toBe(true)
  expect(counted).toContain('Silent')
})
