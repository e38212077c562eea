// A node that loses power at every point of receiving, switching, committing and going back.
import { expect, test } from 'vitest'
import { OP, POWER } from '../../protocol/command/ops.ts'
import { agentBench } from '../../testing/agent-bench.ts'
import { aHub, anArchive } from '../../testing/bundle-fixtures.ts'
import { crashFiles } from '../../testing/crash-files.ts'

/** More writes than any of the stories below makes. */
const MOST_WRITES = 40

/** A staged bundle, an APPLY, a switch that touches the hub; then the same again with an agent that lives. */
async function story(writes: number, proves: boolean) {
  const bench = await agentBench()
  const { clock, authority, files, start, wireguard, network } = bench
  await (await bench.enrolled({ peers: [aHub(1)] })).stop()
  const dying = await start(crashFiles(files, writes)).catch(() => undefined)
  await clock.advance(1_000)
  if (proves) wireguard.peer(aHub(2).publicKey, { handshakeAgeSeconds: 0 })
  else network.rules.add({ from: '10.8.0.7', port: 8091, cut: true })
  if (dying) {
    const bytes = authority.bundle({ revision: 2, content: { peers: [aHub(2)] } })
    await authority.push(bytes).catch(() => undefined)
    await clock.advance(500)
    await authority.send(OP.APPLY, { value: 2 })
    await clock.advance(70_000)
    await dying.stop()
  }
  const report = dying?.report()
  network.rules.clear()
  const next = await start()
  await clock.advance(70_000)
  return { ...bench, next, before: report }
}

test.each(Array.from({ length: MOST_WRITES }, (_, k) => k))(
  'a node that dies after %i writes of a good switch holds a verified bundle and agrees with itself',
  async (writes) => {
    const { next, wireguard, clock, authority } = await story(writes, true)
    const held = next.report()?.bundles
    expect(next.report()).toMatchObject({ bundleLost: false, marksLost: false })
    expect([1, 2]).toContain(held?.applied?.revision)
    const hub = held?.applied?.revision === 2 ? 2 : 1
    expect(wireguard.config()?.peers[0]?.publicKey).toBe(aHub(hub).publicKey)
    expect(held?.reverted).toBeUndefined()
    // Whatever came of it, the authority's next word brings it to the wanted state.
    await authority.push(authority.bundle({ revision: 2, content: { peers: [aHub(2)] } }))
    await clock.advance(500)
    await authority.send(OP.APPLY, { value: 2 })
    await clock.advance(1_000)
    expect(next.report()?.bundles.applied?.revision).toBe(2)
    await next.stop()
  },
)

test.each(Array.from({ length: MOST_WRITES }, (_, k) => k))(
  'a node that dies after %i writes of a bad switch is back on the old bundle or still trying the new one',
  async (writes) => {
    const { next, wireguard, clock, authority, network } = await story(writes, false)
    network.rules.add({ from: '10.8.0.7', port: 8091, cut: true })
    const held = next.report()?.bundles
    const hub = held?.applied?.revision === 2 ? 2 : 1
    expect(next.report()?.bundleLost).toBe(false)
    expect(wireguard.config()?.peers[0]?.publicKey).toBe(aHub(hub).publicKey)
    if (held?.applied?.revision === 1 && held.reverted) {
      expect(held.reverted.revision).toBe(2)
      await authority.push(authority.bundle({ revision: 3, switch: 'onReceipt', content: { peers: [aHub(2)] } }))
      await clock.advance(1_000)
      expect(next.report()?.bundles.applied?.revision).toBe(1)
    }
    await next.stop()
  },
)

test('a corrupt applied bundle is set aside, said, and repaired by one on receipt; the tunnels stay', async () => {
  const { clock, authority, files, enrolled, start, wireguard } = await agentBench()
  const first = await enrolled({ peers: [aHub(1)] })
  await authority.push(
    authority.bundle({ revision: 2, switch: 'onReceipt', content: { peers: [aHub(1)], attempt: 1 } }),
  )
  await clock.advance(500)
  await first.stop()
  const bytes = (await files.read('applied'))!
  bytes[bytes.length - 3]! ^= 1
  await files.write('applied', bytes)
  const agent = await start()
  await clock.advance(2_000)
  expect(authority.report()).toMatchObject({ bundleLost: true })
  expect(authority.report()?.bundles.applied).toBeUndefined()
  expect(wireguard.config()?.peers).toHaveLength(1)
  expect((await files.list()).filter((name) => name.startsWith('applied.corrupt-'))).toHaveLength(1)
  await authority.push(
    authority.bundle({ revision: 3, switch: 'onReceipt', content: { peers: [aHub(1)], attempt: 2 } }),
  )
  await clock.advance(500)
  expect(authority.report()).toMatchObject({ bundleLost: false, bundles: { applied: { revision: 3 } } })
  await agent.stop()
})

test('the bundle before the lost one keeps the tunnels up and starts no archive', async () => {
  const { clock, authority, files, enrolled, start, machine, drivers, calls } = await agentBench()
  const archive = anArchive({ slot: 1 })
  const content = { peers: [aHub(1)], archives: [archive] }
  const first = await enrolled(content)
  await authority.push(authority.bundle({ revision: 2, switch: 'onReceipt', content: { ...content, attempt: 1 } }))
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(5_000)
  await first.stop()
  await files.write('applied', Buffer.from('?'))
  const agent = await start()
  await clock.advance(1_000)
  await machine.script(archive.id, { crashAfterMs: 1_000, crashEnd: 'guest-panic' })
  await clock.advance(60_000)
  expect((await drivers.vm.list())[0]?.lifecycle).toBe('crashed')
  expect(calls).toEqual(['start'])
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(12_000)
  expect(authority.report()).toMatchObject({ bundleLost: true, refusals: { NoBundle: 1 } })
  expect(calls).toEqual(['start'])
  await agent.stop()
})

test('lost marks are said, and repaired by a bundle with a node-wide minSequence', async () => {
  const { clock, authority, files, enrolled, start } = await agentBench()
  const first = await enrolled()
  await authority.send(OP.PING)
  await clock.advance(500)
  await first.stop()
  await files.write('marks', Buffer.from('?'))
  const agent = await start()
  await clock.advance(2_000)
  await authority.send(OP.PING)
  await clock.advance(12_000)
  expect(authority.report()).toMatchObject({ marksLost: true, marks: [], refusals: { MarksLost: 1 } })
  const minSequence = { term: 1, sequence: authority.state.last! + 1 }
  await authority.push(authority.bundle({ revision: 2, switch: 'onReceipt', content: { minSequence } }))
  await clock.advance(500)
  expect(authority.report()?.marksLost).toBe(false)
  await authority.send(OP.PING)
  await clock.advance(500)
  expect(authority.report()?.marks).toMatchObject([{ op: OP.PING, state: 'done' }])
  await agent.stop()
})

test('a lost state record takes term and isolation from marks and bundles', async () => {
  const { clock, authority, files, enrolled, start } = await agentBench()
  const first = await enrolled({ peers: [aHub(1)] })
  authority.state.term = 5
  await authority.send(OP.ISOLATE, { value: 1 })
  await clock.advance(500)
  await first.stop()
  await files.write('state', Buffer.from('?'))
  const agent = await start()
  await clock.advance(2_000)
  expect(authority.frames.at(-1)?.term).toBe(5)
  expect(agent.report()?.isolated).toBe(true)
  await agent.stop()
})
