// A machine joins a fleet: the real ceremony between a real authority and the joining side, over a network in memory
// that a test may interfere with. What of it happens after the handshake lives here; the handshake itself in
// protocol/pairing.
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { attemptJoin, type DigitsVerdict } from '../../agent/pairing/attempt.ts'
import { type Joined, joinFleet } from '../../agent/pairing/join.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { PairingSpec } from '../../api/v1alpha1/pairing.ts'
import { silentLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import type { Connection } from '../../base/transport.ts'
import { type Fleet, PAIRING_ADDRESS, startFleet } from './harness.ts'
import { hub, spoke } from './objects.ts'

const PORT = 9202
const LAPTOP = '198.51.100.7'
const ENDED = new Set(['Approved', 'Denied', 'Expired', 'Burned'])

let fleet: Fleet
const stop = new AbortController()
afterEach(() => fleet.stop())

async function office(): Promise<void> {
  fleet = await startFleet([hub('relay'), spoke('laptop')], { joining: ['laptop'] })
  await fleet.until(() => fleet.condition('Node', 'relay')?.status === 'True')
}

interface Call {
  secret: { rendezvous: string; code: string }
  /** Digits on the machine's screen, once there are any. */
  digits: () => string | undefined
  answer: (verdict: DigitsVerdict) => void
  joined: Promise<Joined>
  error: () => string | undefined
}

/** Somebody runs `ppn join` at a machine. */
async function call(identity: NodeIdentity, touch = (connection: Connection) => connection): Promise<Call> {
  let secret: Call['secret'] | undefined
  let digits: string | undefined
  let failed: string | undefined
  let answer: (verdict: DigitsVerdict) => void = () => {}
  const answered = new Promise<DigitsVerdict>((resolve) => {
    answer = resolve
  })
  const transport = fleet.network.transport()
  const joined = joinFleet(
    {
      identity,
      agentVersion: '0.1.0',
      hostname: 'laptop.local',
      clock: fleet.clock,
      random: systemRandom,
      log: silentLogger(),
      dial: async (signal) => touch(await transport.connect(LAPTOP, PAIRING_ADDRESS, PORT, signal)),
      show: (shown) => {
        secret = shown
      },
      compare: (seen) => {
        digits = seen
        return answered
      },
    },
    stop.signal,
  )
  joined.catch((error) => {
    failed = error.code ?? String(error)
  })
  await fleet.until(() => secret !== undefined)
  return { secret: secret as Call['secret'], digits: () => digits, answer, joined, error: () => failed }
}

const declared = async (name: string, spec: Partial<PairingSpec>) =>
  void (await fleet.store.create('Pairing', name, spec))
const amend = async (name: string, more: Partial<PairingSpec>) => {
  const { spec } = fleet.store.get('Pairing', name) ?? {}
  await fleet.store.amend(`Pairing/${name}`, { ...spec, ...more })
}
const phase = (name = 'p') => fleet.store.get('Pairing', name)?.status?.phase
const condition = () => fleet.store.get('Pairing', 'p')?.status?.conditions[0]
/** What a promise comes to, time going on meanwhile. */
async function within<T>(promise: Promise<T>): Promise<T> {
  let done = false
  promise.then(
    () => (done = true),
    () => (done = true),
  )
  await fleet.until(() => done)
  return promise
}
const lines = () =>
  Buffer.from(fleet.files.get('nodes.jsonl') ?? [])
    .toString()
    .trim()
    .split('\n')

/** Up to the digits on the machine's screen. */
async function upToDigits(spec: Partial<PairingSpec> = {}) {
  await office()
  const machine = await fleet.machine('laptop')
  const laptop = await call(await machine.identity())
  await declared('p', { nodeName: 'laptop', ...laptop.secret, ...spec })
  await fleet.until(() => laptop.digits() !== undefined)
  return { machine, laptop }
}

test('a machine joins with two things a person does, and is Ready by telemetry', async () => {
  const { machine, laptop } = await upToDigits()
  expect(phase()).toBe('AwaitingSAS')
  await amend('p', { sas: laptop.digits() as string, decision: 'Approve' })
  laptop.answer('person')
  const { bundle, authorityFingerprint, nodeName } = await laptop.joined
  expect(nodeName).toBe('laptop')
  expect(phase()).toBe('Approved')
  expect(JSON.parse(lines().at(-1) as string).entry ?? JSON.parse(lines().at(-1) as string)).toMatchObject({
    node: 'laptop',
    how: 'paired',
    confirmedBy: 'person',
  })
  await machine.import(bundle, authorityFingerprint)
  await machine.start()
  await fleet.until(() => fleet.condition('Node', 'laptop')?.status === 'True')
})

test('nothing is told to the machine and no line is written before both people have spoken', async () => {
  const { laptop } = await upToDigits()
  const before = lines().length
  await amend('p', { sas: laptop.digits() as string, decision: 'Approve' })
  await fleet.clock.advance(60_000)
  expect(phase()).toBe('AwaitingSAS')
  expect(lines().length).toBe(before)
  laptop.answer('trustCode')
  await laptop.joined
  expect(lines().at(-1)).toContain('"confirmedBy":"trustCode"')
})

test('other digits typed by the operator: refused, and the machine says why', async () => {
  const { laptop } = await upToDigits()
  laptop.answer('person')
  const other = laptop.digits() === '000000' ? '000001' : '000000'
  await amend('p', { sas: other, decision: 'Approve' })
  await fleet.until(() => laptop.error() !== undefined)
  expect(laptop.error()).toBe('PairingRefused')
  expect(phase()).toBe('Denied')
})

test('other digits seen at the machine: the operator is told, and nothing is believed', async () => {
  const { laptop } = await upToDigits()
  laptop.answer('differs')
  await fleet.until(() => phase() === 'Denied')
  expect(laptop.error()).toBe('PairingDigitsDiffer')
})

/** The n-th line breaks once so many pieces have gone over it, either way; those after the last of the list hold. */
function breaking(...pieces: number[]): (connection: Connection) => Connection {
  const lines = [...pieces]
  return (connection) => {
    let left = lines.shift()
    if (left === undefined) return connection
    const count = () => {
      if (left !== undefined && --left === 0) connection.destroy()
    }
    const { stream } = connection
    const write = stream.write.bind(stream)
    stream.write = ((...args: Parameters<typeof write>) => {
      const more = write(...args)
      count()
      return more
    }) as typeof stream.write
    stream.on('data', count)
    return connection
  }
}

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9])('a line lost at message %i costs nothing', async (pieces) => {
  await office()
  const machine = await fleet.machine('laptop')
  const laptop = await call(await machine.identity(), breaking(pieces))
  await declared('p', { nodeName: 'laptop', ...laptop.secret })
  await fleet.until(() => laptop.digits() !== undefined)
  await amend('p', { sas: laptop.digits() as string, decision: 'Approve' })
  laptop.answer('person')
  await fleet.until(() => phase() === 'Approved' || laptop.error() !== undefined)
  expect(laptop.error()).toBeUndefined()
  const { bundle, authorityFingerprint } = await laptop.joined
  await machine.import(bundle, authorityFingerprint)
  // Once, however often it called.
  expect(lines().filter((line) => line.includes('paired')).length).toBe(1)
})

test('the authority ends while the machine waits: it calls the next one, and is let in', async () => {
  const { machine, laptop } = await upToDigits()
  await fleet.restartAuthority()
  await fleet.until(() => phase() === 'AwaitingSAS')
  await amend('p', { sas: laptop.digits() as string, decision: 'Approve' })
  laptop.answer('person')
  await fleet.until(() => phase() === 'Denied' || phase() === 'Approved')
  const { bundle, authorityFingerprint } = await laptop.joined
  await machine.import(bundle, authorityFingerprint)
})

describe.each([
  { later: 'calls the next authority', off: false },
  { later: 'is switched off', off: true },
])('killed while people say yes, the authority has enrolled the machine and says so, or neither', ({ later, off }) => {
  test.each(Array.from({ length: 16 }, (_, n) => n + 1))(`after %i writes; the machine ${later}`, async (writes) => {
    await office()
    const machine = await fleet.machine('laptop')
    let gone = false
    const laptop = await call(await machine.identity(), (connection) => {
      if (gone) connection.destroy()
      return connection
    })
    await declared('p', { nodeName: 'laptop', ...laptop.secret })
    await fleet.until(() => laptop.digits() !== undefined)
    fleet.killAfter('authority', writes)
    await amend('p', { sas: laptop.digits() as string, decision: 'Approve' }).catch(() => {})
    laptop.answer('person')
    await fleet.clock.advance(5_000)
    gone = off
    await fleet.restartAuthority()
    await fleet.until(() => ENDED.has(phase() ?? ''), 700_000)
    const enrolled = lines().filter((line) => line.includes('"paired"')).length
    expect([enrolled, phase() === 'Approved']).toEqual(enrolled === 1 ? [1, true] : [0, false])
    if (off || phase() !== 'Approved') return
    const { bundle, authorityFingerprint } = await within(laptop.joined)
    await machine.import(bundle, authorityFingerprint)
  })
})

test('an answer that was lost is given again to the same machine, and to no other', async () => {
  const { machine, laptop } = await upToDigits()
  const heal = fleet.network.rules.cut(PAIRING_ADDRESS, LAPTOP)
  await amend('p', { sas: laptop.digits() as string, decision: 'Approve' })
  laptop.answer('person')
  await fleet.until(() => phase() === 'Approved')
  fleet.network.removeHost(LAPTOP)
  heal()
  const { bundle, authorityFingerprint } = await within(laptop.joined)
  await machine.import(bundle, authorityFingerprint)

  const identity = { ...(await machine.identity()), signingPublicKey: Buffer.alloc(32, 7).toString('base64') }
  const connection = await fleet.network.transport().connect('198.51.100.9', PAIRING_ADDRESS, PORT, stop.signal)
  const thief = attemptJoin(
    {
      ...laptop.secret,
      identity,
      agentVersion: '0.1.0',
      hostname: 'thief',
      connection,
      clock: fleet.clock,
      random: systemRandom,
      compare: async () => 'person',
    },
    stop.signal,
  )
  expect(await within(thief)).toEqual({ outcome: 'refused', reason: 'Used' })
})

test('five calls with another code burn it, also over a restart, and the right one is worthless then', async () => {
  await office()
  const machine = await fleet.machine('laptop')
  const laptop = await call(await machine.identity())
  const wrong = laptop.secret.code === '0000-0000' ? '0000-0001' : '0000-0000'
  await declared('p', { nodeName: 'laptop', rendezvous: laptop.secret.rendezvous, code: wrong })
  await fleet.until(() => condition()?.message.includes('3 of 5') ?? false)
  await fleet.restartAuthority()
  await fleet.until(() => phase() === 'Burned')
  expect(laptop.digits()).toBeUndefined()
})

test('after a code was burned by typing it wrongly, another Pairing with the right one lets the machine in', async () => {
  await office()
  const machine = await fleet.machine('laptop')
  const laptop = await call(await machine.identity())
  const wrong = laptop.secret.code === '0000-0000' ? '0000-0001' : '0000-0000'
  await declared('p', { nodeName: 'laptop', rendezvous: laptop.secret.rendezvous, code: wrong })
  await fleet.until(() => phase() === 'Burned')
  await declared('q', { nodeName: 'laptop', ...laptop.secret })
  await fleet.until(() => laptop.digits() !== undefined)
  await amend('q', { sas: laptop.digits() as string, decision: 'Approve' })
  laptop.answer('person')
  await laptop.joined
  await fleet.until(() => phase('q') === 'Approved')
  expect(phase('p')).toBe('Burned')
})

test('once both people have compared the digits, a line that is lost ten times more costs no code', async () => {
  await office()
  const machine = await fleet.machine('laptop')
  let calls = 0
  const lossy = breaking(...Array.from({ length: 11 }, () => 8))
  const laptop = await call(await machine.identity(), (connection) => {
    calls++
    return lossy(connection)
  })
  await declared('p', { nodeName: 'laptop', ...laptop.secret })
  await fleet.until(() => laptop.digits() !== undefined)
  await amend('p', { sas: laptop.digits() as string })
  laptop.answer('person')
  await fleet.until(() => calls === 12)
  await amend('p', { sas: laptop.digits() as string, decision: 'Approve' })
  await fleet.until(() => phase() === 'Approved')
  const { bundle, authorityFingerprint } = await within(laptop.joined)
  await machine.import(bundle, authorityFingerprint)
})

test('however often and wherever the line is lost: enrolled once, or refused and nobody enrolled', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 12 }), async (pieces) => {
      await office()
      try {
        const machine = await fleet.machine('laptop')
        const laptop = await call(await machine.identity(), breaking(...pieces))
        await declared('p', { nodeName: 'laptop', ...laptop.secret })
        await fleet.until(() => laptop.digits() !== undefined || laptop.error() !== undefined || phase() === 'Burned')
        // Other digits come with another line; a person types those that are shown.
        if (phase() !== 'Burned') await amend('p', { sas: laptop.digits() as string, decision: 'Approve' })
        laptop.answer('person')
        await fleet.until(() => ENDED.has(phase() ?? ''))
        const enrolled = lines().filter((line) => line.includes('"paired"')).length
        expect(enrolled).toBe(phase() === 'Approved' ? 1 : 0)
        if (phase() !== 'Approved') return
        const { bundle, authorityFingerprint } = await within(laptop.joined)
        await machine.import(bundle, authorityFingerprint)
      } finally {
        await fleet.stop()
      }
    }),
    // The code of the first one is drawn out while its machine is being enrolled.
    { numRuns: 12, examples: [[[1, 3, 3, 3, 3, 8, 8, 3, 3]], [[8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8]]] },
  )
})
