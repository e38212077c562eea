import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { silentLogger } from '../base/log.ts'
import { OP } from '../protocol/command/ops.ts'
import { fakeAuthority } from '../testing/fake-authority.ts'
import { memoryFiles } from '../testing/memory-files.ts'
import { memoryNetwork } from '../testing/memory-network.ts'
import { seededRandom } from '../testing/seeded-random.ts'
import { virtualClock } from '../testing/virtual-clock.ts'
import { startAgent } from './agent.ts'
import { simulatedCgroupDriver } from './drivers/cgroup/simulated.ts'
import type { Drivers } from './drivers/host.ts'
import { simulatedImageDriver } from './drivers/image/simulated.ts'
import { simulatedHostDriver } from './drivers/simulated-host.ts'
import { simulatedVmDriver } from './drivers/vm/simulated.ts'
import { openMachine } from './drivers/vm/simulated-machine.ts'
import { simulatedWireGuard } from './drivers/wireguard/simulated.ts'
import { initAgentKeys, publicHalves } from './keys/agent-keys.ts'

async function fixture() {
  const clock = virtualClock()
  const random = seededRandom('agent')
  const network = memoryNetwork(clock)
  const files = memoryFiles()
  const log = silentLogger()
  const machine = await openMachine({ files: memoryFiles(), clock, cpus: 4 })
  const drivers: Drivers = {
    wireguard: simulatedWireGuard({
      transport: memoryNetwork(clock).transport(),
      clock,
      log,
      address: '192.0.2.2',
      behindNat: false,
      resolve: async () => undefined,
    }),
    vm: simulatedVmDriver(machine),
    cgroup: simulatedCgroupDriver(machine),
    image: simulatedImageDriver({ files: memoryFiles(), clock }),
    host: simulatedHostDriver(machine, 8192),
  }
  const identity = publicHalves(await initAgentKeys(files, random))
  const authority = fakeAuthority({
    clock,
    random,
    transport: network.transport(),
    address: '10.8.0.1',
    node: { name: 'edge', address: '10.8.0.7', role: 'spoke', identity },
  })
  await authority.start()
  const start = () =>
    startAgent({ files, transport: network.transport(), clock, random, log, drivers, version: '0.1.0' })
  return { clock, random, network, files, machine, drivers, authority, start }
}

test('a node enrolled by hand applies its first bundle, reports, and answers a PING with everything', async () => {
  const { clock, authority, start } = await fixture()
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
  const report = authority.report()
  expect(report?.marks).toMatchObject([{ op: OP.PING, slot: 0, term: 3, state: 'done' }])
  expect(authority.frames.at(-1)?.term).toBe(3)
  await agent.stop()
  expect(clock.pending()).toBe(0)
})

test('a pushed bundle is staged, and an APPLY switches it', async () => {
  const { clock, authority, start } = await fixture()
  const agent = await start()
  await agent.importBundle(authority.armored({ revision: 1, switch: 'onReceipt' }), {
    authorityFingerprint: authority.fingerprint,
  })
  await clock.advance(500)
  await authority.push(authority.bundle({ revision: 2, content: { attempt: 1 } }))
  await clock.advance(500)
  expect(authority.report()?.bundles).toMatchObject({ applied: { revision: 1 }, staged: { revision: 2 } })
  await authority.send(OP.APPLY, { value: 2 })
  await clock.advance(500)
  expect(authority.report()?.bundles).toMatchObject({ applied: { revision: 2 } })
  expect(authority.report()?.bundles.staged).toBeUndefined()
  await agent.stop()
})

const archive = {
  id: 'a'.repeat(32),
  name: 'cluster-totebox-x-1',
  namespace: 'default',
  slot: 1,
  fencingEpoch: 1,
  minSequence: { term: 0, sequence: 0 },
  image: {
    source: 'https://images.example/a',
    sha256: '',
    format: 'raw' as const,
    architecture: 'amd64' as const,
  },
  floorMiB: 256,
  maxMiB: 1024,
  vcpus: 1,
  restartPolicy: 'Always' as const,
}

test('an archive is made, started, weighed, suspended and stopped by commands', async () => {
  const image = { ...archive.image, sha256: createHash('sha256').update(archive.image.source).digest('hex') }
  const { clock, authority, start } = await fixture()
  const agent = await start()
  const content = { archives: [{ ...archive, image }] }
  await agent.importBundle(authority.armored({ revision: 1, switch: 'onReceipt', content }), {
    authorityFingerprint: authority.fingerprint,
  })
  await clock.advance(1000)
  const seen = () => authority.report()?.archives[0]
  expect(seen()).toMatchObject({ lifecycle: 'Stopped', imageReady: true })
  await authority.send(OP.WEIGHT, { slot: 1, value: 300 })
  await authority.send(OP.POWER, { slot: 1, value: 1 })
  await clock.advance(5000)
  expect(seen()).toMatchObject({ lifecycle: 'Running', weight: 300 })
  await authority.send(OP.POWER, { slot: 1, value: 3 })
  await clock.advance(500)
  expect(seen()).toMatchObject({ lifecycle: 'Suspended' })
  await authority.send(OP.POWER, { slot: 1, value: 0 })
  await clock.advance(5000)
  expect(seen()).toMatchObject({ lifecycle: 'Stopped' })
  expect(seen()).not.toHaveProperty('refusal')
  await agent.stop()
})
