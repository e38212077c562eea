// Guessing codes as fast as the line carries them.
import { afterEach, expect, test } from 'vitest'
import { BURNED_AT } from '../../api/ceremony.ts'
import { GATE } from '../../authority/pairing/gate.ts'
import { lengthFrame } from '../../base/length-frames.ts'
import { initiate } from '../../protocol/pairing/initiator.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { type Fleet, PAIRING_ADDRESS } from '../fleet/harness.ts'
import { call, declare, failuresOf, keysOf, machine, office, PORT, phase, type Secret } from './support/ceremony.ts'

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.stop()
  fleet = undefined
})

const codeOf = (n: number) => `${String(n).padStart(4, '0')}-0000`

async function guess(into: Fleet, secret: Secret, from: string): Promise<string> {
  let why: string | undefined
  call(into, { from, secret }).then(
    (result) => {
      why = 'why' in result ? result.why : result.outcome
    },
    (error) => {
      why = String(error)
    },
  )
  await into.until(() => why !== undefined)
  return why as string
}

test('the fifth failed confirmation burns the ceremony, the right code is worthless then, and another ceremony goes on', async () => {
  fleet = await office()
  const laptop = machine(fleet, keysOf(1))
  await fleet.until(() => laptop.secrets.length > 0)
  const [mine] = laptop.secrets
  await declare(fleet, 'mine', { ...mine })
  const target = { rendezvous: 'AAAA', code: 'ABCD-EFGH' }
  await declare(fleet, 'target', { ...target })
  await fleet.clock.advance(1_000)
  for (let i = 0; i < 10; i++) await guess(fleet, { rendezvous: 'AAAA', code: codeOf(i) }, `192.0.2.${i + 1}`)
  expect(failuresOf(fleet, 'target')).toBe(BURNED_AT)
  expect(phase(fleet, 'target')).toBe('Burned')
  // A caller cannot tell a burned ceremony, a wrong code and a rendezvous that nobody has.
  const right = await guess(fleet, target, '192.0.2.101')
  expect(right).toBe(await guess(fleet, { rendezvous: 'ZZZZ', code: 'ABCD-EFGH' }, '192.0.2.102'))
  expect(failuresOf(fleet, 'mine')).toBe(0)
  await fleet.until(() => laptop.digits() !== undefined)
  laptop.stop()
})

test('five in 2^40: no more guesses are answered for one code, from however many addresses they come', async () => {
  fleet = await office()
  await declare(fleet, 'target', { rendezvous: 'AAAA', code: 'ABCD-EFGH' })
  await fleet.clock.advance(1_000)
  let confirmed = 0
  for (let i = 0; i < 60; i++) {
    const why = await guess(fleet, { rendezvous: 'AAAA', code: codeOf(i) }, `192.0.2.${i + 1}`)
    if (why === 'approved' || why === 'refused') confirmed++
  }
  expect(confirmed).toBe(0)
  expect(failuresOf(fleet, 'target')).toBe(BURNED_AT)
})

test('first messages are answered at a rate, from one address and from all, and an honest machine still gets its turn', async () => {
  fleet = await office()
  const here = fleet
  let shares = 0
  const hello = (n: number) =>
    lengthFrame(initiate({ purpose: 'join', selector: 'AAAA', code: codeOf(n), random: seededRandom(n) }).hello)
  const flood = async (from: (n: number) => string, count: number) => {
    for (let n = 0; n < count; n++) {
      const line = await here.network.transport().connect(from(n), PAIRING_ADDRESS, PORT, new AbortController().signal)
      line.stream.on('error', () => {})
      line.stream.on('data', (chunk: Uint8Array) => {
        if (chunk[4] === 2 || chunk[0] === 2) shares++
      })
      line.stream.write(hello(n % 40))
    }
    await here.clock.settle()
  }
  await flood(() => '192.0.2.1', 40)
  expect(shares).toBeLessThanOrEqual(2 * GATE.hellosPerSecondPerSource)
  shares = 0
  await flood((n) => `192.0.${Math.floor(n / 250)}.${(n % 250) + 2}`, 300)
  expect(shares).toBeLessThanOrEqual(2 * GATE.hellosPerSecond)
  expect(shares).toBeGreaterThan(0)

  const laptop = machine(here, keysOf(1))
  await here.until(() => laptop.secrets.length > 0)
  await declare(here, 'p', { ...laptop.secrets[0] })
  await here.until(() => laptop.digits() !== undefined)
  laptop.stop()
})
