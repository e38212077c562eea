import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemRandom } from '../../base/random.ts'
import { type CpaceSecret, calculateGenerator, deriveIsk, makeShare, sidOutput, type Transcript } from './cpace.ts'
import { sampleScalar, scalarMultVfy } from './group.ts'
import { lvCat, prependLength } from './strings.ts'

const { suite, points } = JSON.parse(readFileSync(new URL('../vectors/cpace.json', import.meta.url), 'utf8'))
const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))
const hex = (data: Uint8Array | undefined) => data && Buffer.from(data).toString('hex').toUpperCase()
const utf8 = (text: string) => new TextEncoder().encode(text)

const official: Transcript = {
  sid: bytes(suite.sid),
  initiator: { element: bytes(suite.Ya), associatedData: bytes(suite.ADa) },
  responder: { element: bytes(suite.Yb), associatedData: bytes(suite.ADb) },
}

describe('the official vectors of the draft', () => {
  const generator = calculateGenerator({ prs: bytes(suite.PRS), ci: bytes(suite.CI), sid: bytes(suite.sid) })

  test('the generator', () => expect(hex(generator)).toBe(suite.g))

  test('the shares', () => {
    expect(hex(scalarMultVfy(bytes(suite.ya), generator))).toBe(suite.Ya)
    expect(hex(scalarMultVfy(bytes(suite.yb), generator))).toBe(suite.Yb)
  })

  test('the key, from either side', () => {
    expect(hex(scalarMultVfy(bytes(suite.ya), bytes(suite.Yb)))).toBe(suite.K)
    expect(hex(deriveIsk(bytes(suite.ya), bytes(suite.Yb), official))).toBe(suite.ISK_IR)
    expect(hex(deriveIsk(bytes(suite.yb), bytes(suite.Ya), official))).toBe(suite.ISK_IR)
  })

  test('the name of the run', () => expect(hex(sidOutput(official))).toBe(suite.sid_output_ir))

  test('a valid point is multiplied', () => {
    const { s, X, 'G.scalar_mult_vfy(s,X)': product } = points.Valid
    expect(hex(scalarMultVfy(bytes(s), bytes(X)))).toBe(product)
  })

  test('an encoding of no element and the identity end the run', () => {
    for (const name of ['Invalid Y1', 'Invalid Y2']) {
      expect(scalarMultVfy(bytes(points.Valid.s), bytes(points[name])), name).toBeUndefined()
      expect(deriveIsk(bytes(suite.ya), bytes(points[name]), official), name).toBeUndefined()
    }
  })
})

test('an element of another length ends the run', () => {
  for (const length of [0, 31, 33, 64]) {
    expect(scalarMultVfy(bytes(points.Valid.s), new Uint8Array(length).fill(1))).toBeUndefined()
  }
})

test('a field is told from the next one whatever they hold', () => {
  const fields = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 })
  fc.assert(
    fc.property(fields, fields, (a, b) => {
      const same = a.length === b.length && a.every((f, i) => Buffer.from(f).equals(b[i]!))
      expect(Buffer.from(lvCat(...a)).equals(lvCat(...b))).toBe(same)
    }),
  )
  expect(prependLength(new Uint8Array(127)).length).toBe(128)
  expect(prependLength(new Uint8Array(128)).length).toBe(130)
})

/** Both sides of a run; `theirs` is what the responder believes. */
function run(ours: CpaceSecret, theirs: CpaceSecret, adSeen?: Uint8Array) {
  const a = makeShare(ours, systemRandom)
  const b = makeShare(theirs, systemRandom)
  const initiator = { element: a.element, associatedData: utf8('a') }
  const responder = { element: b.element, associatedData: utf8('b') }
  const seen = { ...initiator, associatedData: adSeen ?? initiator.associatedData }
  return {
    scalars: [a.scalar, b.scalar],
    left: deriveIsk(a.scalar, b.element, { sid: ours.sid, initiator, responder }),
    right: deriveIsk(b.scalar, a.element, { sid: theirs.sid, initiator: seen, responder }),
  }
}

const secret = (prs: string, ci = 'channel', sid = 'session'): CpaceSecret => ({
  prs: utf8(prs),
  ci: utf8(ci),
  sid: utf8(sid),
})

test('who knows the same code gets the same key, a different one each time', () => {
  const first = run(secret('K7QF-2M9D'), secret('K7QF-2M9D'))
  const second = run(secret('K7QF-2M9D'), secret('K7QF-2M9D'))
  expect(hex(first.left)).toBe(hex(first.right))
  expect(hex(second.left)).toBe(hex(second.right))
  expect(hex(first.left)).not.toBe(hex(second.left))
})

test('another code, channel, session or associated data gives another key', () => {
  const ours = secret('K7QF-2M9D')
  for (const [theirs, ad] of [
    [secret('K7QF-2M9E')],
    [secret('K7QF-2M9D', 'channel 2')],
    [secret('K7QF-2M9D', 'channel', 'session 2')],
    [secret('K7QF-2M9D'), utf8('x')],
  ] as const) {
    const { left, right } = run(ours, theirs, ad)
    expect(hex(left)).not.toBe(hex(right))
  }
})

test('scalars are wiped once the key is made', () => {
  for (const scalar of run(secret('a'), secret('a')).scalars) expect(scalar.every((b) => b === 0)).toBe(true)
})

test('a sampled scalar lies between 1 and the order of the group', () => {
  const zeros = sampleScalar((n) => new Uint8Array(n))
  expect(hex(zeros)).toBe(`01${'00'.repeat(31)}`)
  expect(
    scalarMultVfy(
      sampleScalar((n) => new Uint8Array(n).fill(0xff)),
      bytes(points.Valid.X),
    ),
  ).toBeDefined()
})
