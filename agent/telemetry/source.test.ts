import { expect, test } from 'vitest'
import { OP, POWER } from '../../protocol/command/ops.ts'
import { agentBench } from '../../testing/agent-bench.ts'
import { anArchive } from '../../testing/bundle-fixtures.ts'
import { fakeAuthority } from '../../testing/fake-authority.ts'

test('a full snapshot at connect, every 10 s, and on PING; sequence and uptime rise under one boot id', async () => {
  const { clock, authority, enrolled } = await agentBench()
  const agent = await enrolled()
  await clock.advance(29_500)
  const full = authority.frames.filter((f) => f.type === 'full')
  expect(full).toHaveLength(4)
  await authority.send(OP.PING)
  await clock.advance(20)
  expect(authority.frames.at(-1)?.type).toBe('full')
  for (const [i, { header }] of authority.frames.entries()) {
    expect(header.bootId).toBe(agent.bootId)
    const before = authority.frames[i - 1]?.header
    expect(header.sequence).toBeGreaterThan(before?.sequence ?? 0)
    expect(header.uptimeMs).toBeGreaterThanOrEqual(before?.uptimeMs ?? 0)
  }
  await agent.stop()
})

test('a change is told within 50 ms, several at once in one delta, and moving figures alone are not', async () => {
  const { clock, authority, enrolled } = await agentBench()
  const agent = await enrolled({ archives: [anArchive({ slot: 1 }), anArchive({ slot: 2 })] })
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await authority.send(OP.POWER, { slot: 2, value: POWER.start })
  await clock.advance(60)
  const told = authority.frames.filter((f) => f.type === 'delta').at(-1)
  expect(told?.body.archives?.map((a) => a.lifecycle)).toEqual(['Starting', 'Starting'])
  await clock.advance(60_000)
  const before = authority.frames.filter((f) => f.type === 'delta').length
  await clock.advance(60_000)
  expect(authority.frames.filter((f) => f.type === 'delta')).toHaveLength(before)
  await agent.stop()
})

test('a new agent process has a new boot id', async () => {
  const { enrolled, start } = await agentBench()
  const first = await enrolled()
  await first.stop()
  const second = await start()
  expect(second.bootId).not.toBe(first.bootId)
  expect(second.bootId).toMatch(/^[0-9a-f]{32}$/)
  await second.stop()
})

test('law 1: what an authority writes on a telemetry connection is never read and changes nothing', async () => {
  const { clock, enrolled, network, authority } = await agentBench()
  const transport = network.transport()
  await authority.stop()
  let drained = 0
  let accepted = 0
  // An authority that talks back, forbidden as it is: nothing is taken from its buffer.
  await transport.listen('10.8.0.1', 8091, ({ stream }) => {
    accepted++
    stream.on('error', () => {})
    stream.on('drain', () => drained++)
    stream.resume()
    stream.write(Buffer.alloc(300 * 1024, 0x41))
  })
  const agent = await enrolled()
  const before = JSON.stringify({ ...agent.report(), wallClockMs: 0 })
  await clock.advance(60_000)
  expect([accepted, drained]).toEqual([1, 0])
  expect(JSON.stringify({ ...agent.report(), wallClockMs: 0 })).toBe(before)
  await agent.stop()
})

test('an authority that comes back is dialled again', async () => {
  const { clock, authority, enrolled } = await agentBench()
  const agent = await enrolled()
  await authority.stop()
  await clock.advance(60_000)
  const frames = authority.frames.length
  await authority.start()
  await clock.advance(6_000)
  expect(authority.frames.length).toBeGreaterThan(frames)
  await agent.stop()
})

test('a valid command from another listed address makes it dial that one, an invalid one does not', async () => {
  const { clock, authority, enrolled, network } = await agentBench()
  const [entry] = authority.content().authorities
  const agent = await enrolled({ authorities: [{ ...entry!, addresses: ['10.8.0.1', '10.8.0.3'] }] })
  const heard: string[] = []
  await network.transport().listen('10.8.0.3', 8091, ({ stream }) => {
    stream.on('error', () => {})
    heard.push('dialled')
    stream.resume()
  })
  const standby = await network.transport().bindUdp('10.8.0.3', 8090, () => {})
  const bytes = authority.packet(OP.PING)
  const forged = new Uint8Array(bytes)
  forged[15]! ^= 1
  await standby.send(forged, '10.8.0.7', 8090)
  await clock.advance(1_000)
  expect(heard).toEqual([])
  await standby.send(bytes, '10.8.0.7', 8090)
  await clock.advance(1_000)
  expect(heard).toEqual(['dialled'])
  await agent.stop()
})

test('a valid command under a higher term makes it dial anew, at once', async () => {
  const { clock, authority, enrolled } = await agentBench()
  const agent = await enrolled()
  const before = authority.connections.length
  authority.state.term = 2
  await authority.send(OP.PING)
  await clock.advance(200)
  expect(authority.connections).toHaveLength(before + 1)
  expect(authority.frames.at(-1)?.term).toBe(2)
  await agent.stop()
})

test('an authority of other keys reads nothing of it', async () => {
  const { clock, authority, enrolled, network } = await agentBench()
  const agent = await enrolled()
  await authority.stop()
  const stranger = fakeAuthority({
    clock,
    random: (n) => new Uint8Array(n).fill(9),
    transport: network.transport(),
    address: '10.8.0.1',
    node: { name: 'edge', address: '10.8.0.7', role: 'spoke', identity: agent.identity },
    ids: authority.ids,
  })
  await stranger.start()
  await stranger.send(OP.PING)
  await clock.advance(500)
  expect(agent.report()?.refusals).toMatchObject({ BadTag: 1 })
  await stranger.stop()
  await agent.stop()
})
