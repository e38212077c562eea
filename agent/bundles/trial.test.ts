import { expect, test } from 'vitest'
import { agentBench } from '../../testing/agent-bench.ts'
import { aHub, anArchive } from '../../testing/bundle-fixtures.ts'
import { fakeAuthority } from '../../testing/fake-authority.ts'
import { judgeTrial, type TrialEvidence, touchesConnection } from './trial.ts'

const evidence = (given: Partial<TrialEvidence>): TrialEvidence => ({
  elapsedMs: 30_000,
  peers: [{ handshakeAgeMs: 5_000, receivedMore: false }],
  alone: false,
  connected: true,
  newKey: false,
  ...given,
})
const silent = { handshakeAgeMs: undefined, receivedMore: false }

test.each<[string, Partial<TrialEvidence>, string]>([
  ['heard and connected', {}, 'commit'],
  ['heard by bytes alone', { peers: [{ ...silent, receivedMore: true }] }, 'commit'],
  ['heard from one of several', { peers: [silent, { handshakeAgeMs: 1, receivedMore: false }] }, 'commit'],
  ['a handshake older than the switch', { peers: [{ handshakeAgeMs: 29_500, receivedMore: false }] }, 'wait'],
  ['connected and not heard', { peers: [silent] }, 'wait'],
  ['heard and not connected', { connected: false }, 'wait'],
  ['alone and connected', { peers: [], alone: true }, 'commit'],
  ['neither in time', { peers: [silent], connected: false, elapsedMs: 60_000 }, 'revert'],
  ['new in its key and not heard in 30 s', { peers: [silent], newKey: true }, 'revert'],
  ['new in its key, heard and not connected in 30 s', { connected: false, newKey: true }, 'wait'],
  ['connected but not heard in time', { peers: [silent], elapsedMs: 60_000 }, 'revert'],
])('a switch that is %s: %s', (_, given, verdict) => {
  expect(judgeTrial(evidence(given))).toBe(verdict)
})

test('only interface, hubs, ports and authority addresses are the way to the authority', async () => {
  const { authority } = await agentBench()
  const before = authority.content({ peers: [aHub(1)] })
  const pool = { ...before.pool, reservedMiB: 1024 }
  expect(touchesConnection(before, { ...before, pool, archives: [anArchive({ slot: 1 })], attempt: 3 })).toBe(false)
  expect(touchesConnection(before, { ...before, peers: [aHub(1), aHub(9, { hub: false })] })).toBe(false)
  expect(touchesConnection(before, { ...before, peers: [aHub(2)] })).toBe(true)
  expect(touchesConnection(before, { ...before, interface: { ...before.interface, mtu: 1400 } })).toBe(true)
  const [one] = before.authorities
  expect(touchesConnection(before, { ...before, authorities: [{ ...one!, addresses: ['10.8.0.3'] }] })).toBe(true)
})

const moved = (attempt = 0) => ({ peers: [aHub(2, { allowedIPs: ['10.8.0.2/32', '10.8.0.0/24'] })], attempt })

/** Connected by hub 1, and then told to go by hub 2. */
async function switching() {
  const bench = await agentBench()
  const agent = await bench.enrolled({ peers: [aHub(1)] })
  const push = async (revision: number, attempt = 0) => {
    await bench.authority.push(bench.authority.bundle({ revision, switch: 'onReceipt', content: moved(attempt) }))
    await bench.clock.advance(2_000)
  }
  return { ...bench, agent, push }
}

test('a switch that leads nowhere is gone back from after 60 s, remembered, reported and refused', async () => {
  const { clock, authority, agent, push, wireguard, network, start } = await switching()
  const heal = network.rules.add({ from: '10.8.0.7', port: 8091, cut: true })
  await push(2)
  expect(wireguard.config()?.peers[0]?.publicKey).toBe(aHub(2).publicKey)
  await clock.advance(56_000)
  expect(wireguard.config()?.peers[0]?.publicKey).toBe(aHub(2).publicKey)
  await clock.advance(5_000)
  expect(wireguard.config()?.peers[0]?.publicKey).toBe(aHub(1).publicKey)
  heal()
  await clock.advance(20_000)
  const bundles = { applied: { revision: 1 }, reverted: { revision: 2 } }
  expect(authority.report()?.bundles).toMatchObject(bundles)
  await push(3)
  expect(authority.report()).toMatchObject({ bundles, refusals: { RevertedContent: 1 } })

  // Over a restart as well, and until a content of its own proves itself.
  await agent.stop()
  const again = await start()
  await clock.advance(20_000)
  await push(3)
  expect(authority.report()).toMatchObject({ bundles, refusals: { RevertedContent: 1 } })
  wireguard.peer(aHub(2).publicKey, { handshakeAgeSeconds: 0 })
  await push(4, 1)
  await clock.advance(20_000)
  expect(authority.report()?.bundles).toMatchObject({ applied: { revision: 4 } })
  expect(authority.report()?.bundles.reverted).toBeUndefined()
  await again.stop()
})

test('a switch that is heard and dialled anew is kept', async () => {
  const { clock, authority, agent, push, wireguard } = await switching()
  const dialled = authority.connections.length
  wireguard.peer(aHub(2).publicKey, { handshakeAgeSeconds: 0 })
  await push(2)
  expect(authority.connections.length).toBe(dialled + 1)
  await clock.advance(70_000)
  expect(wireguard.config()?.peers[0]?.publicKey).toBe(aHub(2).publicKey)
  expect(authority.report()?.bundles.reverted).toBeUndefined()
  await agent.stop()
})

test('an agent restarted within the 60 s goes on with the trial, and does so at most three times', async () => {
  const { clock, agent, push, wireguard, network, start } = await switching()
  network.rules.add({ from: '10.8.0.7', port: 8091, cut: true })
  await push(2)
  await agent.stop()
  for (let restart = 1; restart <= 2; restart++) {
    const next = await start()
    await clock.advance(30_000)
    expect(wireguard.config()?.peers[0]?.publicKey).toBe(aHub(2).publicKey)
    await next.stop()
  }
  const last = await start()
  await clock.settle()
  expect(wireguard.config()?.peers[0]?.publicKey).toBe(aHub(1).publicKey)
  expect(last.report()?.bundles).toMatchObject({ applied: { revision: 1 }, reverted: { revision: 2 } })
  await last.stop()
})

test('a second switch during a trial goes back to what last proved itself', async () => {
  const { clock, authority, agent, push, wireguard, network } = await switching()
  const heal = network.rules.add({ from: '10.8.0.7', port: 8091, cut: true })
  await push(2)
  await authority.push(authority.bundle({ revision: 3, switch: 'onReceipt', content: { peers: [aHub(3)] } }))
  await clock.advance(500)
  expect(wireguard.config()?.peers[0]?.publicKey).toBe(aHub(3).publicKey)
  await clock.advance(62_000)
  expect(wireguard.config()?.peers[0]?.publicKey).toBe(aHub(1).publicKey)
  heal()
  await agent.stop()
})

test('an agent that was not connected has nothing to go back to', async () => {
  const { clock, authority, agent, wireguard } = await switching()
  await authority.stop()
  await clock.advance(30_000)
  await agent.importBundle(authority.armored({ revision: 2, switch: 'onReceipt', content: moved() }))
  await clock.advance(120_000)
  expect(wireguard.config()?.peers[0]?.publicKey).toBe(aHub(2).publicKey)
  await agent.stop()
})

test('a new authority address is dialled, and the old keys go when the switch has proved itself', async () => {
  const { clock, authority, agent, network, wireguard } = await switching()
  const second = fakeAuthority({
    clock,
    random: (n) => new Uint8Array(n).fill(7),
    transport: network.transport(),
    address: '10.8.0.3',
    node: { name: 'edge', address: '10.8.0.7', role: 'spoke', identity: agent.identity },
    ids: authority.ids,
    operator: authority.operator,
  })
  await second.start()
  const content = { peers: [aHub(1)], authorities: second.content().authorities }
  wireguard.peer(aHub(1).publicKey, { handshakeAgeSeconds: 0 })
  await authority.push(authority.bundle({ revision: 2, switch: 'onReceipt', content }))
  await clock.advance(10_000)
  expect(second.report()?.bundles.applied?.revision).toBe(2)
  await second.push(second.bundle({ revision: 3, content: { peers: [aHub(1)] } }))
  await authority.push(authority.bundle({ revision: 4, content }))
  await clock.advance(2_000)
  expect(second.report()?.bundles.staged).toMatchObject({ revision: 3 })
  expect(second.report()?.refusals).toMatchObject({ SyncSource: 1 })
  await agent.stop()
})
