// docs/protocol.md "Pairing", byte for byte: from what the vectors say to what the code makes, by its parts and as a run.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { systemRandom } from '../../base/random.ts'
import { calculateGenerator, deriveIsk, sidOutput } from '../cpace/cpace.ts'
import { scalarMultVfy } from '../cpace/group.ts'
import { secretOf } from './channel.ts'
import { passwordOf, readCode, readRendezvous } from './code.ts'
import { respond } from './responder.ts'
import { ceremonyKeys, commitmentTo, shortAuthenticationString, tag } from './schedule.ts'
import { sealedDirection } from './sealed.ts'
import { HEADER_BYTES, MESSAGE, type Purpose } from './wire.ts'

interface Side {
  scalar: string
  share: string
  nonce: string
}
interface Run {
  purpose: Purpose
  code: string
  password: string
  selector: string
  channelIdentifier: string
  sessionId: string
  generator: string
  initiator: Side
  responder: Side
  isk: string
  run: string
  keys: Record<string, string>
  commitment: string
  sas: string
  messages: { name: keyof typeof MESSAGE; from: 'initiator' | 'responder'; plain?: string; bytes: string }[]
}
const vectors: { runs: Run[]; typed: { what: string; text: string; read: string | null }[] } = JSON.parse(
  readFileSync(new URL('../vectors/pairing.json', import.meta.url), 'utf8'),
)
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
const hex = (found: Uint8Array | undefined) => found && Buffer.from(found).toString('hex')
const body = (run: Run, name: string) =>
  bytes(run.messages.find((message) => message.name === name)?.bytes ?? '').subarray(1)

test.each(vectors.runs)('a $purpose comes to these shares, keys and digits', (run) => {
  const sid = bytes(run.sessionId)
  const secret = secretOf(run.code, { purpose: run.purpose, selector: run.selector, sid }, systemRandom)
  expect(hex(passwordOf(run.code))).toBe(run.password)
  expect(hex(secret.ci)).toBe(run.channelIdentifier)
  expect(hex(calculateGenerator(secret))).toBe(run.generator)
  for (const side of [run.initiator, run.responder])
    expect(hex(scalarMultVfy(bytes(side.scalar), bytes(run.generator)))).toBe(side.share)
  const transcript = {
    sid,
    initiator: { element: bytes(run.initiator.share), associatedData: body(run, 'HELLO').subarray(0, HEADER_BYTES) },
    responder: { element: bytes(run.responder.share), associatedData: new Uint8Array(0) },
  }
  expect(hex(sidOutput(transcript))).toBe(run.run)
  for (const [mine, theirs] of [
    [run.initiator, run.responder],
    [run.responder, run.initiator],
  ] as const)
    expect(hex(deriveIsk(bytes(mine.scalar), bytes(theirs.share), transcript))).toBe(run.isk)
  const keys = ceremonyKeys(bytes(run.isk), bytes(run.run))
  expect(Object.fromEntries(Object.entries(keys).map(([use, key]) => [use, hex(key)]))).toEqual(run.keys)

  const nonces = [bytes(run.initiator.nonce), bytes(run.responder.nonce)] as const
  expect(hex(commitmentTo(nonces[0]))).toBe(run.commitment)
  expect(hex(body(run, 'CONFIRM'))).toBe(
    `${hex(tag(keys.confirmInitiator, bytes(run.run), bytes(run.commitment)))}${run.commitment}`,
  )
  expect(hex(body(run, 'ANSWER'))).toBe(
    `${hex(tag(keys.confirmResponder, bytes(run.run), nonces[1]))}${run.responder.nonce}`,
  )
  expect(shortAuthenticationString(keys.sas, ...nonces)).toBe(run.sas)
})

test.each(vectors.runs)('what is sealed in a $purpose opens in its order', (run) => {
  const keys = ceremonyKeys(bytes(run.isk), bytes(run.run))
  const directions = {
    initiator: sealedDirection(keys.sealInitiator, bytes(run.run)),
    responder: sealedDirection(keys.sealResponder, bytes(run.run)),
  }
  const opened = run.messages
    .filter(({ name }) => name === 'REVEAL' || name === 'DATA')
    .map(({ name, from, bytes: sealed }) => directions[from].open(bytes(sealed).subarray(1), MESSAGE[name]))
  expect(hex(opened[0])).toBe(run.initiator.nonce)
  expect(opened.slice(1).map((plain) => plain && Buffer.from(plain).toString())).toEqual(
    run.messages.filter(({ name }) => name === 'DATA').map(({ plain }) => plain),
  )
})

test.each(vectors.runs)('a responder that draws the same answers a $purpose with the same bytes', (run) => {
  // 64 bytes below the order draw themselves, but for the one that zero is kept out with.
  const wide = new Uint8Array(64)
  wide.set(bytes(run.responder.scalar))
  wide[0] = (wide[0] as number) - 1
  const draws = [bytes(run.responder.nonce), wide]
  const handshake = respond({ random: () => (draws.shift() as Uint8Array).slice(), codeFor: () => run.code })
  const [hello, share, confirm, answer, reveal] = run.messages.map((message) => message.bytes) as [
    string,
    string,
    string,
    string,
    string,
  ]
  expect(hex(handshake.receive(bytes(hello)).send)).toBe(share)
  expect(hex(handshake.receive(bytes(confirm)).send)).toBe(answer)
  expect(handshake.receive(bytes(reveal)).sas).toBe(run.sas)
})

test('a join and a claim by the same code and draws have nothing in common', () => {
  const [join, claim] = vectors.runs as [Run, Run]
  for (const field of ['generator', 'isk', 'run', 'sas'] as const) expect(join[field]).not.toBe(claim[field])
})

test.each(vectors.typed)('$what "$text" is read as $read', ({ what, text, read }) => {
  const reading = () => (what === 'code' ? readCode : readRendezvous)(text)
  if (read === null) expect(reading).toThrow()
  else expect(reading()).toBe(read)
})
