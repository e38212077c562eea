// Somebody has recorded a ceremony, byte for byte, and plays it again.
import { afterEach, expect, test } from 'vitest'
import { encodeNodeMessage, readAuthorityMessage } from '../../protocol/pairing/ceremony.ts'
import { initiate } from '../../protocol/pairing/initiator.ts'
import { respond } from '../../protocol/pairing/responder.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { type Fleet, PAIRING_ADDRESS } from '../fleet/harness.ts'
import {
  amend,
  declare,
  failuresOf,
  keysOf,
  LAPTOP,
  MALLORY,
  machine,
  office,
  PORT,
  paired,
  phase,
} from './support/ceremony.ts'

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.stop()
  fleet = undefined
})

test('the machine’s side of a recorded ceremony, played to the same authority, is not confirmed and enrols nobody', async () => {
  fleet = await office()
  const laptop = machine(fleet, keysOf(1))
  await fleet.until(() => laptop.secrets.length > 0)
  await declare(fleet, 'p', { ...laptop.secrets[0] })
  await fleet.until(() => laptop.digits() !== undefined)
  await amend(fleet, 'p', { sas: laptop.digits(), decision: 'Approve' })
  laptop.answer('person')
  await fleet.until(() => phase(fleet as Fleet) === 'Approved')
  await laptop.joined
  expect(paired(fleet)).toBe(1)

  const said = fleet.network.segments.filter(
    ({ from, to, port }) => from === LAPTOP && to === PAIRING_ADDRESS && port === PORT,
  )
  expect(said.length).toBeGreaterThan(4)
  const before = failuresOf(fleet)
  const line = await fleet.network.transport().connect(MALLORY, PAIRING_ADDRESS, PORT, new AbortController().signal)
  const heard: Uint8Array[] = []
  line.stream.on('data', (chunk: Uint8Array) => heard.push(chunk))
  line.stream.on('error', () => {})
  for (const { bytes } of said) {
    line.stream.write(bytes)
    await fleet.clock.advance(50)
  }
  await fleet.clock.advance(60_000)
  expect(paired(fleet)).toBe(1)
  expect(failuresOf(fleet)).toBe(before + 1)
  // A SHARE and the one byte that says no: nothing sealed, no bundle.
  expect(Buffer.concat(heard).length).toBeLessThan(64)
})

test('the authority’s side, played to the machine that calls again, is not confirmed: both choose a new share each time', () => {
  const code = 'ABCD-EFGH'
  const run = (seed: string) => initiate({ purpose: 'join', selector: 'K7QX', code, random: seededRandom(seed) })
  const first = run('first')
  const authority = respond({ random: seededRandom('a'), codeFor: () => code })
  const share = authority.receive(first.hello).send as Uint8Array
  const answer = authority.receive(first.handshake.receive(share).send as Uint8Array).send as Uint8Array
  expect(first.handshake.receive(answer).sas).toMatch(/^\d{6}$/)

  const again = run('again')
  again.handshake.receive(share)
  expect(again.handshake.receive(answer)).toEqual({ failed: 'NotConfirmed' })
})

test('a sealed message of one ceremony opens in no other, nor twice in its own', () => {
  const established = (seed: string) => {
    const one = initiate({ purpose: 'join', selector: 'K7QX', code: 'ABCD-EFGH', random: seededRandom(seed) })
    const other = respond({ random: seededRandom(`${seed} a`), codeFor: () => 'ABCD-EFGH' })
    const confirm = one.handshake.receive(other.receive(one.hello).send as Uint8Array).send as Uint8Array
    other.receive(one.handshake.receive(other.receive(confirm).send as Uint8Array).send as Uint8Array)
    return { node: one.handshake, authority: other }
  }
  const a = established('a')
  const b = established('b')
  const sealed = a.node.seal(encodeNodeMessage({ type: 'confirmed', by: 'person' }))
  expect(b.authority.receive(sealed).failed).toBe('BadSeal')
  expect(a.authority.receive(sealed).data).toBeDefined()
  expect(a.authority.receive(sealed).failed).toBe('BadSeal')
  // And back: what the machine sealed is nothing that an authority says.
  const own = established('c')
  expect(own.node.receive(own.node.seal(encodeNodeMessage({ type: 'alive' }))).failed).toBe('BadSeal')
  expect(readAuthorityMessage(sealed)).toBeUndefined()
})
