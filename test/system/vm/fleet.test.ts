// One archive from a declaration to a machine on real agents: folder, bundle, POWER, QEMU, telemetry; then its agent
// killed, then moved to another node with its disk (law 7). Two nodes over real WireGuard, each with QEMU of its own.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { openFence } from '../../../agent/fence/fence.ts'
import type { ArchiveStatus } from '../../../api/v1alpha1/archive.ts'
import { diskFiles } from '../../../base/disk-files.ts'
import { systemProcesses } from '../../../base/processes.ts'
import { type GuestConsole, socketConsole } from '../../../hack/guest/console.ts'
import { guestImage } from '../../../hack/guest/image.ts'
import { type Lab, startLab } from '../../lab/lab.ts'
import { becomes, fleetReady } from '../../lab/ready.ts'

const [HUB, SPOKE] = ['relay', 'box'] as const
const ARCHIVE = 'cluster-totebox-real-1'
const LIMIT_MS = 240_000
const figures: string[] = []
let root: string
let lab: Lab
let image: Awaited<ReturnType<typeof guestImage>>

const declare = (file: string, objects: object[]) =>
  writeFileSync(
    path.join(file),
    objects.map((object) => stringify({ apiVersion: 'ppn.dev/v1alpha1', ...object })).join('---\n'),
  )
const archive = (nodeName: string) => ({
  kind: 'Archive',
  metadata: { name: ARCHIVE, namespace: 'default' },
  spec: {
    ...{ nodeName, runState: 'Running', relocation: 'OnPinChange' },
    image: { source: `file://${image.path}`, sha256: image.sha256, format: image.format },
    memory: { floor: '128Mi', max: '256Mi' },
  },
})

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'ppn-real-'))
  image = await guestImage('willing')
  const folder = path.join(root, 'fleet')
  mkdirSync(folder)
  declare(path.join(folder, 'nodes.yaml'), [
    { kind: 'Node', metadata: { name: HUB }, spec: { role: 'hub', site: 'cloud', endpoint: 'relay.example:51820' } },
    { kind: 'Node', metadata: { name: SPOKE }, spec: { role: 'spoke', site: 'cloud' } },
  ])
  const processes = systemProcesses()
  lab = await startLab({ processes, folder: path.join(root, 'lab'), fleet: folder, owned: true })
  await fleetReady(lab.fleet, LIMIT_MS)
  // The lab's agents have simulated machines: the same nodes again, with real ones.
  for (const node of [HUB, SPOKE]) {
    writeFileSync(lab.fleet.paths.agentConfig(node), agentConfig(node))
    await killAgent(node)
    lab.fleet.startAgent(node)
  }
}, LIMIT_MS)
afterAll(async () => {
  process.stdout.write(`\n${figures.join('\n')}\n`)
  await lab?.end()
  rmSync(root, { recursive: true, force: true })
})

const agentConfig = (node: string) =>
  stringify({
    state: lab.fleet.paths.agentState(node),
    run: '/run/ppn',
    images: { folders: [path.dirname(image.path)] },
    vm: { user: 'nobody' },
  })
async function killAgent(node: string): Promise<void> {
  process.kill(lab.fleet.agentPid(node) as number, 'SIGKILL')
  await becomes(10_000, async () => lab.fleet.agentPid(node) === undefined)
}
const status = async (): Promise<ArchiveStatus> => {
  const [object] = await (await lab.fleet.admin()).objects({ kind: 'Archive', name: ARCHIVE })
  return (object?.status ?? { conditions: [] }) as ArchiveStatus
}
const readyOn = (node: string) =>
  becomes(LIMIT_MS, async () => {
    const { nodeName, conditions, phase } = await status()
    const ready = conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True')
    return ready && nodeName === node && phase === 'Running'
  })
const inFolder = (node: string, ...names: string[]) => path.join(lab.fleet.paths.agentState(node), ...names)
const disks = (node: string): string[] =>
  existsSync(inFolder(node, 'archives')) ? readdirSync(inFolder(node, 'archives')) : []
/** QEMU's own processes in a host's network. */
const machines = async (node: string): Promise<string[]> =>
  (
    await lab.network
      .host(node)
      .processes.run('pgrep', ['-x', '--ns', String(lab.fleet.agentPid(node)), '--nslist', 'net', 'qemu-system-x86'])
  ).stdout
    .split('\n')
    .filter(Boolean)
/** Of a guest that is up. A host's /run is its own: its agent sees it. */
const consoleOf = async (node: string): Promise<GuestConsole> => {
  const { id, slot } = await status()
  const log = inFolder(node, 'consoles', `${id}.log`)
  await becomes(LIMIT_MS, async () => existsSync(log) && readFileSync(log, 'utf8').includes('ppn guest ready'))
  return socketConsole(`/proc/${lab.fleet.agentPid(node)}/root/run/ppn/${slot}/console`)
}
const put = (nodeName: string) => declare(path.join(lab.fleet.paths.fleet, 'archive.yaml'), [archive(nodeName)])

test(
  'an archive declared in a folder runs on its node, and is Ready by what telemetry showed',
  async () => {
    const begunMs = performance.now()
    put(SPOKE)
    await readyOn(SPOKE)
    figures.push(`from the saved file to Ready: ${seconds(begunMs)} s`)
    expect(await machines(SPOKE)).toHaveLength(1)
    expect(await machines(HUB)).toEqual([])
    const { accelerator, memoryActualMiB, fencingEpoch } = await status()
    expect({ accelerator: ['KVM', 'TCG'].includes(accelerator ?? ''), memoryActualMiB, fencingEpoch }).toEqual({
      accelerator: true,
      memoryActualMiB: 256,
      fencingEpoch: 1,
    })
    const guest = await consoleOf(SPOKE)
    await guest.ask('write witness carried')
    guest.close()
    const said = await lab.fleet.ppn(SPOKE, [
      'console',
      ARCHIVE,
      '--log',
      '--config',
      lab.fleet.paths.agentConfig(SPOKE),
    ])
    expect(said.stdout).toContain('ppn guest ready')
  },
  LIMIT_MS,
)

test(
  'its agent is killed and started again: the same machine, still Ready',
  async () => {
    const [before] = await machines(SPOKE)
    const { bootId } = await nodeStatus(SPOKE)
    await killAgent(SPOKE)
    lab.fleet.startAgent(SPOKE)
    await becomes(LIMIT_MS, async () => (await nodeStatus(SPOKE)).bootId !== bootId)
    await readyOn(SPOKE)
    expect(await machines(SPOKE)).toEqual([before])
    expect((await status()).restarts).toBe(0)
  },
  LIMIT_MS,
)

test(
  'moved, it runs on the other node from the same disk under a higher epoch, and on the first no more',
  async () => {
    const begunMs = performance.now()
    put(HUB)
    const both: string[] = []
    const watch = becomes(LIMIT_MS, async () => {
      const [here, there] = [await machines(SPOKE), await machines(HUB)]
      if (here.length > 0 && there.length > 0) both.push(`${here} ${there}`)
      return there.length > 0
    })
    await Promise.all([readyOn(HUB), watch])
    figures.push(`moved, with its disk of 64 MiB: ${seconds(begunMs)} s`)
    expect(both).toEqual([])
    const { fencingEpoch, id } = await status()
    expect(fencingEpoch).toBe(2)
    expect(disks(HUB)).toContain(id)
    expect(await machines(SPOKE)).toEqual([])
    const guest = await consoleOf(HUB)
    expect(await guest.ask('read witness')).toContain('carried')
    guest.close()

    // Law 7 on the node it left: whatever is still there starts nothing, also after a start of the agent.
    await killAgent(SPOKE)
    lab.fleet.startAgent(SPOKE)
    const { bootId } = await nodeStatus(SPOKE)
    await becomes(LIMIT_MS, async () => (await nodeStatus(SPOKE)).bootId !== bootId)
    await fleetReady(lab.fleet, LIMIT_MS)
    expect(await machines(SPOKE)).toEqual([])
    const fence = await openFence(diskFiles(lab.fleet.paths.agentState(SPOKE)))
    expect(fence.released(id as string)).toBe(1)
    const rss = [HUB, SPOKE].map((node) => {
      const text = readFileSync(`/proc/${lab.fleet.agentPid(node)}/status`, 'utf8')
      return (Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1]) / 1024).toFixed(0)
    })
    figures.push(`memory of the agents (RSS, from source): ${rss.join(' and ')} MiB`)
  },
  LIMIT_MS,
)

async function nodeStatus(name: string): Promise<{ bootId?: string }> {
  const [object] = await (await lab.fleet.admin()).objects({ kind: 'Node', name })
  return (object?.status ?? {}) as { bootId?: string }
}
const seconds = (sinceMs: number) => ((performance.now() - sinceMs) / 1000).toFixed(1)
