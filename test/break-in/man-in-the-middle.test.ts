// An attacker who has every byte between a machine and the authority in its hands.
import { afterEach, describe, expect, test } from 'vitest'
import { MOST_DRAWS } from '../../api/ceremony.ts'
import { makeShare } from '../../protocol/cpace/cpace.ts'
import { fingerprint } from '../../protocol/keys.ts'
import { openChannel, secretOf } from '../../protocol/pairing/channel.ts'
import { initiate } from '../../protocol/pairing/initiator.ts'
import { respond } from '../../protocol/pairing/responder.ts'
import { commitmentTo, shortAuthenticationString, tag } from '../../protocol/pairing/schedule.ts'
import { encodeMessage, helloBody, MESSAGE } from '../../protocol/pairing/wire.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import type { Fleet } from '../fleet/harness.ts'
import {
  amend,
  awaiting,
  call,
  declare,
  failuresOf,
  impostor,
  keysOf,
  MALLORY,
  machine,
  office,
  paired,
  phase,
} from './support/ceremony.ts'

const CODE = 'ABCD-EFGH'
const selector = 'K7QX'
const node = (seed: string, code = CODE) => initiate({ purpose: 'join', selector, code, random: seededRandom(seed) })
const authority = (seed: string, code = CODE) => respond({ random: seededRandom(seed), codeFor: () => code })

/** An honest run up to the digits on both screens. */
function exchange({ hello, handshake }: ReturnType<typeof node>, other: ReturnType<typeof authority>) {
  const answer = handshake.receive(other.receive(hello).send as Uint8Array)
  const reveal = handshake.receive(other.receive(answer.send as Uint8Array).send as Uint8Array)
  return {
    node: reveal.sas,
    authority: other.receive(reveal.send as Uint8Array).sas,
    reveal: reveal.send as Uint8Array,
  }
}

/** Somebody who knows the code dials, and has committed to a nonce: up to the moment of revealing one. */
function cheat(into: ReturnType<typeof authority>) {
  const random = seededRandom('mallory')
  const sid = random(16)
  const share = makeShare(secretOf(CODE, { purpose: 'join', selector, sid }, random), random)
  const body = helloBody({ purpose: 'join', selector, sid, share: share.element })
  const peer = (into.receive(encodeMessage(MESSAGE.HELLO, body)).send as Uint8Array).slice(1)
  const channel = openChannel(share, peer, {
    sid,
    initiator: { element: share.element, associatedData: body.subarray(0, 6) },
    responder: { element: peer, associatedData: new Uint8Array(0) },
  })
  if (!channel) throw new Error('no channel')
  const honest = random(32)
  const committed = commitmentTo(honest)
  const confirmation = tag(channel.keys.confirmInitiator, channel.run, committed)
  const answer = into.receive(encodeMessage(MESSAGE.CONFIRM, confirmation, committed)).send as Uint8Array
  // Everything is on the table now but what was given away as a hash.
  const theirs = answer.slice(33)
  return {
    honest,
    committed,
    digitsWith: (nonce: Uint8Array) => shortAuthenticationString(channel.keys.sas, nonce, theirs),
    reveal: (nonce: Uint8Array) => encodeMessage(MESSAGE.REVEAL, channel.initiator.seal(nonce, MESSAGE.REVEAL)),
  }
}

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.stop()
  fleet = undefined
})

describe('without the code', () => {
  test('whoever answers in the authority’s place is not confirmed: the machine shows no digits and tells no keys', async () => {
    fleet = await office()
    let fooled = 0
    const mallory = await impostor(fleet, { code: () => '0000-0000', onDigits: () => void fooled++ })
    const laptop = machine(fleet, keysOf(1), MALLORY)
    await fleet.clock.advance(60_000)
    laptop.stop()
    expect(mallory.lines()).toBeGreaterThan(10)
    expect(fooled).toBe(0)
    expect(laptop.digits()).toBeUndefined()
    const told = fleet.network.segments.filter(({ to, port }) => to === MALLORY && port === 9202)
    expect(Buffer.concat(told.map(({ bytes }) => bytes)).includes(keysOf(1).wireguardPublicKey)).toBe(false)
  })

  test('a share put in place of either side’s fails the confirmation of that side', () => {
    const mine = node('mallory', '0000-0000')
    const share = authority('a').receive(mine.hello).send as Uint8Array
    const honest = node('n')
    const step = honest.handshake.receive(share)
    const other = authority('a')
    other.receive(honest.hello)
    expect(other.receive(step.send as Uint8Array).failed).toBe('NotConfirmed')
  })

  test('a changed byte of any message, either way, ends the run before there are digits', () => {
    const flip = (bytes: Uint8Array, at: number) => Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ 1 : byte))
    let runs = 0
    for (const changed of [0, 1, 2, 3, 4]) {
      for (const at of [0, 1, 7, 20, 32]) {
        const one = node('n')
        const other = authority('a')
        let seen: string | undefined
        let bytes: Uint8Array | undefined = one.hello
        for (let i = 0; bytes; i++) {
          const into: { receive(b: Uint8Array): { send?: Uint8Array; sas?: string } } =
            i % 2 === 0 ? other : one.handshake
          const step = into.receive(i === changed ? flip(bytes, at) : bytes)
          if (into === other && step.sas) seen = step.sas
          bytes = step.send
        }
        expect(seen, `message ${changed}, byte ${at}`).toBeUndefined()
        runs++
      }
    }
    expect(runs).toBe(25)
  })
})

describe('with a leaked code', () => {
  test('the digits of the two lines differ', () => {
    let same = 0
    for (let i = 0; i < 60; i++) {
      const left = exchange(node(`n${i}`), authority(`m${i}`))
      const right = exchange(node(`M${i}`), authority(`a${i}`))
      expect(left.node).toBe(left.authority)
      if (left.node === right.authority) same++
    }
    expect(same).toBe(0)
  })

  test('the operator types the machine’s digits, which are not ours: denied, and no line is written', async () => {
    fleet = await office()
    const trust = fingerprint(fleet.authority.keys.keys.signing.publicKey)
    const laptopKeys = keysOf(1)
    const laptop = machine(fleet, laptopKeys, MALLORY)
    await fleet.until(() => laptop.secrets.length > 0)
    const [secret] = laptop.secrets
    if (!secret) throw new Error('no code')
    await impostor(fleet, { code: () => secret.code, onDigits: (_, line, run) => awaiting(run, line, trust) })
    await declare(fleet, 'p', { ...secret })
    await fleet.clock.advance(1_000)
    let stolen: string | undefined
    const inside = call(fleet, {
      secret,
      onDigits: async (digits) => {
        stolen = digits
        return 'person'
      },
    })
    await fleet.until(() => laptop.digits() !== undefined && stolen !== undefined)
    expect(laptop.digits()).not.toBe(stolen)
    laptop.answer('person')
    await amend(fleet, 'p', { sas: laptop.digits(), decision: 'Approve' })
    await fleet.until(() => phase(fleet as Fleet) === 'Denied')
    expect(await inside).toEqual({ outcome: 'refused', reason: 'DigitsDiffer' })
    expect(paired(fleet)).toBe(0)
    laptop.stop()
  })

  /** How many nonces are tried: `BREAK_IN_GRIND=1048576` is the long form. */
  const GRIND = Number(process.env.BREAK_IN_GRIND ?? 2 ** 14)
  /** Digits that have to be the same, so that the short form finds some as well. */
  const ENOUGH = GRIND >= 2 ** 20 ? 6 : 3

  test('grinding finds nonces for any digits, and the commitment lets none of them through', () => {
    const a = authority('a')
    const run = cheat(a)
    const target = exchange(node('n'), authority('m')).node as string
    const fitting: Uint8Array[] = []
    const nonces = seededRandom('grind')
    for (let i = 0; i < GRIND; i++) {
      const nonce = nonces(32)
      if (run.digitsWith(nonce).slice(0, ENOUGH) === target.slice(0, ENOUGH)) fitting.push(nonce)
    }
    expect(fitting.length).toBeGreaterThan(0)
    expect(fitting.filter((nonce) => Buffer.compare(commitmentTo(nonce), run.committed) === 0)).toEqual([])
    // The first of them, sealed as it should be, by somebody who knows the code.
    expect(a.receive(run.reveal(fitting[0] as Uint8Array)).failed).toBe('CommitmentBroken')
  }, 600_000)

  test('the nonce that was committed to is let in: the one above was refused for no other reason', () => {
    const a = authority('a')
    const run = cheat(a)
    expect(a.receive(run.reveal(run.honest)).sas).toBe(run.digitsWith(run.honest))
  })

  test('digits are drawn eight times, not as often as lines can be dropped: then the ceremony is burned', async () => {
    fleet = await office()
    const secret = { rendezvous: 'K7QX', code: CODE }
    await declare(fleet, 'p', { ...secret })
    await fleet.clock.advance(1_000)
    const drawn = new Set<string>()
    for (let i = 0; i < 40; i++) {
      const stop = new AbortController()
      const attempt = call(
        fleet,
        {
          from: `198.51.100.${i + 10}`,
          secret,
          onDigits: async (digits) => {
            drawn.add(digits)
            stop.abort(new Error('not the ones I need'))
            return 'person'
          },
        },
        stop.signal,
      ).catch(() => undefined)
      let over = false
      void attempt.then(() => {
        over = true
      })
      await fleet.until(() => over)
    }
    expect(drawn.size).toBe(MOST_DRAWS)
    expect(phase(fleet)).toBe('Burned')
    expect(failuresOf(fleet)).toBe(5)
  })

  test('a machine whose lines are dropped at the digits makes a new code after eight', async () => {
    fleet = await office()
    const laptop = machine(fleet, keysOf(1), MALLORY)
    await fleet.until(() => laptop.secrets.length > 0)
    let drawn = 0
    await impostor(fleet, {
      code: () => laptop.secrets[0]?.code ?? CODE,
      onDigits(_, line) {
        drawn++
        line.destroy()
      },
    })
    await fleet.clock.advance(60_000)
    laptop.stop()
    expect(drawn).toBe(MOST_DRAWS)
    expect(laptop.secrets.length).toBe(2)
  })
})
