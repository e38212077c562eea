import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemRandom } from '../../base/random.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { EXPECTS, type Handshake, type HandshakeState, type Step } from './handshake.ts'
import { initiate } from './initiator.ts'
import { respond } from './responder.ts'
import { commitmentTo } from './schedule.ts'
import { decodeMessage, encodeMessage, MESSAGE, PURPOSE } from './wire.ts'

const CODE = 'K7QF-2M9D'
const utf8 = (text: string) => new TextEncoder().encode(text)

interface Pair {
  node: Handshake
  authority: Handshake
  /** HELLO, SHARE, CONFIRM, ANSWER, REVEAL as they went over the wire. */
  wire: Uint8Array[]
  steps: Step[]
}

type Touch = (bytes: Uint8Array, index: number) => Uint8Array

interface PairOptions {
  nodeCode?: string
  authorityCode?: string | undefined
  purposes?: ['join' | 'claim', 'join' | 'claim']
  touch?: Touch
  seed?: number
}

/** Runs a handshake until one side has nothing to say; `touch` is the network. */
function handshake(options: PairOptions = {}): Pair {
  const random = options.seed === undefined ? systemRandom : seededRandom(options.seed)
  const touch: Touch = options.touch ?? ((bytes) => bytes)
  const { hello, handshake: node } = initiate({
    purpose: options.purposes?.[0] ?? 'join',
    selector: '7XYZ',
    code: options.nodeCode ?? CODE,
    random,
  })
  const authority = respond({ random, codeFor: () => ('authorityCode' in options ? options.authorityCode : CODE) })
  const wire: Uint8Array[] = []
  const steps: Step[] = []
  let next: Uint8Array | undefined = hello
  for (let to = authority; next; to = to === authority ? node : authority) {
    const carried: Uint8Array = touch(next, wire.length)
    wire.push(carried)
    const step: Step = to.receive(carried)
    steps.push(step)
    next = step.send
  }
  return { node, authority, wire, steps }
}
const digits = ({ steps }: Pair) => steps.flatMap((step) => (step.sas === undefined ? [] : [step.sas]))
const failures = ({ steps }: Pair) => steps.flatMap((step) => (step.failed ? [step.failed] : []))

describe('two sides with the same code', () => {
  test('come to the same six digits after five messages', () => {
    const pair = handshake()
    expect(pair.wire.map((bytes) => bytes[0])).toEqual([1, 2, 3, 4, 5])
    const [a, b] = digits(pair)
    expect(a).toMatch(/^\d{6}$/)
    expect(a).toBe(b)
    expect(pair.node.run).toEqual(pair.authority.run)
    expect([pair.node.state, pair.authority.state]).toEqual(['Established', 'Established'])
  })

  test('speak to each other then, and nobody else reads it', () => {
    const { node, authority } = handshake()
    for (const [from, to, text] of [
      [node, authority, 'keys'],
      [authority, node, 'address'],
      [authority, node, 'bundle'],
      [node, authority, 'thanks'],
    ] as const) {
      const sealed = from.seal(utf8(text))
      expect(Buffer.from(sealed).includes(text)).toBe(false)
      expect(to.receive(sealed).data).toEqual(utf8(text))
    }
  })

  test('have other digits the next time', () => {
    const seen = new Set(Array.from({ length: 20 }, () => digits(handshake())[0]))
    expect(seen.size).toBeGreaterThan(15)
  })
})

describe('another code', () => {
  test('is found out by the responder at the first confirmation, which says nothing but that', () => {
    const pair = handshake({ nodeCode: 'K7QF-2M9E' })
    expect(failures(pair)).toEqual(['NotConfirmed', 'Refused'])
    expect(pair.wire.map((bytes) => bytes[0])).toEqual([1, 2, 3, MESSAGE.REFUSED])
    expect(pair.wire[3]).toEqual(Uint8Array.of(MESSAGE.REFUSED))
  })

  test('no code at all looks the same from outside', () => {
    const wrong = handshake({ nodeCode: 'K7QF-2M9E' })
    const none = handshake({ authorityCode: undefined })
    expect(none.wire.map((bytes) => bytes.length)).toEqual(wrong.wire.map((bytes) => bytes.length))
    expect(failures(none)).toEqual(failures(wrong))
  })

  test('of a claim is worthless for a join', () => {
    // The man in the middle changes the purpose in HELLO, so that the responder takes it for a claim.
    const pair = handshake({
      touch: (bytes, i) => (i === 0 ? Uint8Array.from(bytes, (b, at) => (at === 2 ? PURPOSE.claim : b)) : bytes),
    })
    expect(failures(pair)).toEqual(['NotConfirmed', 'Refused'])
  })
})

describe('a network that interferes', () => {
  test('changing any bit of any message ends the run before anything is trusted', () => {
    fc.assert(
      fc.property(fc.nat(4), fc.nat(10_000), fc.nat(7), (message, at, bit) => {
        const pair = handshake({
          touch: (bytes, i) =>
            i === message ? Uint8Array.from(bytes, (b, k) => (k === at % bytes.length ? b ^ (1 << bit) : b)) : bytes,
        })
        expect(pair.authority.state).not.toBe('Established')
        expect(failures(pair).length).toBeGreaterThan(0)
        // Only the last message may leave the initiator with digits: the other screen has none to compare them with.
        expect(digits(pair).length).toBeLessThanOrEqual(1)
      }),
      { numRuns: 150 },
    )
  })

  test('a message of any other length is malformed', () => {
    fc.assert(
      fc.property(fc.nat(4), fc.nat(200), (message, length) => {
        const pair = handshake({
          touch: (bytes, i) => {
            if (i !== message || length === bytes.length) return bytes
            return Uint8Array.from({ length }, (_, k) => bytes[k] ?? 0)
          },
        })
        if (pair.authority.state !== 'Established') expect(failures(pair)[0]).toBe('Malformed')
      }),
      { numRuns: 60 },
    )
  })

  test('a message of another ceremony with the same code does not fit', () => {
    const other = handshake().wire
    // HELLO of another run is a run of its own, which nobody on this side can go on with.
    for (let message = 0; message < 5; message++) {
      const pair = handshake({ touch: (bytes, i) => (i === message ? other[message]! : bytes) })
      expect(pair.authority.state, `message ${message}`).not.toBe('Established')
      expect(failures(pair).length).toBeGreaterThan(0)
    }
  })

  test('sealed data that is dropped, repeated, reordered, altered or reflected ends the run', () => {
    const disturbances: [string, (to: Handshake, messages: Uint8Array[], from: Handshake) => Step][] = [
      ['dropped', (to, [, second]) => to.receive(second!)],
      ['repeated', (to, [first]) => [first!, first!].map((bytes) => to.receive(bytes))[1]!],
      ['altered', (to, [first]) => to.receive(Uint8Array.from(first!, (b, i) => (i === 1 ? b ^ 1 : b)))],
      ['reflected', (_, [first], from) => from.receive(first!)],
      ['cut', (to, [first]) => to.receive(first!.subarray(0, first!.length - 1))],
    ]
    for (const [name, disturb] of disturbances) {
      const { node, authority } = handshake()
      const messages = [node.seal(utf8('one')), node.seal(utf8('two'))]
      expect(disturb(authority, messages, node), name).toEqual({ failed: 'BadSeal' })
    }
  })
})

describe('a man in the middle who has the code', () => {
  /** Two runs, one with each side; returns the digits each screen shows. */
  function between(): { nodeSees: string; authoritySees: string } {
    const node = initiate({ purpose: 'join', selector: '7XYZ', code: CODE, random: systemRandom })
    const asAuthority = respond({ random: systemRandom, codeFor: () => CODE })
    const asNode = initiate({ purpose: 'join', selector: '7XYZ', code: CODE, random: systemRandom })
    const authority = respond({ random: systemRandom, codeFor: () => CODE })
    const meet = (hello: Uint8Array, left: Handshake, right: Handshake): string => {
      const share = right.receive(hello).send!
      const confirm = left.receive(share).send!
      const answer = right.receive(confirm).send!
      const { send, sas } = left.receive(answer)
      expect(right.receive(send!).sas).toBe(sas)
      return sas!
    }
    return {
      nodeSees: meet(node.hello, node.handshake, asAuthority),
      authoritySees: meet(asNode.hello, asNode.handshake, authority),
    }
  }

  test('has other digits on each screen', () => {
    for (let i = 0; i < 20; i++) {
      const { nodeSees, authoritySees } = between()
      expect(nodeSees).not.toBe(authoritySees)
    }
  })

  test('cannot open its commitment with another nonce once it has seen ours', () => {
    const random = systemRandom
    const { hello, handshake: node } = initiate({ purpose: 'join', selector: '7XYZ', code: CODE, random })
    const authority = respond({ random, codeFor: () => CODE })
    const share = authority.receive(hello).send!
    const confirm = node.receive(share).send!
    // The commitment is bound by the confirmation: one that is swapped on the way is not confirmed.
    const swapped = Uint8Array.from(confirm)
    swapped.set(commitmentTo(random(32)), 1 + 32)
    expect(authority.receive(swapped)).toMatchObject({ failed: 'NotConfirmed' })
  })
})

describe('each state takes one message', () => {
  const STATES: [HandshakeState, () => Handshake][] = [
    ['AwaitHello', () => respond({ random: systemRandom, codeFor: () => CODE })],
    ['AwaitShare', () => initiate({ purpose: 'join', selector: '7XYZ', code: CODE, random: systemRandom }).handshake],
    ['AwaitConfirm', () => until('AwaitConfirm')],
    ['AwaitAnswer', () => until('AwaitAnswer')],
    ['AwaitReveal', () => until('AwaitReveal')],
    ['Established', () => handshake().node],
    ['Ended', () => ended(handshake().node)],
  ]
  /** A side that has come to `state`, its peer being silent from then on. */
  function until(state: HandshakeState): Handshake {
    const { hello, handshake: node } = initiate({ purpose: 'join', selector: '7XYZ', code: CODE, random: systemRandom })
    const authority = respond({ random: systemRandom, codeFor: () => CODE })
    const share = authority.receive(hello).send!
    if (state === 'AwaitConfirm') return authority
    const confirm = node.receive(share).send!
    if (state === 'AwaitAnswer') return node
    authority.receive(confirm)
    return authority
  }
  function ended(side: Handshake): Handshake {
    side.end()
    return side
  }
  const well = handshake().wire
  const MESSAGES: [string, number, Uint8Array][] = [
    ['HELLO', MESSAGE.HELLO, well[0]!],
    ['SHARE', MESSAGE.SHARE, well[1]!],
    ['CONFIRM', MESSAGE.CONFIRM, well[2]!],
    ['ANSWER', MESSAGE.ANSWER, well[3]!],
    ['REVEAL', MESSAGE.REVEAL, well[4]!],
    ['DATA', MESSAGE.DATA, encodeMessage(MESSAGE.DATA, new Uint8Array(40))],
  ]

  for (const [state, reach] of STATES) {
    for (const [name, type, bytes] of MESSAGES.filter(([, type]) => type !== EXPECTS[state])) {
      test(`${state}: ${name} is out of order and ends the run`, () => {
        const side = reach()
        expect(side.state).toBe(state)
        expect(decodeMessage(bytes)?.type).toBe(type)
        expect(side.receive(bytes)).toEqual({ failed: 'OutOfOrder' })
        expect(side.state).toBe('Ended')
        expect(() => side.seal(utf8('x'))).toThrow()
      })
    }
    test(`${state}: a refusal ends the run`, () => {
      const side = reach()
      expect(side.receive(Uint8Array.of(MESSAGE.REFUSED)).failed).toBe(state === 'Ended' ? 'OutOfOrder' : 'Refused')
      expect(side.state).toBe('Ended')
    })
  }

  test('no bytes whatever are taken for a handshake, and nothing throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(...STATES), (bytes, [, reach]) => {
        const side = reach()
        const step = side.receive(bytes)
        if (bytes[0] !== MESSAGE.HELLO) expect(step.failed).toBeDefined()
      }),
      { numRuns: 100 },
    )
  })
})

test('the same randomness gives the same bytes: the vectors of docs/protocol.md can be made anew', () => {
  const hex = (pair: Pair) => pair.wire.map((bytes) => Buffer.from(bytes).toString('hex'))
  expect(hex(handshake({ seed: 7 }))).toEqual(hex(handshake({ seed: 7 })))
})

describe('what was drawn and derived does not stay', () => {
  /** Every buffer that was drawn, as it is now. */
  function remembering() {
    const drawn: Uint8Array[] = []
    const random = (length: number) => {
      const bytes = systemRandom(length)
      drawn.push(bytes)
      return bytes
    }
    const left = () => drawn.filter((bytes) => bytes.length > 16 && bytes.some((byte) => byte !== 0)).length
    return { random, left, drawn }
  }

  test.each(['known', 'unknown'])('at either side of a run whose code is %s here, once it has ended', (code) => {
    const ours = remembering()
    const theirs = remembering()
    const { hello, handshake: node } = initiate({ purpose: 'join', selector: '7XYZ', code: CODE, random: ours.random })
    const authority = respond({ random: theirs.random, codeFor: () => (code === 'known' ? CODE : undefined) })
    const { send: share } = authority.receive(hello)
    // All that is left are the nonces, which are still to be shown.
    expect(theirs.drawn.map((bytes) => bytes.length)).toEqual(code === 'known' ? [32, 64] : [32, 32, 64])
    expect(theirs.left()).toBe(1)
    const { send: confirm } = node.receive(share as Uint8Array)
    expect(ours.left()).toBe(1)
    authority.receive(confirm as Uint8Array)
    node.end()
    authority.end()
    expect([ours.left(), theirs.left()]).toEqual([0, 0])
  })

  test('a run that fails half way keeps nothing either', () => {
    const ours = remembering()
    const { handshake: node } = initiate({ purpose: 'join', selector: '7XYZ', code: CODE, random: ours.random })
    expect(node.receive(encodeMessage(MESSAGE.SHARE, new Uint8Array(32).fill(0xff))).failed).toBe('BadShare')
    expect(ours.left()).toBe(0)
  })
})
