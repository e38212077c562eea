import { describe, expect, test } from 'vitest'
import { OP } from '../../protocol/command/ops.ts'
import { type Lab, lab, type Running } from '../term/testing/lab.ts'

async function converged(count: number): Promise<{ world: Lab; downlink: Running }> {
  const world = await lab(count)
  const downlink = await world.start()
  await world.connectAll()
  await world.clock.advance(1_000)
  for (const node of world.nodes) expect(downlink.fleet.view(node.name).liveness).toBe('Fresh')
  world.network.datagrams.length = 0
  return { world, downlink }
}

const isolate = { op: OP.ISOLATE, slot: 0, value: 1 }
const power = (slot: number, value: number) => ({ op: OP.POWER, slot, value })

describe('delivery', () => {
  test('the addressed copy goes first, at 0, 100 and 300 ms, then every 2 s with backoff; the others get one each', async () => {
    const { world, downlink } = await converged(4)
    // Its telemetry does not come through, so the mark is never shown.
    world.network.rules.cut('10.8.0.2', '10.8.0.1')
    const t0 = world.clock.now()
    downlink.commands.want('Node/n2', 'n2', [isolate])
    await world.clock.advance(20_000)
    const [first] = world.network.datagrams
    expect(first?.to).toBe('10.8.0.2')
    const times = world.sentTo('10.8.0.2').map((packet) => packet.timeMs - t0)
    expect(times.slice(0, 3)).toEqual([0, 100, 300])
    const waits = times.slice(3).map((time, i) => time - (times[i + 2] as number))
    expect(waits.length).toBeGreaterThanOrEqual(3)
    waits.forEach((wait, i) => {
      expect(wait).toBeGreaterThanOrEqual(2_000 * 2 ** i * 0.8)
      expect(wait).toBeLessThanOrEqual(2_000 * 2 ** i * 1.2)
    })
    for (const other of ['10.8.0.1', '10.8.0.3', '10.8.0.4'])
      expect(world.sentTo(other).map((packet) => Buffer.from(packet.bytes))).toEqual([Buffer.from(first!.bytes)])
    const repeats = world.sentTo('10.8.0.2').map((packet) => Buffer.from(packet.bytes).toString('hex'))
    expect(new Set(repeats).size).toBe(1)
  })

  test('it ends when telemetry shows the mark, and what is withdrawn is sent no more', async () => {
    const { world, downlink } = await converged(2)
    downlink.commands.want('Node/n2', 'n2', [isolate])
    await world.clock.advance(150)
    world.n(2).snapshot()
    await world.clock.advance(30_000)
    expect(world.sentTo('10.8.0.2', OP.ISOLATE)).toHaveLength(2)
    expect(downlink.commands.pending('n2')).toMatchObject([{ ...isolate, state: 'Sent' }])
    downlink.commands.want('Node/n2', 'n2', [])
    expect(downlink.commands.pending('n2')).toEqual([])
    expect(downlink.commands.lastSent('n2', OP.ISOLATE, 0)).toBe(1)
  })

  test('a mark that is lost again makes the sending go on', async () => {
    const { world, downlink } = await converged(2)
    downlink.commands.want('Node/n2', 'n2', [isolate])
    await world.clock.advance(10)
    world.n(2).snapshot()
    await world.clock.advance(1_000)
    const from = world.network.datagrams.length
    world.n(2).marks.delete(`${OP.ISOLATE}/0`)
    world.n(2).snapshot()
    await world.clock.advance(10)
    expect(world.sentTo('10.8.0.2', OP.ISOLATE, from)).toHaveLength(1)
  })

  test('wanting the same again sends nothing; a new value and a new reissue count each take a fresh sequence', async () => {
    const { world, downlink } = await converged(2)
    const want = (value: number, reissue?: number) =>
      downlink.commands.want('Archive/a', 'n2', [{ ...power(1, value), reissue }])
    want(1)
    want(1)
    await world.clock.advance(10)
    want(1)
    await world.clock.advance(10)
    expect(world.n(2).obeyed.filter((one) => one.op === OP.POWER)).toHaveLength(1)
    want(0)
    await world.clock.advance(10)
    want(0, 1)
    await world.clock.advance(10)
    const seen = world.n(2).obeyed.filter((one) => one.op === OP.POWER)
    expect(seen.map((one) => one.value)).toEqual([1, 0, 0])
    expect(world.n(2).refused).not.toContain('Stale')
    expect(new Set(seen.map((one) => one.sequence)).size).toBe(3)
  })

  test('a sequence too old for the receiver is replaced by a fresh one', async () => {
    const { world, downlink } = await converged(2)
    const heal = world.network.rules.add({ to: '10.8.0.2', protocol: 'udp', cut: true })
    downlink.commands.want('Archive/a', 'n2', [power(1, 1)])
    await world.run(300_000)
    heal()
    await world.run(40_000)
    expect(world.n(2).refused).not.toContain('ClockOff')
    expect(world.n(2).obeyed.filter((one) => one.op === OP.POWER)).toHaveLength(1)
  })

  test('an op that the agent does not list is not sent', async () => {
    const { world, downlink } = await converged(2)
    world.n(2).says = { reads: { bundle: [1], ops: [1, 2, 3] } }
    world.n(2).snapshot()
    await world.clock.settle()
    downlink.commands.want('Archive/a', 'n2', [power(1, 1)])
    await world.clock.advance(1_000)
    expect(world.sentTo('10.8.0.2')).toEqual([])
    expect(downlink.commands.pending('n2')).toMatchObject([{ state: 'Waiting', reason: 'OpNotRead' }])
    world.n(2).says = {}
    world.n(2).snapshot()
    await world.clock.advance(10)
    expect(world.n(2).obeyed.at(-1)).toMatchObject(power(1, 1))
  })

  test('a command that no packet could carry is refused where it is wanted', async () => {
    const { downlink } = await converged(1)
    const want = (command: { op: (typeof OP)['WEIGHT']; slot: number; value: number }) => () =>
      downlink.commands.want('Archive/a', 'n1', [command])
    expect(want({ op: OP.WEIGHT, slot: 0, value: 1 })).toThrow('BadSlot')
    expect(want({ op: OP.WEIGHT, slot: 1, value: 10_001 })).toThrow('BadValue')
  })

  test('a burst for one node is spread, so that no socket buffer overflows', async () => {
    const { world, downlink } = await converged(2)
    downlink.commands.want(
      'Node/n2',
      'n2',
      Array.from({ length: 255 }, (_, i) => power(i + 1, 1)),
    )
    await world.clock.advance(0)
    expect(world.sentTo('10.8.0.2').length).toBeLessThanOrEqual(64)
    await world.clock.advance(90)
    expect(world.n(2).obeyed.filter((one) => one.op === OP.POWER)).toHaveLength(255)
  })
})

describe('a node that is not Connected', () => {
  test('is sent PING, ISOLATE and SEVER with backoff to 5 minutes, the rest once it is heard', async () => {
    const world = await lab(2)
    const downlink = await world.start()
    await world.n(1).connect()
    world.n(1).snapshot()
    await world.clock.advance(1_000)
    downlink.commands.want('Archive/a', 'n2', [power(1, 1)])
    downlink.commands.want('Node/n2', 'n2', [isolate, { op: OP.SEVER, slot: 0, value: 1 }])
    await world.run(3_600_000)
    expect(world.sentTo('10.8.0.2', OP.POWER)).toEqual([])
    expect(downlink.commands.pending('n2')).toContainEqual(
      expect.objectContaining({ op: OP.POWER, state: 'Waiting', reason: 'NotConnected' }),
    )
    for (const op of [OP.PING, OP.ISOLATE, OP.SEVER]) {
      const times = world.sentTo('10.8.0.2', op).map((packet) => packet.timeMs)
      expect(times.length).toBeGreaterThan(12)
      expect(times.length).toBeLessThan(32)
      const waits = times.slice(-5).map((time, i, last) => (i === 0 ? 300_000 : time - (last[i - 1] as number)))
      for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(240_000)
      for (const wait of waits) expect(wait).toBeLessThanOrEqual(360_000)
    }
    await world.n(2).connect()
    world.n(2).snapshot()
    await world.clock.advance(3_000)
    expect(downlink.fleet.view('n2').liveness).toBe('Fresh')
    expect(world.n(2).obeyed).toContainEqual(expect.objectContaining(power(1, 1)))
  })

  test('gets what was backing off as soon as it is heard', async () => {
    const { world, downlink } = await converged(2)
    const cut = world.network.rules.part('10.8.0.1', '10.8.0.2')
    await world.run(70_000)
    downlink.commands.want('Node/n2', 'n2', [isolate])
    await world.run(3_600_000)
    cut()
    await world.clock.advance(1)
    expect(world.n(2).obeyed).not.toContainEqual(expect.objectContaining(isolate))
    await world.n(2).connect()
    world.n(2).snapshot()
    await world.clock.advance(4_000)
    expect(downlink.fleet.view('n2').liveness).toBe('Fresh')
    expect(world.n(2).obeyed.at(-1)).toMatchObject(isolate)
  })

  test('gets no copy of what is for another', async () => {
    const world = await lab(3)
    const downlink = await world.start()
    for (const node of [world.n(1), world.n(2)]) {
      await node.connect()
      node.snapshot()
    }
    await world.clock.advance(100)
    downlink.commands.want('Node/n2', 'n2', [isolate])
    await world.clock.advance(1_000)
    expect(world.sentTo('10.8.0.1', OP.ISOLATE)).toHaveLength(1)
    expect(world.sentTo('10.8.0.3', OP.ISOLATE)).toEqual([])
  })
})

describe('to 255', () => {
  test('APPLY is one packet per receiver with its own tag, at 0, 100 and 300 ms, for those that are Connected', async () => {
    const { world, downlink } = await converged(3)
    world.n(3).close()
    await world.run(70_000)
    expect(downlink.fleet.view('n3').liveness).toBe('Stale')
    const from = world.network.datagrams.length
    const t0 = world.clock.now()
    const result = await downlink.commands.broadcastApply(0x1_0007)
    await world.clock.advance(1_000)
    expect(result).toEqual({ sent: ['n1', 'n2'], held: [{ node: 'n3', reason: 'NotConnected' }] })
    const packets = world.network.datagrams.slice(from).filter((packet) => packet.bytes[0] === OP.APPLY)
    expect(packets.map((packet) => [packet.to, packet.timeMs - t0])).toEqual(
      [0, 100, 300].flatMap((ms) => [
        ['10.8.0.1', ms],
        ['10.8.0.2', ms],
      ]),
    )
    for (const packet of packets) expect(packet.bytes[1]).toBe(255)
    for (const node of [world.n(1), world.n(2)])
      expect(node.obeyed.filter((one) => one.op === OP.APPLY)).toMatchObject([{ value: 7 }])
    expect(Buffer.from(packets[0]!.bytes).equals(packets[1]!.bytes)).toBe(false)
  })

  test('a newer APPLY ends the repetitions of the one before', async () => {
    const { world, downlink } = await converged(1)
    await downlink.commands.broadcastApply(1)
    await world.clock.advance(50)
    await downlink.commands.broadcastApply(2)
    await world.clock.advance(1_000)
    const values = world.sentTo('10.8.0.1', OP.APPLY).map((packet) => packet.bytes[4])
    expect(values).toEqual([1, 2, 2, 2])
  })
})

describe('the brake (law 12)', () => {
  test('nothing goes out while it is set, and what waited goes when it is lifted', async () => {
    const { world, downlink } = await converged(3)
    await world.setBrake('maintenance')
    await world.run(6_000)
    world.network.datagrams.length = 0
    downlink.commands.want('Node/n2', 'n2', [isolate])
    expect(await downlink.commands.broadcastApply(3)).toMatchObject({ sent: [], held: [{ reason: 'Braked' }, {}, {}] })
    await world.run(60_000)
    expect(world.network.datagrams).toEqual([])
    expect(downlink.commands.pending('n2')).toMatchObject([{ state: 'Waiting', reason: 'Braked' }])
    await world.setBrake()
    await world.run(6_000)
    expect(world.n(2).obeyed).toContainEqual(expect.objectContaining(isolate))
  })

  test('it is looked at again within 5 s in the middle of a delivery', async () => {
    const { world, downlink } = await converged(2)
    world.network.rules.cut('10.8.0.2', '10.8.0.1')
    downlink.commands.want('Node/n2', 'n2', [isolate])
    await world.clock.advance(1_000)
    await world.setBrake('stop')
    await world.clock.advance(5_000)
    const from = world.network.datagrams.length
    await world.clock.advance(600_000)
    expect(world.network.datagrams.length).toBe(from)
  })

  test('copies that still wait are dropped', async () => {
    const { world, downlink } = await converged(60)
    await world.clock.advance(950)
    for (const node of world.nodes) downlink.commands.want(`Node/${node.name}`, node.name, [isolate])
    await world.setBrake('stop')
    await world.clock.advance(60)
    const from = world.network.datagrams.length
    await world.clock.advance(10_000)
    expect(world.network.datagrams.length).toBe(from)
    const sent = world.counted.get('ppn_command_copies_total Sent') ?? 0
    const dropped = world.counted.get('ppn_command_copies_total DroppedBraked') ?? 0
    expect(dropped).toBeGreaterThan(0)
    expect(sent + dropped).toBe(60 * 59)
  })

  test('one that cannot be read is set', async () => {
    const { world, downlink } = await converged(2)
    const read = world.files.read
    world.files.read = async () => {
      throw new Error('EIO')
    }
    await world.clock.advance(6_000)
    downlink.commands.want('Node/n2', 'n2', [isolate])
    await world.clock.advance(10_000)
    expect(world.network.datagrams).toEqual([])
    world.files.read = read
    await world.clock.advance(6_000)
    expect(world.sentTo('10.8.0.2', OP.ISOLATE).length).toBeGreaterThan(0)
  })

  test('only severing through it passes: three packets within 300 ms, audited before the first', async () => {
    const { world, downlink } = await converged(3)
    await world.setBrake('stolen')
    await world.run(6_000)
    world.network.datagrams.length = 0
    world.audited.length = 0
    await expect(downlink.commands.sever('n3')).rejects.toMatchObject({ code: 'CommandHeld' })
    const severed = downlink.commands.severThroughBrake('n3')
    expect(world.network.datagrams).toEqual([])
    await severed
    expect(world.audited).toMatchObject([{ kind: 'command', op: 'SEVER', node: 'n3', throughBrake: true }])
    const t0 = world.clock.now()
    await world.clock.advance(60_000)
    expect(world.network.datagrams.map((packet) => [packet.to, packet.bytes[0], packet.timeMs - t0])).toEqual([
      ['10.8.0.3', OP.SEVER, 0],
      ['10.8.0.3', OP.SEVER, 100],
      ['10.8.0.3', OP.SEVER, 300],
    ])
    await expect(downlink.commands.severThroughBrake('n1')).rejects.toMatchObject({ code: 'SeverRefused' })
  })

  test('a node that another replica of the authority speaks from is not severed either', async () => {
    const world = await lab(3)
    const downlink = await world.start({ authorityAddresses: () => ['10.8.0.1', '10.8.0.3'] })
    for (const sever of [downlink.commands.sever, downlink.commands.severThroughBrake])
      await expect(sever('n3')).rejects.toMatchObject({ code: 'SeverRefused' })
    await downlink.commands.severThroughBrake('n2')
  })
})

test('a converged fleet is sent nothing (law 6)', async () => {
  const { world } = await converged(5)
  await world.run(600_000)
  expect(world.network.datagrams).toEqual([])
})

test('one line of audit a command, however many packets and copies it takes', async () => {
  const { world, downlink } = await converged(6)
  world.audited.length = 0
  world.network.rules.cut('10.8.0.2', '10.8.0.1')
  downlink.commands.want('Node/n2', 'n2', [isolate])
  await downlink.commands.broadcastApply(9)
  await world.clock.advance(10_000)
  expect(world.audited).toHaveLength(2)
  expect(world.audited).toContainEqual(
    expect.objectContaining({ kind: 'command', op: 'ISOLATE', node: 'n2', value: 1 }),
  )
  const to = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6']
  expect(world.audited).toContainEqual(expect.objectContaining({ kind: 'command', op: 'APPLY', value: 9, to }))
})

test('what is sent after a ceiling was named lies above it', async () => {
  const { world, downlink } = await converged(2)
  downlink.commands.want('Archive/a', 'n2', [power(1, 1)])
  await world.clock.advance(1)
  const ceiling = downlink.commands.ceiling('n2')
  for (const one of world.n(2).obeyed) expect(one.sequence).toBeLessThanOrEqual(ceiling.sequence)
  downlink.commands.want('Archive/b', 'n2', [power(2, 1)])
  await world.clock.advance(1)
  expect(world.n(2).obeyed.at(-1)).toMatchObject({ slot: 2, term: ceiling.term })
  expect(world.n(2).obeyed.at(-1)!.sequence).toBeGreaterThan(ceiling.sequence)
})
