// Archives on real disks and real QEMUs, under the agent's own rules: law 7, and who starts again.
import { createHash } from 'node:crypto'
import { cp, mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createArchiveManager } from '../../../agent/apply/archives/manager.ts'
import { createObserver } from '../../../agent/apply/observer.ts'
import type { InForce } from '../../../agent/bundles/manager.ts'
import type { Drivers } from '../../../agent/drivers/host.ts'
import { fileImages } from '../../../agent/drivers/image/files.ts'
import { runPaths } from '../../../agent/drivers/vm/qemu/arguments.ts'
import { initFence, openFence } from '../../../agent/fence/fence.ts'
import { sidecarsIn } from '../../../agent/fence/sidecar.ts'
import type { MarkJournal } from '../../../agent/marks/journal.ts'
import { systemClock } from '../../../base/clock.ts'
import { diskFiles } from '../../../base/disk-files.ts'
import { silentLogger } from '../../../base/log.ts'
import { systemRandom } from '../../../base/random.ts'
import { socketConsole } from '../../../hack/guest/console.ts'
import { guestImage } from '../../../hack/guest/image.ts'
import type { BundleArchive } from '../../../protocol/bundle/document.ts'
import { OP, POWER } from '../../../protocol/command/ops.ts'
import { anArchive } from '../../../testing/bundle-fixtures.ts'
import { until, type VmHost, vmHost } from './host.ts'

const clock = systemClock()
const log = silentLogger()
const hosts: VmHost[] = []
const ends: AbortController[] = []
let definition: BundleArchive

beforeAll(async () => {
  const { path: source, sha256 } = await guestImage('willing')
  definition = anArchive({
    slot: 1,
    image: { source, sha256, format: 'raw', architecture: 'amd64' },
    floorMiB: 128,
    maxMiB: 512,
  })
})
afterAll(async () => {
  for (const end of ends) end.abort()
  for (const host of hosts) await host.close()
})

async function newHost(): Promise<VmHost> {
  const host = await vmHost()
  hosts.push(host)
  await initFence(diskFiles(host.stateFolder))
  return host
}

/** The part of an agent that looks after archives, on this host, told to run what its bundle says. */
async function agentOn(host: VmHost, said: { archive: BundleArchive; power: number }) {
  const files = diskFiles(host.stateFolder)
  const vm = host.driver()
  const folder = path.join(host.stateFolder, 'archives')
  const image = fileImages({
    folder,
    allowedFolders: [path.dirname(definition.image.source)],
    allowedHosts: [],
    clock,
    log,
  })
  const cgroup = { weight: async () => undefined, setWeight: async () => {}, unavailable: () => 'not here' }
  const drivers = { vm, image, cgroup } as unknown as Drivers
  const end = new AbortController()
  ends.push(end)
  const mark = { term: 1, sequence: 1, value: said.power, state: 'done' as const, slot: 1, op: OP.POWER }
  const manager = createArchiveManager(
    {
      ...{ clock, random: systemRandom, log, drivers },
      disks: { image, sidecars: sidecarsIn(files), fence: await openFence(files) },
      observer: createObserver({ drivers, log, interfaceName: () => undefined, changed: () => {} }),
      marks: {
        lost: () => false,
        get: (op: number) => (op === OP.POWER ? mark : undefined),
        floor: () => ({ term: 0, sequence: 0 }),
      } as unknown as MarkJournal,
      inForce: () =>
        ({
          from: 'applied',
          mayStart: true,
          bundle: { content: { archives: [said.archive], pool: { balloon: { policy: 'Manual' } } } },
        }) as unknown as InForce,
      changed: () => {},
    },
    end.signal,
  )
  await manager.converge()
  return {
    vm,
    report: async () => manager.reports()[0]!,
    converge: manager.converge,
    stop() {
      end.abort()
      vm.close()
    },
  }
}
const reports = (agent: Awaited<ReturnType<typeof agentOn>>, lifecycle: string, error?: string) =>
  until(agent.report, (seen) => seen.lifecycle === lifecycle && seen.errorCode === error)

test('a panic is restarted by policy and counted; a copied disk starts nowhere; what was given up stays so', async () => {
  const here = await newHost()
  const agent = await agentOn(here, { archive: definition, power: POWER.start })
  await reports(agent, 'Running')
  const pid = await agent.vm.pidOf(definition.id)
  const guest = socketConsole(runPaths(here.runFolder, 1).console)
  await guest.ready()
  guest.tell('panic')
  const restarted = await until(agent.report, (seen) => seen.restarts === 1 && seen.lifecycle === 'Running')
  expect(restarted.refusal).toBeUndefined()
  expect(await agent.vm.pidOf(definition.id)).not.toBe(pid)
  guest.close()

  // Law 7: a copy of the running archive, sidecar and all, on a host whose bundle says the next epoch.
  const archives = (host: VmHost) => path.join(host.stateFolder, 'archives')
  const there = await newHost()
  await mkdir(there.stateFolder, { recursive: true })
  await cp(archives(here), archives(there), { recursive: true })
  const moved = { ...definition, fencingEpoch: definition.fencingEpoch + 1 }
  const other = await agentOn(there, { archive: moved, power: POWER.start })
  await reports(other, 'Failed', 'FenceRefused')
  expect(await other.vm.list()).toEqual([])
  other.stop()

  // Given up here, then put back from the copy: the fence remembers.
  agent.stop()
  const leaving = await agentOn(here, { archive: { ...definition, remove: 'Retain' }, power: POWER.start })
  await reports(leaving, 'Removed')
  leaving.stop()
  await rm(archives(here), { recursive: true })
  await rename(archives(there), archives(here))
  const returning = await agentOn(here, { archive: definition, power: POWER.start })
  await reports(returning, 'Failed', 'FenceRefused')
  expect((await returning.vm.list()).filter(({ lifecycle }) => lifecycle === 'running')).toEqual([])
  returning.stop()
})

test('an image with another digest than declared becomes no disk, and nothing is started', async () => {
  const host = await newHost()
  const image = { ...definition.image, sha256: createHash('sha256').update('another').digest('hex') }
  const agent = await agentOn(host, { archive: { ...definition, image }, power: POWER.start })
  await reports(agent, 'Failed', 'ImageDigestMismatch')
  expect(await agent.vm.list()).toEqual([])
  agent.stop()
})
