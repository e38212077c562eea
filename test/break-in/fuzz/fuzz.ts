// Runs one parser over many inputs made from valid ones. The same seed makes the same inputs.
import { chance } from './chance.ts'
import { mutate } from './mutate.ts'
import type { FuzzedParser, Verdict } from './parser.ts'

export interface FuzzResult {
  inputs: number
  accepted: number
  /** By reason. */
  refused: Record<string, number>
  /** Longest of the inputs, bytes. */
  longest: number
  /** The input that took most processor time, and how long: a figure to look at, never asserted. */
  slowest: { ms: number; bytes: number }
}

/** An input that was not taken as it must be: enough to try it again. */
export class FuzzFinding extends Error {
  constructor(parser: string, seed: number, number: number, input: Uint8Array, cause: unknown) {
    const shown = Buffer.from(input.subarray(0, 200)).toString('base64')
    const why = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
    super(`${parser}, seed ${seed}, input ${number} (${input.length} bytes, base64 ${shown}): ${why}`, { cause })
  }
}

/** Every valid input as it is must be taken: else the fuzzer would only ever see the first check. */
async function takesItsOwn(parser: FuzzedParser): Promise<void> {
  for (const [i, valid] of parser.valid.entries()) {
    const input = parser.wrap ? parser.wrap(valid) : valid
    const verdict = await judged(parser, input)
    if (!verdict.accepted) throw new Error(`${parser.name}: its valid input ${i} is refused: ${verdict.reason}`)
  }
}

async function judged(parser: FuzzedParser, input: Uint8Array): Promise<Verdict> {
  const kept = new Uint8Array(input)
  const answer = parser.read(input)
  const verdict = answer instanceof Promise ? await answer : answer
  if (verdict.accepted && verdict.again && Buffer.compare(verdict.again, kept) !== 0)
    throw new Error('accepted, though it encodes to other bytes')
  return verdict
}

export async function fuzz(
  parser: FuzzedParser,
  inputs: number,
  seed: number,
  beat: () => void = () => {},
): Promise<FuzzResult> {
  await takesItsOwn(parser)
  const source = chance(seed)
  const result: FuzzResult = { inputs, accepted: 0, refused: {}, longest: 0, slowest: { ms: 0, bytes: 0 } }
  for (let number = 0; number < inputs; number++) {
    const valid = source.pick(parser.valid)
    // Mostly behind a wrapping that holds; sometimes the wrapping itself, sometimes anything at all.
    const way = source.upTo(20)
    const wrap = parser.wrap ?? ((inner: Uint8Array) => inner)
    const input =
      way === 0
        ? source.bytes(source.upTo(256))
        : way < 5
          ? mutate(wrap(valid), parser.wrap ? 'bytes' : parser.shape, source)
          : wrap(mutate(valid, parser.shape, source))
    beat()
    const before = process.cpuUsage()
    let verdict: Verdict
    try {
      verdict = await judged(parser, input)
    } catch (error) {
      throw new FuzzFinding(parser.name, seed, number, input, error)
    }
    const { user, system } = process.cpuUsage(before)
    const ms = (user + system) / 1000
    if (ms > result.slowest.ms) result.slowest = { ms, bytes: input.length }
    result.longest = Math.max(result.longest, input.length)
    if (verdict.accepted) result.accepted++
    else result.refused[verdict.reason] = (result.refused[verdict.reason] ?? 0) + 1
  }
  return result
}
