import { expect, test } from 'vitest'
import { OP, POWER } from '../protocol/command/ops.ts'
import { agentBench } from '../testing/agent-bench.ts'
import { aHub, anArchive } from '../testing/bundle-fixtures.ts'

test('a node enrolled by hand applies its first bundle, reports, and answers a PING with everything', async () => {
  const { clock, authority, start } = await agentBench()
  const agent = await start()
  expect(agent.report()).toBeUndefined()
  await agent.importBundle(authority.armored({ revision: 1, switch: 'onReceipt' }), {
    authorityFingerprint: authority.fingerprint,
  })
  await clock.advance(1000)
  expect(authority.report()?.bundles.applied?.revision).toBe(1)
  authority.state.term = 3
  await authority.send(OP.PING)
  await clock.advance(1000)
  expect(authority.report()?.marks).toMatchObject([{ op: OP.PING, slot: 0, term: 3, state: 'done' }])
  expect(authority.frames.at(-1)?.term).toBe(3)
  await agent.stop()
})

test('a stopped agent leaves no timer behind', async () => {
  const { clock, enrolled } = await agentBench()
  const agent = await enrolled({ archives: [anArchive({ slot: 1 })] })
  await agent.stop()
  await clock.settle()
  expect(clock.pending()).toBe(0)
})

test('a pushed bundle is staged, and an APPLY switches it', async () => {
  const { clock, authority, enrolled } = await agentBench()
  const agent = await enrolled()
  await authority.push(authority.bundle({ revision: 2, content: { attempt: 1 } }))
  await clock.advance(500)
  expect(authority.report()?.bundles).toMatchObject({ applied: { revision: 1 }, staged: { revision: 2 } })
  await authority.send(OP.APPLY, { value: 2 })
  await clock.advance(500)
  expect(authority.report()?.bundles).toMatchObject({ applied: { revision: 2 } })
  expect(authority.report()?.bundles.staged).toBeUndefined()
  await agent.stop()
})

test('an APPLY told before its bundle switches the bundle as it comes', async () => {
  const { clock, authority, enrolled } = await agentBench()
  const agent = await enrolled()
  await authority.send(OP.APPLY, { value: 5 })
  await clock.advance(100)
  await authority.push(authority.bundle({ revision: 4, content: { attempt: 1 } }))
  await clock.advance(500)
  expect(authority.report()?.bundles.applied?.revision).toBe(4)
  await agent.stop()
})

test('an archive is made, started, weighed, suspended and stopped by commands', async () => {
  const { clock, authority, enrolled } = await agentBench()
  const agent = await enrolled({ archives: [anArchive({ slot: 1 })] })
  const seen = () => authority.report()?.archives[0]
  expect(seen()).toMatchObject({ lifecycle: 'Stopped', imageReady: true })
  await authority.send(OP.WEIGHT, { slot: 1, value: 300 })
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(5000)
  expect(seen()).toMatchObject({ lifecycle: 'Running', weight: 300 })
  await authority.send(OP.POWER, { slot: 1, value: POWER.suspend })
  await clock.advance(500)
  expect(seen()).toMatchObject({ lifecycle: 'Suspended' })
  await authority.send(OP.POWER, { slot: 1, value: POWER.stop })
  await clock.advance(5000)
  expect(seen()).toMatchObject({ lifecycle: 'Stopped' })
  expect(seen()).not.toHaveProperty('refusal')
  await agent.stop()
})

test('a slow archive delays no other', async () => {
  const { clock, authority, enrolled, machine, calls } = await agentBench()
  const [slow, quick] = [anArchive({ slot: 1 }), anArchive({ slot: 2 })]
  const agent = await enrolled({ archives: [slow, quick] })
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(5000)
  await machine.script(slow.id, { endsAt: 'sigkill' })
  await authority.send(OP.POWER, { slot: 1, value: POWER.stop })
  await authority.send(OP.POWER, { slot: 2, value: POWER.start })
  await clock.advance(100)
  expect(calls).toEqual(['start', 'stop', 'start'])
  expect(authority.report()?.archives).toMatchObject([
    { lifecycle: 'Stopping', operation: { op: OP.POWER, value: POWER.stop } },
    { lifecycle: 'Starting' },
  ])
  await agent.stop()
})

test('a crashed archive starts again by itself, later each time, and counts', async () => {
  const { clock, authority, enrolled, machine } = await agentBench()
  const archive = anArchive({ slot: 1 })
  await machine.script(archive.id, { crashAfterMs: 1_000, crashEnd: 'guest-panic' })
  const agent = await enrolled({ archives: [archive] })
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(120_000)
  const early = authority.report()?.archives[0]?.restarts ?? 0
  await clock.advance(120_000)
  const late = (authority.report()?.archives[0]?.restarts ?? 0) - early
  expect(early).toBeGreaterThan(3)
  expect(late).toBeLessThan(early)
  expect(authority.report()?.archives[0]).toMatchObject({ lifecycle: 'BackOff', refusal: { reason: 'BackOff' } })
  await agent.stop()
})

test('law 4: with the authority gone, an agent restarts from what it last accepted', async () => {
  const { clock, authority, enrolled, start, machine, wireguard, calls } = await agentBench()
  const first = await enrolled({ archives: [anArchive({ slot: 1 }), anArchive({ slot: 2 })], peers: [aHub(1)] })
  await authority.send(OP.WEIGHT, { slot: 1, value: 700 })
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(5_000)
  await authority.stop()
  await first.stop()
  const tunnel = wireguard.config()
  expect((await machine.now()).guests[anArchive({ slot: 1 }).id]?.lifecycle).toBe('running')

  // The agent alone was gone: nothing is touched.
  const before = [...calls]
  const second = await start()
  await clock.advance(5_000)
  expect(calls).toEqual(before)
  expect(wireguard.config()).toEqual(tunnel)
  expect(wireguard.changes).toEqual(['applied'])
  await second.stop()

  // The whole machine was: what ran, runs again.
  await machine.powerCut()
  const third = await start()
  await clock.advance(5_000)
  expect(third.report()?.archives).toMatchObject([
    { slot: 1, lifecycle: 'Running', weight: 700 },
    { slot: 2, lifecycle: 'Stopped' },
  ])
  await authority.start()
  await clock.advance(15_000)
  expect(authority.report()?.archives[0]).toMatchObject({ slot: 1, lifecycle: 'Running' })
  await third.stop()
})

test('a converged node makes no changing call, whatever is said again', async () => {
  const { clock, authority, enrolled, wireguard, calls } = await agentBench()
  const content = { archives: [anArchive({ slot: 1 })], peers: [aHub(1)] }
  const agent = await enrolled(content)
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(60_000)
  const before = [calls.length, wireguard.changes.length]
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await authority.send(OP.ISOLATE, { value: 0 })
  await authority.push(authority.bundle({ revision: 1, term: 2, switch: 'onReceipt', content }))
  await clock.advance(120_000)
  expect([calls.length, wireguard.changes.length]).toEqual(before)
  expect(authority.report()?.bundles.applied).toMatchObject({ term: 2, revision: 1 })
  await agent.stop()
})

test('an isolated node keeps only the way to the authority, over bundles and restarts, until released', async () => {
  const { clock, authority, enrolled, start, wireguard } = await agentBench()
  const content = { peers: [aHub(1), aHub(2)] }
  const first = await enrolled(content)
  await authority.send(OP.ISOLATE, { value: 1 })
  await clock.advance(500)
  const alone = [{ publicKey: aHub(1).publicKey, allowedIPs: ['10.8.0.1/32'] }]
  expect(wireguard.config()?.peers).toMatchObject(alone)
  expect(authority.report()?.isolated).toBe(true)
  await first.stop()
  const agent = await start()
  await authority.push(
    authority.bundle({ revision: 2, switch: 'onReceipt', content: { ...content, archives: [anArchive({ slot: 1 })] } }),
  )
  await clock.advance(500)
  expect(wireguard.config()?.peers).toMatchObject(alone)
  expect(wireguard.config()?.peers).toHaveLength(1)
  await authority.send(OP.ISOLATE, { value: 0 })
  await clock.advance(500)
  expect(wireguard.config()?.peers).toHaveLength(2)
  expect(authority.report()?.isolated).toBe(false)
  await agent.stop()
})

test('a severed node leaves the mesh and its VMs run on; an imported bundle brings it back', async () => {
  const { clock, authority, enrolled, wireguard, drivers } = await agentBench()
  const content = { archives: [anArchive({ slot: 1 })], peers: [aHub(1)] }
  const agent = await enrolled(content)
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(5_000)
  await authority.send(OP.SEVER, { value: 1 })
  await clock.advance(5_000)
  expect(wireguard.config()).toBeUndefined()
  expect((await drivers.vm.list())[0]?.lifecycle).toBe('running')
  const frames = authority.frames.length
  await clock.advance(30_000)
  expect(authority.frames).toHaveLength(frames)
  await agent.importBundle(authority.armored({ revision: 2, switch: 'onReceipt', content }))
  await clock.advance(5_000)
  expect(wireguard.config()?.peers).toHaveLength(1)
  expect(authority.report()?.bundles.applied?.revision).toBe(2)
  await agent.stop()
})

test('REKEY reports one new public half however often it is asked, and its first valid packet takes it into use', async () => {
  const { clock, authority, enrolled, start } = await agentBench()
  const agent = await enrolled()
  await authority.send(OP.REKEY, { value: 1 })
  await clock.advance(500)
  const pending = authority.report()?.pendingKeys.commandPublicKey
  expect(pending).toBeDefined()
  await authority.send(OP.REKEY, { value: 1 })
  await clock.advance(500)
  expect(authority.report()?.pendingKeys.commandPublicKey).toBe(pending)
  authority.useCommandKey(pending as string)
  await authority.send(OP.PING)
  await clock.advance(500)
  expect(authority.report()?.pendingKeys).toEqual({})
  await agent.stop()
  const again = await start()
  expect(again.identity.commandPublicKey).toBe(pending)
  await again.stop()
})

test('law 10: no private key is in a log line, a report or on the wire', async () => {
  const { clock, authority, enrolled, keys, lines, network } = await agentBench()
  const agent = await enrolled({ archives: [anArchive({ slot: 1 })], peers: [aHub(1)] })
  await authority.send(OP.REKEY, { value: 2 })
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(20_000)
  const wire = Buffer.concat([...network.segments, ...network.datagrams].map((s) => s.bytes))
  const said = Buffer.concat([wire, Buffer.from(lines.join('')), Buffer.from(JSON.stringify(agent.report()))])
  expect(lines.length).toBeGreaterThan(0)
  for (const { secretKey } of [keys.wireguard, keys.command, keys.signing]) {
    for (const form of ['base64', 'hex', 'latin1'] as const) {
      expect(
        said.includes(Buffer.from(Buffer.from(secretKey).toString(form), form === 'latin1' ? 'latin1' : 'utf8')),
      ).toBe(false)
    }
  }
  await agent.stop()
})
