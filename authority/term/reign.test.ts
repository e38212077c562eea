// Reigns as a whole: start, restart, deposition, restore; against model nodes.
import { describe, expect, test } from 'vitest'
import { OP } from '../../protocol/command/ops.ts'
import { memoryRecords } from '../allocation/testing/memory-records.ts'
import { recordedTerm } from './raise.ts'
import { beginRestore, type Claims, readRestore } from './restore.ts'
import { type Lab, lab } from './testing/lab.ts'

/** A first reign that ended with every node Connected. */
async function afterOneReign(count: number): Promise<Lab> {
  const world = await lab(count)
  const first = await world.start()
  await world.connectAll()
  await world.clock.advance(3_000)
  for (const node of world.nodes) expect(first.fleet.view(node.name).liveness).toBe('Fresh')
  await first.stop()
  world.network.datagrams.length = 0
  return world
}

describe('the term', () => {
  test('rises at every start, durably before the first packet', async () => {
    const world = await lab(1)
    for (const term of [1, 2, 3]) {
      world.network.datagrams.length = 0
      const records = memoryRecords(world.facts)
      records.onWrite((key) => {
        if (key === 'term') expect(world.network.datagrams).toEqual([])
      })
      const downlink = await world.start({ records, listenMs: 0 })
      expect(downlink.reign.term()).toBe(term)
      expect(world.facts.get('term')?.value).toBe(term)
      await world.clock.settle()
      expect(world.sentTo('10.8.0.1', OP.PING)).toHaveLength(1)
      await downlink.stop()
    }
  })

  test('that cannot be made durable starts nothing', async () => {
    const world = await lab(1)
    const records = memoryRecords(world.facts)
    records.onWrite(() => {
      throw new Error('disk full')
    })
    await expect(world.start({ records })).rejects.toThrow('disk full')
    await world.clock.advance(60_000)
    expect(world.network.datagrams).toEqual([])
  })

  test('of two that start at once over the same records one reigns', async () => {
    const world = await lab(1)
    const results = await Promise.allSettled([world.start(), world.start()])
    expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected'])
    // On one machine the port decides, before a term is spent; on two, the records.
    const lost = results.find((result) => result.status === 'rejected')
    expect(lost).toMatchObject({ reason: { code: expect.stringMatching(/^(Conflict|EADDRINUSE)$/) } })
  })

  test('a port that cannot be had costs no term', async () => {
    const world = await lab(1)
    const first = await world.start()
    const before = recordedTerm(memoryRecords(world.facts))
    await expect(world.start()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(recordedTerm(memoryRecords(world.facts))).toBe(before)
    await first.stop()
  })

  test('a packet captured under an earlier one is a dead letter', async () => {
    const world = await lab(2)
    const first = await world.start()
    await world.connectAll()
    await world.clock.advance(1_000)
    first.commands.want('Archive/a', 'n2', [{ op: OP.POWER, slot: 1, value: 0 }])
    await world.clock.advance(10)
    const captured = world.sentTo('10.8.0.2', OP.POWER)[0]!.bytes
    world.n(2).snapshot()
    await first.stop()
    const second = await world.start()
    await world.connectAll()
    await world.clock.advance(6_000)
    second.commands.want('Archive/a', 'n2', [{ op: OP.POWER, slot: 1, value: 1 }])
    await world.clock.advance(10)
    const obeyed = world.n(2).obeyed.length
    world.n(2).receive(captured, '10.8.0.1')
    expect(world.n(2).obeyed).toHaveLength(obeyed)
    expect(world.n(2).refused.at(-1)).toBe('BadTag')
  })
})

describe('a restart', () => {
  test('of the authority of a converged fleet costs one PING a node and nothing else', async () => {
    const world = await afterOneReign(20)
    const downlink = await world.start()
    await world.connectAll()
    await world.run(60_000)
    for (const node of world.nodes) expect(downlink.fleet.view(node.name).liveness).toBe('Fresh')
    expect(world.network.datagrams.map((packet) => packet.bytes[0])).toEqual(Array(20).fill(OP.PING))
    expect(new Set(world.network.datagrams.map((packet) => packet.to)).size).toBe(20)
  })

  test('listens first until every node last Connected was heard', async () => {
    const world = await afterOneReign(3)
    const downlink = await world.start()
    await world.n(1).connect()
    world.n(1).snapshot()
    await world.clock.advance(4_900)
    expect(downlink.reign.phase()).toBe('Listening')
    expect(world.network.datagrams).toEqual([])
    for (const i of [2, 3]) {
      await world.n(i).connect()
      world.n(i).snapshot()
    }
    await world.clock.advance(1)
    expect(downlink.reign.phase()).toBe('Open')
    expect(world.network.datagrams).toHaveLength(3)
  })

  test('listens 5 s at most', async () => {
    const world = await afterOneReign(2)
    await world.start()
    await world.clock.advance(4_999)
    expect(world.network.datagrams).toEqual([])
    await world.clock.advance(1)
    expect(world.network.datagrams).toHaveLength(2)
  })

  test('does not wait for a node that had fallen silent', async () => {
    const world = await lab(2)
    const first = await world.start()
    await world.connectAll()
    await world.clock.advance(3_000)
    world.n(2).close()
    await world.run(80_000)
    await first.stop()
    const second = await world.start()
    await world.n(1).connect()
    world.n(1).snapshot()
    await world.clock.advance(10)
    expect(second.reign.phase()).toBe('Open')
  })

  test('a person’s severing waits until it is over, and then goes out', async () => {
    const world = await afterOneReign(2)
    const downlink = await world.start()
    const severed = downlink.commands.severThroughBrake('n2')
    await world.clock.advance(4_900)
    expect(world.network.datagrams).toEqual([])
    await world.clock.advance(200)
    await severed
    expect(world.sentTo('10.8.0.2', OP.SEVER).length).toBeGreaterThan(0)
  })

  test('what is wanted meanwhile waits, and says so', async () => {
    const world = await afterOneReign(2)
    const downlink = await world.start()
    downlink.commands.want('Node/n2', 'n2', [{ op: OP.ISOLATE, slot: 0, value: 1 }])
    await world.clock.advance(100)
    expect(downlink.commands.pending('n2')).toMatchObject([{ state: 'Waiting', reason: 'Listening' }])
    await world.connectAll()
    await world.clock.advance(100)
    expect(world.n(2).obeyed.at(-1)).toMatchObject({ op: OP.ISOLATE, value: 1 })
  })
})

describe('an authority that is not the newest', () => {
  test('is Superseded by a hub, and sends nothing to anybody', async () => {
    const world = await afterOneReign(3)
    world.n(1).term = 2
    const downlink = await world.start()
    await world.connectAll()
    downlink.commands.want('Node/n3', 'n3', [{ op: OP.ISOLATE, slot: 0, value: 1 }])
    await expect(downlink.commands.severThroughBrake('n3')).rejects.toMatchObject({ code: 'SeverSuperseded' })
    await world.run(120_000)
    expect(downlink.fleet.superseded()).toBe(true)
    expect(downlink.fleet.views().map((view) => view.liveness)).toEqual(['Superseded', 'Superseded', 'Superseded'])
    expect(world.network.datagrams).toEqual([])
  })

  test('is told so by two spokes; one alone is only left out', async () => {
    const world = await afterOneReign(4)
    world.n(3).term = 9
    const downlink = await world.start()
    await world.connectAll()
    await world.run(20_000)
    expect(downlink.fleet.superseded()).toBe(false)
    expect(downlink.fleet.views().map((view) => view.liveness)).toEqual(['Fresh', 'Fresh', 'Superseded', 'Fresh'])
    expect(world.sentTo('10.8.0.3')).toEqual([])
    downlink.commands.want('Node/n2', 'n2', [{ op: OP.ISOLATE, slot: 0, value: 1 }])
    await downlink.commands.broadcastApply(4)
    await world.run(1_000)
    expect(world.sentTo('10.8.0.3')).toEqual([])
    // It may be the stolen one: a person reaches it all the same.
    await downlink.commands.severThroughBrake('n3')
    await world.run(1_000)
    expect(world.sentTo('10.8.0.3').map((packet) => packet.bytes[0])).toEqual([OP.SEVER, OP.SEVER, OP.SEVER])
    world.n(4).term = 9
    world.n(4).snapshot()
    await world.clock.settle()
    expect(downlink.fleet.superseded()).toBe(true)
  })

  test('deposed while it runs, it falls silent, and what it sent last is refused', async () => {
    const world = await lab(3, { hubs: 1 })
    const old = await world.start()
    await world.connectAll()
    await world.clock.advance(3_000)
    // Another leader under the next term reached the nodes first.
    for (const node of world.nodes) node.term = 2
    old.commands.want('Node/n2', 'n2', [{ op: OP.ISOLATE, slot: 0, value: 1 }])
    await world.clock.advance(50)
    expect(world.n(2).refused).toContain('BadTag')
    for (const node of world.nodes) node.snapshot()
    await world.clock.settle()
    expect(old.fleet.superseded()).toBe(true)
    const from = world.network.datagrams.length
    await world.run(600_000)
    expect(world.network.datagrams.length).toBe(from)
    expect(world.n(2).obeyed).not.toContainEqual(expect.objectContaining({ op: OP.ISOLATE }))
  })
})

describe('after a restore', () => {
  async function restored(terms: number[], claims: Claims[] = [], listenMs?: number) {
    const world = await lab(terms.length)
    terms.forEach((term, i) => {
      world.n(i + 1).term = term
    })
    world.facts.set('term', { key: 'term', value: 4, version: 1 })
    await beginRestore(
      memoryRecords(world.facts),
      { term: 4, revision: 10 },
      world.nodes.map((node) => node.name),
    )
    const downlink = await world.start({ listenMs, takeClaims: async (_, claimed) => void claims.push(claimed) })
    return { world, downlink }
  }

  test('a higher term that a node reports is taken, and reigned above', async () => {
    const { world, downlink } = await restored([12, 15, 9])
    await world.connectAll()
    await world.run(20_000)
    expect(downlink.reign.term()).toBeGreaterThan(15)
    expect(world.facts.get('term')?.value).toBe(downlink.reign.term())
    expect(downlink.fleet.views().map((view) => view.liveness)).toEqual(['Fresh', 'Fresh', 'Fresh'])
    for (const node of world.nodes) expect(node.term).toBe(downlink.reign.term())
    await world.clock.advance(1_000)
    expect(readRestore(memoryRecords(world.facts))).toBeUndefined()
  })

  test('what else it reports is handed over before the node counts as heard', async () => {
    const claims: Claims[] = []
    const { world, downlink } = await restored([6], claims)
    const heardFirst: number[] = []
    downlink.fleet.subscribe((node) => {
      if (downlink.fleet.view(node).liveness === 'Fresh') heardFirst.push(claims.length)
    })
    const digest = 'd'.repeat(64)
    world.n(1).says = { bundles: { applied: { term: 6, revision: 77, digest } } }
    await world.connectAll()
    await world.run(20_000)
    expect(claims[0]).toMatchObject({ term: 6, revision: 77 })
    expect(heardFirst[0]).toBeGreaterThan(0)
  })

  test('a node is not taken for heard while its claims are being made durable', async () => {
    const world = await lab(1)
    await beginRestore(memoryRecords(world.facts), { term: 0, revision: 10 }, ['n1'])
    let done: () => void = () => {}
    const takeClaims = () => new Promise<void>((resolve) => (done = resolve))
    const downlink = await world.start({ takeClaims })
    // It was reached by the PING before it could say anything.
    await world.clock.advance(6_000)
    expect(world.n(1).term).toBe(downlink.reign.term())
    await world.n(1).connect()
    world.n(1).snapshot()
    await world.clock.advance(9_000)
    expect(downlink.fleet.view('n1').liveness).toBe('Unheard')
    done()
    await world.run(10_000)
    expect(downlink.fleet.view('n1').liveness).toBe('Fresh')
  })

  // 0: a leader on a cluster, which otherwise speaks at once, and then could not tell.
  test.each([undefined, 0])(
    'our own term, reported by a node that we sent nothing, was another reign: ours goes above it (%s)',
    async (listenMs) => {
      const { world, downlink } = await restored([5], [], listenMs)
      await world.connectAll()
      await world.run(20_000)
      expect(downlink.reign.term()).toBe(6)
      expect(downlink.fleet.view('n1').liveness).toBe('Fresh')
    },
  )

  test('it goes above it also when the node is heard only after it was told: nobody could say whose term it reports', async () => {
    const { world, downlink } = await restored([5, 5, 5])
    await world.clock.advance(6_000)
    expect(world.sentTo('10.8.0.1', OP.PING)).not.toEqual([])
    await world.connectAll()
    await world.run(20_000)
    // Once, however many report it.
    expect(downlink.reign.term()).toBe(6)
    expect(downlink.fleet.views().map((view) => view.liveness)).toEqual(['Fresh', 'Fresh', 'Fresh'])
  })

  test('a term out of reach is not taken, and speaks against us', async () => {
    const { world, downlink } = await restored([7, 2 ** 21])
    await world.connectAll()
    await world.run(20_000)
    expect(downlink.reign.term()).toBe(8)
    expect(downlink.fleet.views().map((view) => view.liveness)).toEqual(['Fresh', 'Superseded'])
  })

  test('a node not heard since is sent nothing but PING, ISOLATE and SEVER', async () => {
    const { world, downlink } = await restored([7, 7])
    await world.n(1).connect()
    world.n(1).snapshot()
    downlink.commands.want('Archive/a', 'n2', [{ op: OP.POWER, slot: 1, value: 1 }])
    downlink.commands.want('Node/n2', 'n2', [{ op: OP.ISOLATE, slot: 0, value: 0 }])
    await world.run(30_000)
    expect(downlink.fleet.view('n1').liveness).toBe('Fresh')
    const ops = new Set(world.sentTo('10.8.0.2').map((packet) => packet.bytes[0]))
    expect([...ops].sort()).toEqual([OP.PING, OP.ISOLATE])
    await downlink.stop()
    expect(readRestore(memoryRecords(world.facts))?.unheard).toEqual(['n2'])
  })
})
