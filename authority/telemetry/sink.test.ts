import { describe, expect, test } from 'vitest'
import { lengthFrame } from '../../base/length-frames.ts'
import { OP } from '../../protocol/command/ops.ts'
import { sealFrame, TELEMETRY_VERSIONS } from '../../protocol/telemetry/frame.ts'
import { type Lab, lab, type Running } from '../term/testing/lab.ts'

async function converged(count: number): Promise<{ world: Lab; downlink: Running }> {
  const world = await lab(count)
  const downlink = await world.start()
  await world.connectAll()
  await world.clock.advance(1_000)
  return { world, downlink }
}
const discarded = (world: Lab, reason: string) => world.counted.get(`ppn_telemetry_discarded_total ${reason}`) ?? 0

describe('the diode (law 1)', () => {
  test('the authority closes its direction as it accepts, and never writes a byte', async () => {
    const world = await lab(2)
    await world.start()
    await world.n(2).connect()
    await world.clock.settle()
    expect(world.n(2).halfClosed).toBe(true)
    world.n(2).snapshot()
    world.n(2).raw(new Uint8Array(100))
    await world.run(120_000)
    expect(
      world.network.segments.filter((segment) => segment.from === '10.8.0.1' && segment.to !== '10.8.0.1'),
    ).toEqual([])
    expect(world.network.segments.length).toBeGreaterThan(0)
  })

  test('what comes back on the command socket is ignored', async () => {
    const { world, downlink } = await converged(2)
    const socket = await world.network.transport().bindUdp('10.8.0.2', 9999, () => {})
    const before = downlink.fleet.views()
    await socket.send(new Uint8Array(16), '10.8.0.1', 0)
    await world.clock.settle()
    expect(downlink.fleet.views()).toEqual(before)
  })
})

describe('what counts (law 2)', () => {
  test('every node is Unheard after a start, until it shows the mark of a PING of this process', async () => {
    const world = await lab(2)
    world.n(2).answers = false
    const downlink = await world.start()
    expect(downlink.fleet.view('n2')).toMatchObject({ liveness: 'Unheard', report: undefined })
    await world.n(2).connect()
    world.n(2).marks.clear()
    world.n(2).snapshot()
    await world.clock.settle()
    expect(downlink.fleet.view('n2')).toMatchObject({
      liveness: 'Unheard',
      report: undefined,
      bootId: world.n(2).bootId,
    })
    await world.clock.advance(5_000)
    world.n(2).snapshot()
    await world.clock.settle()
    expect(downlink.fleet.view('n2')).toMatchObject({ liveness: 'Fresh', report: { agentVersion: '0.1.0' } })
  })

  test('a frame of an earlier term yields its term and boot id only, and draws a PING', async () => {
    const { world, downlink } = await converged(2)
    const term = downlink.reign.term()
    await downlink.stop()
    // Its packets are lost, so that it stays in the old term.
    world.network.rules.add({ to: '10.8.0.2', protocol: 'udp', cut: true })
    const again = await world.start()
    await world.n(2).connect()
    world.n(2).snapshot()
    await world.clock.advance(6_000)
    const from = world.network.datagrams.length
    world.n(2).snapshot()
    await world.clock.advance(2_000)
    expect(again.fleet.view('n2')).toMatchObject({
      liveness: 'Unheard',
      term,
      bootId: world.n(2).bootId,
      report: undefined,
    })
    expect(world.sentTo('10.8.0.2', OP.PING, from).length).toBeGreaterThan(0)
  })

  test('a frame in the name of an earlier term counts for nothing, whatever marks it holds', async () => {
    const { world, downlink } = await converged(2)
    await downlink.stop()
    const second = await world.start()
    await world.connectAll()
    await world.clock.advance(6_000)
    expect(second.fleet.view('n2').liveness).toBe('Fresh')
    world.n(2).write(world.n(2).frame({ term: 1, body: { ...world.n(2).report(), isolated: true } }))
    await world.clock.settle()
    expect(second.fleet.view('n2')).toMatchObject({ liveness: 'Fresh', report: { isolated: false } })
  })

  test('the mark of a PING of our term that we never sent counts for nothing', async () => {
    const world = await lab(2)
    world.network.rules.add({ to: '10.8.0.2', protocol: 'udp', cut: true })
    const downlink = await world.start()
    await world.clock.advance(1_000)
    world.n(2).term = downlink.reign.term()
    world.n(2).marks.set('1/0', { op: 1, slot: 0, term: world.n(2).term, sequence: 5, value: 0, state: 'done' })
    await world.n(2).connect()
    world.n(2).snapshot()
    await world.clock.settle()
    expect(downlink.fleet.view('n2').liveness).toBe('Unheard')
  })

  test('frames recorded under the last reign refresh nothing when they are played back', async () => {
    const world = await lab(2)
    const first = await world.start()
    await world.connectAll()
    await world.clock.advance(1_000)
    const recorded = world.n(2).frame()
    await first.stop()
    for (const node of world.nodes) node.close()
    const second = await world.start()
    await world.n(2).connect()
    await world.clock.advance(10_000)
    for (let i = 0; i < 5; i++) {
      world.n(2).write(recorded)
      await world.clock.advance(1_000)
    }
    expect(second.fleet.view('n2').liveness).toBe('Unheard')
  })

  test('with its telemetry cut a node becomes Stale after 60 s by our clock, whatever the wall clock does', async () => {
    const { world, downlink } = await converged(2)
    const heard = downlink.fleet.view('n2').lastHeardMs
    const told: string[] = []
    downlink.fleet.subscribe((node) => told.push(node))
    world.clock.jump(3_600_000)
    world.network.rules.part('10.8.0.1', '10.8.0.2')
    await world.clock.advance(58_000)
    expect(downlink.fleet.view('n2').liveness).toBe('Fresh')
    await world.clock.advance(2_000)
    expect(downlink.fleet.view('n2')).toMatchObject({ liveness: 'Stale', lastHeardMs: heard })
    expect(told).toContain('n2')
  })

  test('a stale node that is heard again becomes Fresh', async () => {
    const { world, downlink } = await converged(2)
    const heal = world.network.rules.cut('10.8.0.2', '10.8.0.1')
    await world.run(70_000)
    expect(downlink.fleet.view('n2').liveness).toBe('Stale')
    heal()
    await world.run(20_000)
    expect(downlink.fleet.view('n2').liveness).toBe('Fresh')
  })

  test('a restarted agent is believed again once it answered a PING', async () => {
    const { world, downlink } = await converged(2)
    const old = world.n(2).bootId
    world.n(2).reboot()
    await world.n(2).connect()
    world.n(2).snapshot()
    await world.clock.settle()
    await world.clock.advance(3_000)
    expect(downlink.fleet.view('n2')).toMatchObject({ liveness: 'Fresh', bootId: world.n(2).bootId })
    expect(world.n(2).bootId).not.toBe(old)
    expect(discarded(world, 'BootIdUnproven')).toBeGreaterThan(0)
  })

  test('a frame that was held up for over 60 s does not refresh a node, but draws a PING whose mark does', async () => {
    const { world, downlink } = await converged(2)
    world.n(2).answers = false
    const late = world.n(2).frame()
    await world.clock.advance(61_000)
    expect(downlink.fleet.view('n2').liveness).toBe('Stale')
    const from = world.network.datagrams.length
    world.n(2).write(late)
    await world.clock.advance(1_900)
    expect(discarded(world, 'UptimeLags')).toBe(1)
    expect(downlink.fleet.view('n2').liveness).toBe('Stale')
    await world.clock.advance(200)
    expect(world.sentTo('10.8.0.2', OP.PING, from).length).toBeGreaterThan(0)
    world.n(2).snapshot()
    await world.clock.settle()
    expect(downlink.fleet.view('n2').liveness).toBe('Fresh')
  })
})

describe('the brake', () => {
  test('under it nodes that were not heard stay Unknown: Braked, and PING goes out when it is lifted', async () => {
    const world = await lab(2)
    await world.setBrake('stop')
    const downlink = await world.start()
    await world.connectAll()
    await world.run(30_000)
    expect(downlink.fleet.view('n2').liveness).toBe('Braked')
    expect(world.network.datagrams).toEqual([])
    const told: string[] = []
    downlink.fleet.subscribe((node) => told.push(node))
    await world.setBrake()
    await world.run(10_000)
    expect(downlink.fleet.view('n2').liveness).toBe('Fresh')
    expect(told).toContain('n2')
  })
})

describe('what comes in', () => {
  test('a source that is no node is closed at once', async () => {
    const { world } = await converged(1)
    const connection = await world.network
      .transport()
      .connect('10.8.0.77', '10.8.0.1', 8091, new AbortController().signal)
    let closed = false
    connection.stream.on('close', () => {
      closed = true
    })
    connection.stream.on('error', () => {})
    connection.stream.resume()
    await world.clock.advance(10)
    for (const _ of [1, 2]) {
      connection.stream.write('anything')
      await world.clock.advance(10)
    }
    expect(closed).toBe(true)
    expect(discarded(world, 'UnknownSource')).toBe(1)
  })

  test.each<[string, string, (world: Lab) => Uint8Array]>([
    ['a frame under a wrong key', 'BadTag', (world) => lengthFrame(flip(world.n(2).frame(), -1))],
    ['a frame in the name of another term', 'BadTag', (world) => lengthFrame(flip(world.n(2).frame(), 4))],
    ['an unknown version', 'UnknownVersion', (world) => lengthFrame(flip(world.n(2).frame(), 0, 0x60))],
    ['a frame of no length', 'BadFrame', () => lengthFrame(new Uint8Array())],
    ['a length over the limit', 'FrameTooLong', () => Uint8Array.of(0xff, 0, 0, 0)],
  ])('%s changes nothing and ends the connection', async (_, reason, bytes) => {
    const { world, downlink } = await converged(2)
    const before = downlink.fleet.view('n2')
    world.n(2).says = { isolated: true }
    world.n(2).raw(bytes(world))
    await world.clock.advance(10)
    expect(downlink.fleet.view('n2')).toEqual(before)
    expect(await gone(world, 2)).toBe(true)
    expect(discarded(world, reason)).toBe(1)
  })

  test('a field unknown in its version is discarded, and the next snapshot is taken', async () => {
    const { world, downlink } = await converged(2)
    // A newer agent wrote version 1 with a field that version 1 does not know.
    const versions = new Map([
      [1, { write: (frame: object) => ({ ...frame, surprise: 1 }), read: TELEMETRY_VERSIONS.get(1)!.read }],
    ])
    const header = { bootId: world.n(2).bootId, sequence: 500, uptimeMs: 2_000 }
    const body = { ...world.n(2).report(), isolated: true }
    const frame = { term: world.n(2).term, header, type: 'full' as const, part: 1, parts: 1, body }
    world.n(2).write(sealFrame(frame, world.n(2).keys(frame.term).telemetry, { versions }))
    await world.clock.settle()
    expect(downlink.fleet.view('n2').report?.isolated).toBe(false)
    expect(discarded(world, 'BadFrame')).toBe(1)
    world.n(2).says = { isolated: true }
    world.n(2).snapshot()
    await world.clock.settle()
    expect(downlink.fleet.view('n2').report?.isolated).toBe(true)
  })

  test('a repeated frame is discarded', async () => {
    const { world } = await converged(2)
    const frame = world.n(2).frame()
    world.n(2).write(frame)
    world.n(2).write(frame)
    await world.clock.settle()
    expect(discarded(world, 'SequenceNotRising')).toBe(1)
  })

  test('a snapshot in parts is taken when it is whole, and deltas are merged into it', async () => {
    const { world, downlink } = await converged(2)
    const peers = Array.from({ length: 254 }, (_, i) => ({
      nodeId: i.toString(16).padStart(32, '0'),
      name: `peer-${i}`,
      publicKey: 'k'.repeat(44),
      path: 'Direct' as const,
      reason: 'x'.repeat(63),
      allowedIPs: Array.from({ length: 20 }, () => '10.8.0.0/32'),
      rxBytes: 1,
      txBytes: 1,
    }))
    world.n(2).says = { peers }
    world.n(2).snapshot()
    await world.clock.settle()
    expect(downlink.fleet.view('n2').report?.peers).toHaveLength(254)
    world.n(2).delta({ isolated: true })
    await world.clock.settle()
    expect(downlink.fleet.view('n2').report).toMatchObject({ isolated: true, agentVersion: '0.1.0' })
  })

  test('a delta on a new connection waits for a snapshot', async () => {
    const { world, downlink } = await converged(2)
    await world.n(2).connect()
    world.n(2).delta({ isolated: true })
    await world.clock.settle()
    expect(downlink.fleet.view('n2').report?.isolated).toBe(false)
    expect(discarded(world, 'DeltaWithoutBase')).toBe(1)
  })

  test('after a frame that was lost, deltas wait for the next snapshot', async () => {
    const { world, downlink } = await converged(2)
    const wrong = world.n(2).frame({ type: 'delta', body: { isolated: true } })
    const inside = JSON.parse(Buffer.from(wrong.subarray(5, -16)).toString()) as object
    const versions = new Map([
      [1, { write: () => ({ ...inside, surprise: 1 }), read: TELEMETRY_VERSIONS.get(1)!.read }],
    ])
    const { term } = world.n(2)
    const frame = { ...(inside as Parameters<typeof sealFrame>[0]), term }
    world.n(2).write(sealFrame(frame, world.n(2).keys(term).telemetry, { versions }))
    world.n(2).delta({ agentVersion: '0.2.0' })
    await world.clock.settle()
    expect(discarded(world, 'DeltaWithoutBase')).toBe(1)
    expect(downlink.fleet.view('n2').report?.agentVersion).toBe('0.1.0')
  })

  test('a connection that says nothing is closed after 30 s, and a fifth one of a node costs the oldest', async () => {
    const { world } = await converged(2)
    const open = async () => {
      const { signal } = new AbortController()
      const connection = await world.network.transport().connect('10.8.0.2', '10.8.0.1', 8091, signal)
      connection.stream.on('error', () => {})
      connection.stream.resume()
    }
    const connections = () => world.counted.get('ppn_telemetry_connections')
    const before = connections() ?? 0
    for (let i = 0; i < 5; i++) await open()
    await world.clock.settle()
    expect(discarded(world, 'TooManyConnections')).toBe(2)
    expect(connections()).toBe(before - 1 + 4)
    await world.clock.advance(30_000)
    expect(connections()).toBe(before - 1)
  })

  test('the newest connection with a valid frame wins; one without takes nothing away', async () => {
    const { world, downlink } = await converged(2)
    const transport = world.network.transport()
    const second = await transport.connect('10.8.0.2', '10.8.0.1', 8091, new AbortController().signal)
    second.stream.on('error', () => {})
    second.stream.resume()
    await world.clock.settle()
    expect(world.n(2).connected).toBe(true)
    world.n(2).says = { isolated: true }
    world.n(2).snapshot()
    await world.clock.settle()
    expect(downlink.fleet.view('n2').report?.isolated).toBe(true)
    world.n(2).says = {}
    second.stream.write(lengthFrame(world.n(2).frame()))
    await world.clock.settle()
    expect(await gone(world, 2)).toBe(true)
    expect(downlink.fleet.view('n2').report?.isolated).toBe(false)
  })

  test('a flood is charged to its node after the tag, and the node recovers', async () => {
    const { world, downlink } = await converged(2)
    for (let i = 0; i < 300; i++) world.n(2).delta({ isolated: true })
    await world.clock.settle()
    expect(discarded(world, 'RateLimited')).toBeGreaterThan(50)
    await world.clock.advance(10_000)
    // Something was lost: what builds on it waits for a snapshot.
    world.n(2).delta({ agentVersion: '0.2.0' })
    await world.clock.settle()
    expect(discarded(world, 'DeltaWithoutBase')).toBe(1)
    world.n(2).says = { isolated: false }
    world.n(2).snapshot()
    await world.clock.settle()
    expect(downlink.fleet.view('n2').report?.isolated).toBe(false)
  })

  test('a node that was retired is heard no longer', async () => {
    const { world, downlink } = await converged(2)
    world.retire('n2')
    await world.clock.settle()
    expect(await gone(world, 2)).toBe(true)
    expect(downlink.fleet.views().map((view) => view.node)).toEqual(['n1'])
    expect(downlink.fleet.view('n2').liveness).toBe('Unheard')
  })

  test('a version before our own is read', async () => {
    const world = await lab(2)
    const [current] = TELEMETRY_VERSIONS.values()
    const downlink = await world.start({
      versions: new Map([
        [1, current!],
        [2, current!],
      ]),
    })
    await world.connectAll()
    await world.clock.advance(1_000)
    expect(downlink.fleet.view('n2').liveness).toBe('Fresh')
  })
})

describe('who is told', () => {
  test('a listener that throws costs its connection, not the sink', async () => {
    const { world, downlink } = await converged(3)
    const stop = downlink.fleet.subscribe(() => {
      throw new Error('a fault elsewhere')
    })
    world.n(2).says = { isolated: true }
    world.n(2).snapshot()
    await world.clock.settle()
    expect(discarded(world, 'OwnFault')).toBe(1)
    stop()
    world.n(3).says = { isolated: true }
    world.n(3).snapshot()
    await world.clock.settle()
    expect(downlink.fleet.view('n3').report?.isolated).toBe(true)
  })

  test('only of what does not move all the time', async () => {
    const { world, downlink } = await converged(2)
    const told: string[] = []
    downlink.fleet.subscribe((node) => told.push(node))
    await world.run(120_000)
    expect(told).toEqual([])
    world.n(2).says = { isolated: true }
    world.n(2).snapshot()
    await world.clock.settle()
    expect(told).toEqual(['n2'])
  })
})

describe('a node that no command reaches', () => {
  test('is named when it is more than 16 terms behind', async () => {
    const world = await lab(2)
    world.facts.set('term', { key: 'term', value: 30, version: 1 })
    world.n(2).term = 14
    await world.start()
    await world.n(2).connect()
    world.n(2).snapshot()
    await world.clock.advance(100)
    expect(world.needs).toEqual([{ node: 'n2', why: 'TermBehind' }])
  })

  test('is not named at 16: a PING reaches it', async () => {
    const world = await lab(2)
    world.facts.set('term', { key: 'term', value: 30, version: 1 })
    world.n(2).term = 15
    const downlink = await world.start()
    await world.n(2).connect()
    world.n(2).snapshot()
    await world.clock.advance(3_000)
    expect(world.needs).toEqual([])
    expect(downlink.fleet.view('n2').liveness).toBe('Fresh')
  })

  test('is named when it lost its marks, every 10 s at most', async () => {
    const { world } = await converged(2)
    world.n(2).marksLost = true
    world.n(2).reboot()
    await world.n(2).connect()
    for (let i = 0; i < 30; i++) {
      world.n(2).snapshot()
      await world.clock.advance(1_000)
    }
    expect(world.needs).toEqual(Array(3).fill({ node: 'n2', why: 'MarksLost' }))
  })

  test('is named only when the start is over', async () => {
    const { world, downlink } = await converged(3)
    await downlink.stop()
    world.n(2).marksLost = true
    await world.start()
    await world.n(2).connect()
    world.n(2).snapshot()
    await world.clock.advance(4_000)
    expect(world.needs).toEqual([])
    await world.clock.advance(1_000)
    expect(world.needs).toEqual([{ node: 'n2', why: 'MarksLost' }])
  })

  test('is named when it lost its bundle', async () => {
    const { world } = await converged(2)
    world.n(2).says = { bundleLost: true }
    world.n(2).snapshot()
    await world.clock.settle()
    expect(world.needs).toEqual([{ node: 'n2', why: 'BundleLost' }])
  })
})

/** Whether the node's connection is gone: with our direction closed long ago, TCP tells it at its second frame. */
async function gone(world: Lab, i: number): Promise<boolean> {
  for (const _ of [1, 2]) {
    world.n(i).snapshot()
    await world.clock.settle()
  }
  return !world.n(i).connected
}

function flip(bytes: Uint8Array, at: number, bits = 1): Uint8Array {
  const changed = new Uint8Array(bytes)
  const index = (at + changed.length) % changed.length
  changed[index] = (changed[index] as number) ^ bits
  return changed
}

test('law 13: what a node discarded is counted by reason, once', async () => {
  const { world } = await converged(2)
  world.n(2).says = { refusals: { BadTag: 2 } }
  world.n(2).snapshot()
  await world.clock.settle()
  world.n(2).snapshot()
  await world.clock.settle()
  expect(world.counted.get('ppn_node_refusals_total BadTag')).toBe(2)
})
