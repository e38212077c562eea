// One fake agent and an authority without a mind: what each verb of the script does. That the rest is true to the
// real agent is for test/conformance/agent to say.
import { afterEach, expect, test } from 'vitest'
import { OP, POWER } from '../protocol/command/ops.ts'
import { anArchive } from './bundle-fixtures.ts'
import { fakeAgent } from './fake-agent.ts'
import { fakeAuthority } from './fake-authority.ts'
import { memoryNetwork } from './memory-network.ts'
import { seededRandom } from './seeded-random.ts'
import { virtualClock } from './virtual-clock.ts'

const AUTHORITY = '10.8.0.1'
const NODE = '10.8.0.7'

const ending: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of ending.splice(0)) await one.stop()
})

async function joined(capacity?: { memoryMiB: number; cpus: number }) {
  const clock = virtualClock()
  const random = seededRandom('fake agent')
  const network = memoryNetwork(clock)
  const agent = fakeAgent({ clock, random, transport: network.transport(), capacity })
  const authority = fakeAuthority({
    ...{ clock, random, transport: network.transport(), address: AUTHORITY },
    node: { name: 'edge', address: NODE, role: 'spoke', identity: agent.identity() },
  })
  ending.push(agent, authority)
  await authority.start()
  await agent.start()
  const content = { archives: [anArchive({ slot: 1 })] }
  await agent.import(authority.armored({ revision: 1, switch: 'onReceipt', content }), authority.fingerprint)
  await clock.settle()
  const frames = () => authority.frames.length
  const lifecycle = () => authority.report()?.archives[0]?.lifecycle
  /** `count` commands, a tick apart. */
  const weights = async (count: number) => {
    for (let i = 0; i < count; i++) {
      await authority.send(OP.WEIGHT, { slot: 1, value: i + 1 })
      await clock.advance(63)
    }
  }
  return { clock, network, agent, authority, content, frames, lifecycle, weights }
}

test('without a script a command has its effect in the instant it is sent', async () => {
  const { clock, agent, authority, lifecycle } = await joined()
  const at = clock.now()
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.settle()
  expect(lifecycle()).toBe('Running')
  expect(agent.obeyed).toMatchObject([{ op: 'POWER', slot: 1, value: 1, term: 1, atMs: at }])
})

test('silent: nothing is reported, everything obeyed; and when it ends, all is told at once', async () => {
  const { clock, agent, authority, frames, lifecycle } = await joined()
  const speak = agent.silent()
  const before = frames()
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(60_000)
  expect(frames()).toBe(before)
  expect(agent.report().archives).toMatchObject([{ lifecycle: 'Running' }])
  speak()
  await clock.settle()
  expect(lifecycle()).toBe('Running')
  expect(authority.connections).toHaveLength(1)
})

test('silent from its first moment: it connects, and is heard when the silence ends', async () => {
  const { clock, agent, authority, frames } = await joined()
  const speak = agent.silent()
  await agent.restart()
  await clock.advance(30_000)
  const before = frames()
  expect(authority.connections).toHaveLength(2)
  speak()
  await clock.settle()
  expect(authority.frames.slice(before).map((f) => f.type)).toEqual(['full'])
})

test('deaf: no command and no bundle is taken, telemetry goes on', async () => {
  const { clock, agent, authority, content, frames } = await joined()
  const hear = agent.deaf()
  const before = frames()
  await authority.send(OP.PING)
  await authority.push(authority.bundle({ revision: 2, content }))
  await clock.advance(20_000)
  expect(agent.obeyed).toEqual([])
  expect(authority.report()?.bundles.staged).toBeUndefined()
  expect(frames()).toBe(before + 2)
  hear()
  await authority.send(OP.PING)
  await clock.settle()
  expect(agent.obeyed).toHaveLength(1)
})

test('slow: the mark is begun, the operation shown, the effect comes when told', async () => {
  const { clock, agent, authority, lifecycle } = await joined()
  agent.slow(3_000)
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(2_999)
  expect(lifecycle()).toBe('Starting')
  expect(authority.report()?.marks).toMatchObject([{ state: 'begun' }])
  expect(authority.report()?.archives[0]?.operation).toMatchObject({ op: OP.POWER, value: 1 })
  await clock.advance(1)
  expect(lifecycle()).toBe('Running')
  expect(authority.report()?.marks).toMatchObject([{ state: 'done' }])
  expect(authority.report()?.archives[0]?.operation).toBeUndefined()
})

test('slow: a bundle is staged late', async () => {
  const { clock, agent, authority } = await joined()
  agent.slow(3_000)
  await authority.push(authority.bundle({ revision: 2 }))
  await clock.advance(2_999)
  expect(authority.report()?.bundles.staged).toBeUndefined()
  await clock.advance(1)
  expect(authority.report()?.bundles.staged?.revision).toBe(2)
})

test('slow: a command that is overtaken before its effect has none', async () => {
  const { clock, agent, authority } = await joined()
  agent.slow(1_000)
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await authority.send(OP.POWER, { slot: 1, value: POWER.stop })
  await clock.advance(5_000)
  expect(agent.obeyed.map((c) => c.value)).toEqual([POWER.stop])
})

test('slow: what was begun when the agent was restarted is done afterwards', async () => {
  const { clock, agent, authority, lifecycle } = await joined()
  const heal = agent.slow(1_000)
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.settle()
  heal()
  await agent.restart()
  await clock.advance(1_000)
  expect(lifecycle()).toBe('Running')
  expect(agent.obeyed).toHaveLength(1)
})

test('lossy: about that share of the packets is lost', async () => {
  const { agent, weights } = await joined()
  const heal = agent.lossy(0.5)
  await weights(100)
  const heard = agent.obeyed.length
  expect(heard).toBeGreaterThan(30)
  expect(heard).toBeLessThan(70)
  heal()
  await weights(10)
  expect(agent.obeyed).toHaveLength(heard + 10)
})

test('duplicating: about that share of the packets comes twice, and acts once', async () => {
  const { agent, weights } = await joined()
  agent.duplicating(0.5)
  await weights(100)
  expect(agent.obeyed).toHaveLength(100)
  expect(agent.refusals().Duplicate).toBeGreaterThan(30)
  expect(agent.refusals().Duplicate).toBeLessThan(70)
})

test('reordering: what is overtaken is stale', async () => {
  const { clock, agent, weights } = await joined()
  agent.reordering(0.5, 100)
  await weights(100)
  await clock.advance(100)
  expect(agent.refusals().Stale).toBeGreaterThan(10)
  expect(agent.obeyed.length + (agent.refusals().Stale ?? 0)).toBe(100)
  const values = agent.obeyed.map((c) => c.value)
  expect(values).toEqual([...values].sort((a, b) => a - b))
})

test('lying: telemetry says what the script says, the agent knows better', async () => {
  const { clock, agent, authority } = await joined()
  const confess = agent.lying({ isolated: true })
  await clock.settle()
  expect(authority.report()?.isolated).toBe(true)
  expect(agent.report().isolated).toBe(false)
  confess()
  await clock.settle()
  expect(authority.report()?.isolated).toBe(false)
  agent.lying((truth) => ({ ...truth, archives: truth.archives.map((a) => ({ ...a, lifecycle: 'Crashed' })) }))
  await clock.settle()
  expect(authority.report()?.archives).toMatchObject([{ lifecycle: 'Crashed' }])
})

test('of two lies the newer one is told, and the older one again when it ends', async () => {
  const { clock, agent, authority } = await joined()
  const told = async () => {
    await clock.settle()
    return authority.report()?.agentVersion
  }
  agent.lying({ agentVersion: 'old' })
  const newer = agent.lying({ agentVersion: 'new' })
  expect(await told()).toBe('new')
  newer()
  newer()
  expect(await told()).toBe('old')
})

test('restarted it keeps its state under a new boot id', async () => {
  const { clock, agent, authority, frames, lifecycle } = await joined()
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.settle()
  const first = authority.frames.at(-1)?.header.bootId
  const before = frames()
  await agent.restart()
  await clock.settle()
  expect(frames()).toBeGreaterThan(before)
  expect(authority.frames.at(-1)?.header).toMatchObject({ sequence: 1, uptimeMs: 0 })
  expect(authority.frames.at(-1)?.header.bootId).not.toBe(first)
  expect(authority.report()?.marks).toHaveLength(1)
  expect(lifecycle()).toBe('Running')
})

test('restarted without its marks it says so and obeys nothing', async () => {
  const { clock, agent, authority } = await joined()
  await agent.restart({ lose: 'marks' })
  await authority.send(OP.PING)
  await clock.advance(10_000)
  expect(authority.report()).toMatchObject({ marksLost: true, marks: [], refusals: { MarksLost: 1 } })
})

test('restarted without anything it is a stranger with other keys, until it is enrolled anew', async () => {
  const { clock, network, agent, authority, frames } = await joined()
  const before = [frames(), agent.identity().commandPublicKey] as const
  await agent.restart({ lose: 'everything' })
  await authority.send(OP.PING)
  await clock.advance(60_000)
  expect(frames()).toBe(before[0])
  expect(agent.identity().commandPublicKey).not.toBe(before[1])
  await authority.stop()
  const next = fakeAuthority({
    ...{ clock, random: seededRandom('next'), transport: network.transport(), address: AUTHORITY },
    node: { name: 'edge', address: NODE, role: 'spoke', identity: agent.identity() },
  })
  ending.push(next)
  await next.start()
  await agent.import(next.armored({ revision: 1, switch: 'onReceipt' }), next.fingerprint)
  await clock.advance(1_000)
  expect(next.report()?.bundles.applied?.revision).toBe(1)
})

test('stopped it is gone from the network at once, and back with what it kept', async () => {
  const { clock, agent, authority } = await joined()
  await agent.stop()
  expect(agent.alive()).toBe(false)
  await expect(authority.push(authority.bundle({ revision: 2 }))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await authority.send(OP.PING)
  await clock.advance(1_000)
  expect(agent.obeyed).toEqual([])
  await agent.start()
  await agent.start()
  await authority.send(OP.PING)
  await clock.advance(1_000)
  expect(agent.obeyed).toHaveLength(1)
})

test.each([
  ['ahead', 121_000],
  ['behind', -121_000],
])('its clock %s: it shows in telemetry, and commands are too old or too new', async (_, aheadMs) => {
  const { clock, agent, authority } = await joined()
  const mend = agent.clockOff(aheadMs)
  await clock.settle()
  expect(authority.report()?.wallClockMs).toBe(clock.now() + aheadMs)
  await authority.send(OP.PING)
  await clock.settle()
  expect(agent.refusals()).toEqual({ ClockOff: 1 })
  mend()
  await authority.send(OP.PING)
  await clock.settle()
  expect(agent.obeyed).toHaveLength(1)
})

test('its clock off and known to be: commands count, and telemetry says that it is not synchronised', async () => {
  const { clock, agent, authority } = await joined()
  agent.clockOff(3_600_000, { synchronised: false })
  await authority.send(OP.PING)
  await clock.settle()
  expect(agent.obeyed).toHaveLength(1)
  expect(authority.report()?.clockSynchronised).toBe(false)
})

test('it has the capacity it was given, and running guests use some of it', async () => {
  const { clock, authority } = await joined({ memoryMiB: 4096, cpus: 2 })
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.settle()
  expect(authority.report()).toMatchObject({ capacity: { memoryMiB: 4096, cpus: 2 }, usage: { memoryFreeMiB: 3072 } })
})
