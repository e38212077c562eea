// The short form of `npm run fuzz`: every parser, a few thousand inputs, the same ones in every run.
import { expect, test } from 'vitest'
import { fuzz } from './fuzz.ts'
import { accepted, declared, type FuzzedParser } from './parser.ts'
import { PARSERS } from './table.ts'

const INPUTS = 500
const SEED = 1

test.each(PARSERS.map((parser) => [parser.name, parser] as const))(
  '%s refuses what is wrong by the errors it declares, and takes nothing that has another form',
  async (_, parser) => {
    const result = await fuzz(parser, INPUTS, SEED)
    const refused = Object.values(result.refused).reduce((sum, count) => sum + count, 0)
    expect(result.accepted + refused).toBe(INPUTS)
  },
)

const careless = (read: FuzzedParser['read']): FuzzedParser => ({
  ...{ name: 'careless', faces: 'socket', covers: [], shape: 'json', read },
  valid: [Buffer.from('{"a":[1,{"b":"text"}]}')],
})
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

test('the fuzzer notices an error that is not declared', async () => {
  const parser = careless((input) => {
    JSON.parse(text(input))
    return accepted()
  })
  await expect(fuzz(parser, 200, SEED)).rejects.toThrow('careless, seed 1, input')
})

test('the fuzzer notices what is accepted in another form than its own', async () => {
  const parser = careless((input) =>
    declared(['SyntaxError'], () => accepted(Buffer.from(JSON.stringify(JSON.parse(text(input)))))),
  )
  await expect(fuzz(parser, 2_000, SEED)).rejects.toThrow('it encodes to other bytes')
})

test('a parser that refuses its own valid input is no use to the fuzzer, and says so', async () => {
  const parser = careless(() => ({ accepted: false, reason: 'never' }))
  await expect(fuzz(parser, 1, SEED)).rejects.toThrow('its valid input 0 is refused')
})
