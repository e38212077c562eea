// A machine that belongs to no fleet, from its first start to Ready: it holds, is called, or calls an authority that it
// hears. The real authority, the real ceremony, a network in memory, virtual time.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type GenesisOptions, runGenesis } from '../../agent/genesis/genesis.ts'
import { answerIn, questionIn } from '../../agent/genesis/question.ts'
import { FOUND_AT_MOST, SCAN_MS } from '../../agent/genesis/scan.ts'
import { loadPins } from '../../agent/keys/pins.ts'
import type { SimulatedNode } from '../../agent/simulated/node.ts'
import type { PairingSpec } from '../../api/v1alpha1/pairing.ts'
import type { Files } from '../../base/files.ts'
import { silentLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import type { Connection } from '../../base/transport.ts'
import { encodeBeacon } from '../../protocol/beacon.ts'
import { fromBase64, generateEd25519, toBase64 } from '../../protocol/keys.ts'
import { signGrant } from '../../protocol/pairing/claim-frame.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { type Fleet, PAIRING_ADDRESS, startFleet } from './harness.ts'
import { hub, spoke } from './objects.ts'

const LAPTOP = '198.51.100.7'
const HOLDING = 9443
const PAIRING = 9202

let fleet: Fleet
let machine: SimulatedNode
let files: Files
let stop: AbortController
/** What its screens show. */
let board: string | undefined
let ended: 'enrolled' | 'stopped' | undefined
/** Touches the connections that the authority makes. */
let touch: (connection: Connection) => Connection

beforeEach(async () => {
  touch = (connection) => connection
  const dialClaim = async (address: string, signal: AbortSignal) =>
    touch(await fleet.network.transport().connect(PAIRING_ADDRESS, address, HOLDING, signal))
  fleet = await startFleet([hub('relay'), spoke('laptop')], { joining: ['laptop'], authority: { dialClaim } })
  await fleet.until(() => fleet.condition('Node', 'relay')?.status === 'True')
  machine = await fleet.machine('laptop')
  files = memoryFiles(fleet.nodeFiles('laptop')).sub('agent')
})
afterEach(async () => {
  stop.abort(new Error('the test is over'))
  await fleet.stop()
})

/** The machine is switched on. */
async function switchOn(over: Partial<GenesisOptions> = {}): Promise<void> {
  stop = new AbortController()
  ended = undefined
  const transport = fleet.network.transport()
  const life = runGenesis(
    {
      clock: fleet.clock,
      random: systemRandom,
      log: silentLogger(),
      files,
      identity: await machine.identity(),
      agentVersion: '0.1.0',
      hostname: 'laptop.local',
      network: {
        listen: (onConnection) => transport.listen(LAPTOP, HOLDING, onConnection),
        hear: (onPacket) => transport.bindUdp(LAPTOP, 8090, onPacket),
        dial: ({ address, port }, signal) => transport.connect(LAPTOP, address, port, signal),
      },
      holdingPort: HOLDING,
      addresses: () => [LAPTOP],
      trustCode: false,
      show: (text) => {
        board = text
      },
      take: async (bundle, fingerprint) => {
        await machine.import(bundle, fingerprint)
        await machine.start()
      },
      enrolled: async () => (await loadPins(files)) !== undefined,
      ...over,
    },
    stop.signal,
  )
  life.then(
    () => (ended = 'enrolled'),
    () => (ended = 'stopped'),
  )
  await fleet.until(() => board !== undefined)
}

const shownAfter = (label: string, symbols: number, from = 0) => {
  const at = (board ?? '').indexOf(label, from)
  return (board ?? '')
    .slice(at + label.length)
    .replace(/[^0-9A-Z-]/g, '')
    .slice(0, symbols)
}
const code = () => shownAfter('code ', 9)
const digits = async () => (await questionIn(files))?.digits
/** Until a promise of the machine's side says yes. */
async function seen<T>(look: () => Promise<T | undefined>): Promise<T> {
  let found: T | undefined
  for (let i = 0; i < 400 && found === undefined; i++) {
    found = await look()
    if (found === undefined) await fleet.clock.advance(500)
  }
  if (found === undefined) throw new Error('never seen')
  return found
}
const claim = (spec: Partial<PairingSpec> = {}) => declare({ address: LAPTOP, code: code(), ...spec })
const declare = async (spec: Partial<PairingSpec>, name = 'p') =>
  void (await fleet.store.create('Pairing', name, { nodeName: 'laptop', rendezvous: 'CM7K', ...spec }))
const amend = async (more: Partial<PairingSpec>) => {
  await fleet.store.amend('Pairing/p', { ...fleet.store.get('Pairing', 'p')?.spec, ...more })
}
const pairing = (name = 'p') => fleet.store.get('Pairing', name)?.status
const message = (name = 'p') => pairing(name)?.conditions[0]?.message ?? ''
const ready = () => fleet.until(() => fleet.condition('Node', 'laptop')?.status === 'True')
const registry = () => Buffer.from(fleet.files.get('nodes.jsonl') ?? []).toString()

/** Both people, as they should. */
async function compareAndApprove(): Promise<void> {
  const shown = await seen(digits)
  expect(board).toContain(`${shown.slice(0, 3)} ${shown.slice(3)}`)
  await amend({ sas: shown, decision: 'Approve' })
  await answerIn(files, shown, true)
}
const port = (open: boolean) =>
  fleet.network
    .transport()
    .connect('198.51.100.9', LAPTOP, HOLDING, stop.signal)
    .then(
      (connection) => {
        connection.destroy()
        return open
      },
      () => !open,
    )
/** Asks while time goes on. */
async function isOpen(): Promise<boolean> {
  let answer: boolean | undefined
  void port(true).then((found) => {
    answer = found
  })
  await fleet.until(() => answer !== undefined)
  return answer === true
}

test('a claim: the code typed, the digits compared on both sides; then it is Ready, and nothing holds any more', async () => {
  await switchOn()
  expect(await isOpen()).toBe(true)
  await claim()
  await compareAndApprove()
  await fleet.until(() => ended !== undefined)
  expect(ended).toBe('enrolled')
  expect(registry()).toContain('"confirmedBy":"person"')
  expect(board).toBeUndefined()
  expect(await isOpen()).toBe(false)
  expect(await files.read('holding')).toBeUndefined()
  await ready()
})

test('--trust-code on either side is written down', async () => {
  await switchOn({ trustCode: true })
  await claim({ trustCode: true, decision: 'Approve' })
  await fleet.until(() => ended === 'enrolled')
  expect(registry()).toContain('"confirmedBy":"trustCode"')
  await ready()
})

test('nobody at the machine has spoken: it is not in, however long it takes', async () => {
  await switchOn()
  await claim({ trustCode: true, decision: 'Approve' })
  await seen(digits)
  await fleet.clock.advance(120_000)
  expect(pairing()?.phase).toBe('AwaitingSAS')
  expect(ended).toBeUndefined()
})

test('the person at the machine sees other digits: nothing is believed, and it can be claimed again', async () => {
  await switchOn()
  await claim()
  await answerIn(files, await seen(digits), false)
  await fleet.until(() => pairing()?.phase === 'Denied')
  expect(message()).toContain('digits')
  expect(ended).toBeUndefined()
  await fleet.store.remove('Pairing/p')
  await fleet.clock.advance(1_000)
  await declare({ address: LAPTOP, code: code(), trustCode: true, decision: 'Approve' }, 'q')
  await answerIn(files, await seen(digits), true)
  await fleet.until(() => ended === 'enrolled')
})

test('another code: said at once, counted by nobody for long, and the right one works a minute later', async () => {
  await switchOn({ trustCode: true })
  await claim({ code: code() === '0000-0000' ? '0000-0001' : '0000-0000' })
  await fleet.until(() => pairing()?.phase === 'Denied')
  expect(message()).toContain('another code')
  await declare({ address: LAPTOP, rendezvous: 'ABCD', code: code(), trustCode: true, decision: 'Approve' }, 'q')
  await fleet.clock.advance(30_000)
  expect(message('q')).toContain('once a minute')
  await fleet.until(() => ended === 'enrolled')
})

test('a claim is no join: whoever calls the pairing port with its code and rendezvous is nobody', async () => {
  await switchOn()
  const { attemptJoin } = await import('../../agent/pairing/attempt.ts')
  await claim({ address: '198.51.100.99', code: code() })
  await fleet.until(() => message().includes('cannot be reached'))
  const connection = await fleet.network.transport().connect('198.51.100.8', PAIRING_ADDRESS, PAIRING, stop.signal)
  let outcome: object | undefined
  void attemptJoin(
    {
      ...{ rendezvous: 'CM7K', code: code(), agentVersion: '0.1.0', hostname: 'thief', connection },
      ...{
        identity: await machine.identity(),
        clock: fleet.clock,
        random: systemRandom,
        compare: async () => 'person',
      },
    },
    stop.signal,
  ).then((result) => {
    outcome = result
  })
  await fleet.until(() => outcome !== undefined)
  expect(outcome).toMatchObject({ outcome: 'none' })
})

/** The first line breaks once so many pieces have gone over it, either way. */
function breaking(pieces: number): (connection: Connection) => Connection {
  let lines = 0
  return (connection) => {
    if (lines++ > 0) return connection
    let left = pieces
    const count = () => {
      if (--left === 0) connection.destroy()
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

test.each([1, 2, 3, 4, 5, 6, 7, 8])('a line lost at message %i costs a minute at most', async (pieces) => {
  touch = breaking(pieces)
  await switchOn({ trustCode: true })
  await claim({ trustCode: true, decision: 'Approve' })
  await fleet.until(() => ended === 'enrolled')
  expect(
    registry()
      .split('\n')
      .filter((line) => line.includes('paired')).length,
  ).toBe(1)
})

test('the authority is restarted in the middle: it calls again, and what the person said at the machine holds', async () => {
  await switchOn()
  await claim()
  await answerIn(files, await seen(digits), true)
  await fleet.clock.advance(2_000)
  await fleet.restartAuthority()
  await fleet.until(() => pairing()?.phase === 'AwaitingSAS')
  // The same authority: the person is not asked again. The digits are new, and shown for the operator.
  const again = await seen(() => questionIn(files))
  expect(again.asked).toBe(false)
  await amend({ sas: again.digits, decision: 'Approve' })
  await fleet.until(() => ended === 'enrolled')
  expect(registry()).toContain('"confirmedBy":"person"')
})

test('switched off and on for months, it shows the same code', async () => {
  await switchOn()
  const first = code()
  expect(first).toMatch(/^[0-9A-Z]{4}-[0-9A-Z]{4}$/)
  for (let i = 0; i < 3; i++) {
    stop.abort(new Error('off'))
    await fleet.until(() => ended === 'stopped')
    expect(board).toBeUndefined()
    fleet.clock.jump(30 * 86_400_000)
    await switchOn()
    expect(code()).toBe(first)
  }
})

test('a first bundle given by hand ends holding as well', async () => {
  await switchOn()
  fleet.nodeFiles('laptop').set('agent/pins', fleet.nodeFiles('relay').get('agent/pins') as Uint8Array)
  await fleet.until(() => ended === 'enrolled')
  expect(await isOpen()).toBe(false)
})

describe('an image that holds the operator key', () => {
  const secret = () =>
    fromBase64(
      Buffer.from(fleet.files.get('keys/operator.secret') as Uint8Array)
        .toString()
        .trim(),
    )
  const grant = (by = secret()) => toBase64(signGrant(fleet.authority.keys.keys.signing.publicKey, by))
  const operatorKey = () => fleet.authority.keys.keys.operator.publicKey

  test('without its signature the code is worth nothing, and the operator is told what may be missing', async () => {
    await switchOn({ trustCode: true, operatorKey: operatorKey() })
    await claim({ trustCode: true, decision: 'Approve' })
    await fleet.clock.advance(300_000)
    expect(message()).toContain('--operator-key')
    expect(ended).toBeUndefined()
  })

  test('with it, it is claimed', async () => {
    await switchOn({ trustCode: true, operatorKey: operatorKey() })
    await claim({ trustCode: true, decision: 'Approve', grant: grant() })
    await fleet.until(() => ended === 'enrolled')
    await ready()
  })

  test('a bundle that would pin another operator is refused, although that authority was blessed', async () => {
    const other = generateEd25519(systemRandom)
    await switchOn({ trustCode: true, operatorKey: other.publicKey })
    await claim({ trustCode: true, decision: 'Approve', grant: grant(other.secretKey) })
    await fleet.until(() => pairing()?.phase === 'Approved')
    await fleet.clock.advance(10_000)
    expect(ended).toBeUndefined()
    expect(await loadPins(files)).toBeUndefined()
    expect(await isOpen()).toBe(true)
  })

  test('it calls nobody: a beacon cannot show the signature', async () => {
    await switchOn({ operatorKey: operatorKey() })
    await beacon()
    await fleet.clock.advance(SCAN_MS)
    expect(board).not.toContain('rendezvous')
  })
})

/** A beacon of our authority, or a made-up one from somewhere else. */
async function beacon(from = PAIRING_ADDRESS, port = PAIRING): Promise<void> {
  const socket = await fleet.network.transport().bindUdp(from, 50_000, () => {})
  await socket.send(encodeBeacon(port, fleet.authority.keys.keys.signing.publicKey), LAPTOP, 8090)
  socket.close()
  await fleet.clock.advance(1_000)
}

describe('an authority that makes itself heard', () => {
  test('is offered to join; its operator pairs as with any machine that calls', async () => {
    await switchOn()
    await beacon()
    expect(board).toContain(PAIRING_ADDRESS)
    const at = (board as string).indexOf('rendezvous')
    await declare({ rendezvous: shownAfter('rendezvous', 4), code: shownAfter('code ', 9, at) })
    await compareAndApprove()
    await fleet.until(() => ended === 'enrolled')
    await ready()
  })

  test('after the scan window nothing is listened for, and after ten minutes nobody is called', async () => {
    await switchOn()
    await beacon('203.0.113.50')
    await fleet.clock.advance(SCAN_MS)
    await beacon('203.0.113.77')
    expect((board as string).match(/203\.0\.113\.\d+/g)).toEqual(['203.0.113.50'])
    await fleet.clock.advance(600_000)
    expect(board).not.toContain('rendezvous')
    expect(await isOpen()).toBe(true)
  })

  test('made-up beacons, of dead ends and of a liar who answers nothing, neither end nor delay holding', async () => {
    await switchOn({ trustCode: true })
    const transport = fleet.network.transport()
    await transport.listen('203.0.113.66', PAIRING, () => {})
    await beacon('203.0.113.66')
    for (let i = 0; i < 20; i++) await beacon(`203.0.113.${100 + i}`, 1 + i)
    await transport
      .bindUdp('203.0.113.200', 50_000, () => {})
      .then(async (socket) => {
        for (const length of [0, 1, 15, 17, 1400]) await socket.send(new Uint8Array(length).fill(0xb0), LAPTOP, 8090)
      })
    expect((board as string).match(/203\.0\.113\./g)?.length).toBe(FOUND_AT_MOST)
    const beforeMs = fleet.clock.now()
    await claim({ trustCode: true, decision: 'Approve' })
    await fleet.until(() => ended === 'enrolled')
    expect(fleet.clock.now() - beforeMs).toBeLessThan(5_000)
  })
})

describe('the walls', () => {
  const walls = (fails = false) => {
    const done: string[] = []
    const raise = async (scanning: boolean) => {
      done.push(scanning ? 'closed but for beacons' : 'closed')
      if (fails) throw new Error('no nft')
    }
    return { done, raise, remove: async () => void done.push('gone') }
  }

  test('stand while it holds, let beacons in during the scan alone, and go with the claim', async () => {
    const built = walls()
    await switchOn({ trustCode: true, walls: built })
    expect(board).toContain('every other port of this machine is closed')
    await fleet.clock.advance(SCAN_MS)
    expect(built.done).toEqual(['closed but for beacons', 'closed'])
    await claim({ trustCode: true, decision: 'Approve' })
    await fleet.until(() => ended === 'enrolled')
    expect(built.done.at(-1)).toBe('gone')
  })

  test('a claim during the scan leaves none behind', async () => {
    const built = walls()
    await switchOn({ trustCode: true, walls: built })
    await claim({ trustCode: true, decision: 'Approve' })
    await fleet.until(() => ended === 'enrolled')
    await fleet.clock.advance(2 * SCAN_MS)
    expect(built.done[0]).toBe('closed but for beacons')
    expect(built.done.at(-1)).toBe('gone')
  })

  test('that cannot be put up are not claimed to stand, and the machine can be claimed', async () => {
    await switchOn({ trustCode: true, walls: walls(true) })
    expect(board).not.toContain('closed')
    await claim({ trustCode: true, decision: 'Approve' })
    await fleet.until(() => ended === 'enrolled')
  })

  test('outlive an agent that ends without being claimed', async () => {
    const built = walls()
    await switchOn({ walls: built })
    await fleet.clock.advance(1_000)
    stop.abort(new Error('off'))
    await fleet.until(() => ended === 'stopped')
    expect(built.done).toEqual(['closed but for beacons'])
  })
})
